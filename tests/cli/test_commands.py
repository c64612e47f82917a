"""What each command prints for people and for machines."""

import json
from pathlib import Path
from typing import get_args

import pytest

from schemas.kinds import Kind
from streams.topology import KAFKA_TOPICS, PUBLISHED, TOPICS
from tests.cli.running import SMALL, event, lines, streams, write


def test_a_journey_for_machines(data: Path) -> None:
    """A journey as JSON is one line per need, also for a bare name."""
    assert lines("journey", "ann", "--data-dir", data, "--json") == lines(
        "journey", "u:ann", "--data-dir", data, "--json"
    )
    (timeline,) = lines("journey", "ann", "--data-dir", data, "--json")
    assert ("u:ann", None, None) == (timeline["profile"], timeline["need"], timeline["current"])
    (journey,) = timeline["journeys"]
    assert ("converted", "truth", "2024-05-20T10:06:00.000Z") == (
        journey["outcome"],
        journey["furthest"],
        journey["closed_at"],
    )
    assert ["opened", "advanced", "converted"] == [step["kind"] for step in journey["transitions"]]


@pytest.mark.parametrize("command", ["journey", "why"])
def test_nobody_of_that_name(data: Path, command: str) -> None:
    """An unknown person is exit code 1, with nothing on standard output."""
    result = streams(command, "zoe", "--data-dir", data, "--json")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "nobody of the name 'zoe' is known here" in result.stderr


@pytest.mark.parametrize("command", ["journey", "why"])
def test_tenants_where_there_are_none(data: Path, command: str) -> None:
    """A tenant is a wrong command then, and the setting that is missing is named."""
    result = streams(command, "ann", "--tenant", "shop", "--data-dir", data)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--tenant shop: there are no tenants here (the setting `tenant` is not set)" in result.stderr


def test_somebody_without_a_journey(tmp_path: Path) -> None:
    """A person with no journey, but with a refund of an unknown purchase, is found
    until they are forgotten, and counted still.
    """
    later = [
        event("zoe", "Product Viewed", "10:00:00") | {"timestamp": f"2024-{month:02d}-20T10:00:00Z"}
        for month in (6, 7, 8, 9, 10, 11)
    ]
    for n, events in enumerate(([], later)):
        data = tmp_path / str(n)
        streams(
            "replay",
            write(tmp_path / f"{n}.jsonl", [event("d:1", "Order Refunded", "10:00:00"), *events]),
            "--data-dir",
            data,
        )
        if not events:
            assert [{"profile": "u:d:1", "need": None, "current": None, "journeys": []}] == lines(
                "journey", "d:1", "--data-dir", data, "--json"
            )
            assert "u:d:1: no journey" in streams("journey", "d:1", "--data-dir", data).stdout
        (found,) = lines("funnel", "--data-dir", data, "--json")
        assert 1 + bool(events) == found["profiles"]


def test_transitions_for_machines(data: Path) -> None:
    """Transitions as JSON are one wire record per line; --net, --kind and --limit choose among them."""
    every = lines("transitions", "--data-dir", data, "--json")
    assert {"u:ann", "u:bob"} == {step["profile"] for step in every}
    assert every == lines("transitions", "--data-dir", data, "--json", "--net")
    assert ["converted"] == [
        step["kind"] for step in lines("transitions", "--data-dir", data, "--json", "--kind", "converted")
    ]
    assert every[-2:] == lines("transitions", "--data-dir", data, "--json", "--limit", 2)


def test_finished_journeys(tmp_path: Path) -> None:
    """A journey is listed once nothing can change it: Ann's, after the allowed lateness."""
    later = event("zoe", "Product Viewed", "10:00:00") | {"timestamp": "2024-06-20T10:00:00Z"}
    streams("replay", write(tmp_path / "events.jsonl", [*SMALL, later]), "--data-dir", tmp_path / "data")
    (record,) = [
        r for r in lines("journeys", "--data-dir", tmp_path / "data", "--json") if r["outcome"] == "converted"
    ]
    assert ("u:ann", "truth") == (record["profile"], record["furthest"])
    assert "know → buy → truth" in streams("journeys", "--data-dir", tmp_path / "data").stdout


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["funnel"],
            [
                "2 people, 1 of them bought (50.0%)",
                "6 events: 4 applied, 0 refused, 0 robot, 0 no signal, 1 duplicate, 0 late, 1 rejected",
            ],
        ),
        (["funnel", "--by", "channel"], ["channel", "other"]),
        (
            ["journey", "ann"],
            [
                "u:ann: 1 journey, in no moment now",
                "know → buy over go, do after 5 min",
                "★  converted",
                "purchase",
            ],
        ),
        (["journey", "bob"], ["now in know"]),
        (["transitions"], ["u:ann", "5 min", "4 steps"]),
        (["transitions", "--limit", "1"], ["the latest 1 of 4 steps"]),
        (["journeys"], ["0 finished journeys"]),
    ],
)
def test_for_people(data: Path, command: list[str], words: list[str]) -> None:
    """Tables have at most 100 columns and show no markup."""
    result = streams(*command, "--data-dir", data)
    assert 0 == result.exit_code
    assert [] == [word for word in words if word not in result.stdout]
    assert "[/]" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_check_config(tmp_path: Path) -> None:
    """Every setting is shown with its value; those that are set stand out; flags beat the file."""
    file = tmp_path / "my.toml"
    file.write_text('need = "properties.category"\nbatch = 7\n[patience]\nbuy = "2h"\n')
    (found,) = lines("--config", file, "check-config", "--data-dir", "elsewhere", "--json")
    settings = found["settings"]
    assert ("2h", ["properties.category"], 7, "elsewhere") == (
        settings["patience.buy"],
        settings["need"],
        settings["batch"],
        settings["data_dir"],
    )
    assert found["rules"]["version"].startswith("default-")
    rows = {
        line.split()[0]: line.split()[-1]
        for line in streams("--config", file, "check-config").stdout.splitlines()
        if line.strip()
    }
    assert ("set", "default", "set") == (rows["patience.buy"], rows["patience.go"], rows["batch"])


@pytest.mark.parametrize("options", [(), ("--format", "csv"), ("--format", "auto"), ("--format", "segment")])
def test_a_table_whose_columns_are_fields(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Its rows are read by their own format, whether or not it is said to be a table."""
    table = tmp_path / "events.csv"
    table.write_text(
        "type;messageId;userId;event;timestamp\ntrack;m1;ann;Order Completed;2024-05-20 10:00:00\n"
    )
    assert 0 == streams("replay", table, *options, "--data-dir", tmp_path / "d").exit_code
    (found,) = lines("funnel", "--data-dir", tmp_path / "d", "--json")
    assert (1, 1) == (found["profiles_converted"], found["events"]["applied"])


def test_json_is_read_by_a_mapping(tmp_path: Path) -> None:
    """As a table is; `--zone` is that of its times."""
    path = write(tmp_path / "tills.jsonl", [{"card": 4711, "at": "2024-05-20 10:05:00", "sum": 3}])
    given = ["--map", "userId=card", "--map", "timestamp=at", "--map", "event==Order Completed"]
    result = streams("replay", path, *given, "--zone", "Europe/Rome", "--data-dir", tmp_path / "d")
    assert 0 == result.exit_code, result.stderr
    opened, _ = lines("transitions", "--data-dir", tmp_path / "d", "--json")
    assert ("u:4711", "2024-05-20T08:05:00.000Z") == (opened["profile"], opened["at"])
    assert 0 == streams("verify", "--data-dir", tmp_path / "d").exit_code


def test_topology() -> None:
    """Each topic is shown once, for people and for machines."""
    (found,) = lines("topology", "--json")
    assert [topic.name for topic in (*TOPICS, *KAFKA_TOPICS)] == [topic["name"] for topic in found]
    assert {topic.name for topic in PUBLISHED} == {topic["name"] for topic in found if topic["output"]}
    shown = streams("topology").stdout
    assert [] == [topic.name for topic in (*TOPICS, *KAFKA_TOPICS) if topic.name not in shown]


def test_kinds_that_there_are(data: Path) -> None:
    """--kind takes the kinds of the contract and no others."""
    result = streams("transitions", "--data-dir", data, "--kind", "refund_unmatched")
    assert 2 == result.exit_code
    assert ", ".join(get_args(Kind)) in result.stderr


def test_json_only(data: Path) -> None:
    """With --json, standard output has JSON and standard error has nothing."""
    for command in (
        ["funnel", "--json"],
        ["journey", "ann", "--json"],
        ["transitions", "--json"],
        ["cues", "--json"],
        ["journeys", "--json"],
    ):
        result = streams(*command, "--data-dir", data)
        assert "" == result.stderr
        assert all(json.loads(line) for line in result.stdout.splitlines())


def test_why_is_told_to_people_and_machines(data: Path) -> None:
    """why shows each event of a person with its steps; --json prints a line for each."""
    shown = streams("why", "ann", "--data-dir", data).stdout
    assert all(word in shown for word in ("Product Viewed", "opened", "converted", "events:0:0:0"))
    assert "3 events, 3 steps" in shown
    told = lines("why", "u:bob", "--data-dir", data, "--json")
    assert ["applied", "duplicate"] == [story["ending"] for story in told]
    assert ["know", "know"] == [story["read_as"]["intent"] for story in told]
