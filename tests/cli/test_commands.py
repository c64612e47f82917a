"""What each command prints for people and for machines."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from schemas.kinds import CueName, Kind
from streams.core.ingest import door
from streams.core.ingest.formats import FORMATS
from streams.log.sqlite.log import SqliteLog
from streams.records import Batch, Output
from streams.topology import KAFKA_TOPICS, PUBLISHED, TOPICS, TRANSITIONS
from tests.cli.running import SMALL, event, lines, streams, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a few events in it."""
    assert (
        0
        == streams(
            "replay", write(tmp_path / "small.jsonl", SMALL), "--data-dir", tmp_path / "data"
        ).exit_code
    )
    return tmp_path / "data"


def test_the_funnel_for_machines(data: Path) -> None:
    """The funnel as JSON has exactly these fields, zeros included."""
    none = dict.fromkeys(("open", "stalled", "converted", "abandoned", "refunded"), 0)
    assert [
        {
            "profiles": 2, "profiles_converted": 1,
            "journeys": {"opened": 2, "open": 1, "stalled": 0, "converted": 1, "abandoned": 0, "refunded": 0},
            "furthest": {"know": none | {"open": 1}, "go": none, "do": none, "buy": none,
            "truth": none | {"converted": 1}},
            "been_in": {"know": 2, "go": 0, "do": 0, "buy": 1, "truth": 1},
            "cues": {},
            "revenue": {}, "time_to_convert": {"purchases": 1, "p50_s": 344.064, "p90_s": 344.064},
            "stitched": 0, "from_nowhere": 0,
            "unmatched_refunds": {"purchase": 0, "person": 0}, "unmatched_updates": 0, "unread_amounts": 0,
            "events": {
                "received": 6, "applied": 4, "refused": 0, "robot": 0, "no_signal": 0, "duplicate": 1,
                "late": 0, "rejected": 1,
            },
            "repaired": {},
        }
    ] == lines("funnel", "--data-dir", data, "--json")  # fmt: skip


def test_the_funnel_by_a_dimension(data: Path) -> None:
    """--by adds one field; a name that is no dimension is an error, which names the dimensions."""
    (found,) = lines("funnel", "--data-dir", data, "--json", "--by", "device")
    assert ["other"] == list(found["by"]["device"])
    other = found["by"]["device"]["other"]
    assert {
        name: found[name] for name in ("journeys", "furthest", "been_in", "revenue", "time_to_convert")
    } == other
    wrong = streams("funnel", "--data-dir", data, "--by", "colour")
    assert (2, "") == (wrong.exit_code, wrong.stdout)
    assert "--by colour: is no dimension" in wrong.stderr
    assert "its dimensions are device, channel" in wrong.stderr


def test_the_funnel_of_a_window(data: Path) -> None:
    """--last is about the journeys opened in it; people and events are not counted by window."""
    here = ["funnel", "--data-dir", data, "--json", "--until", "2024-05-20T10:06:30Z"]
    (found,) = lines(*here, "--last", "5m", "--by", "device")
    assert {
        "start": "2024-05-20T10:01:00.000Z", "end": "2024-05-20T10:06:00.000Z", "cells": "minute",
        "over": True, "read_to": "2024-05-20T10:07:00.000Z",
    } == found["window"]  # fmt: skip
    assert 0 == found["journeys"]["opened"]
    assert ["window", "journeys", "furthest", "been_in", "revenue", "time_to_convert", "by"] == list(found)
    (found,) = lines(*here, "--last", "10m")
    assert (1, 1) == (found["journeys"]["opened"], found["journeys"]["converted"])
    shown = streams("funnel", "--data-dir", data, "--last", "10m", "--until", "2024-05-20T10:30:00Z").stdout
    assert "journeys opened from 2024-05-20 10:20:00 to 2024-05-20 10:30:00 UTC" in shown
    assert "not over yet: events up to 2024-05-20 10:07:00 have been read" in shown


def test_the_funnel_of_the_last_minutes(tmp_path: Path) -> None:
    """Without --until a window ends now."""
    now = datetime.now(UTC)
    events = [
        event("ann", "Product Viewed", "10:00:00") | {"timestamp": (now - timedelta(minutes=ago)).isoformat()}
        | {"messageId": str(ago), "userId": str(ago)}
        for ago in (10, 600)
    ]  # fmt: skip
    streams("replay", write(tmp_path / "events.jsonl", events), "--data-dir", tmp_path / "data")
    for last, opened in (("2h", 1), ("20h", 2)):
        (found,) = lines("funnel", "--data-dir", tmp_path / "data", "--last", last, "--json")
        assert (opened, False) == (found["journeys"]["opened"], found["window"]["over"])


def test_the_funnel_of_a_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--need reads the transitions and says how far they go back."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "streams.toml").write_text('need = "properties.about"')
    events = [
        event("ann", "Product Viewed", "10:00:00", properties={"about": "car"}),
        event("bob", "Product Viewed", "10:01:00", properties={"about": "coffee"}),
    ]
    streams("replay", write(tmp_path / "events.jsonl", events))
    (found,) = lines("funnel", "--need", "car", "--json")
    assert ("car", "2024-05-20T10:00:00.000Z", 0, 1) == (
        found["need"], found["transitions_from"], found["cut_journeys"], found["journeys"]["opened"],
    )  # fmt: skip
    shown = streams("funnel", "--need", "car").stdout
    assert "about car, from the transitions, which go back to 2024-05-20 10:00:00" in shown
    assert "1 journeys" in shown or "1 journey" in shown


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


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_need_where_there_are_none(data: Path, json: list[str]) -> None:
    """It is a wrong command, not a funnel of zeros. The nameless need is there."""
    result = streams("funnel", "--need", "car", "--data-dir", data, *json)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--need car: there are no needs here (the setting `need` is not set)" in result.stderr
    (found,) = lines("funnel", "--need", "", "--data-dir", data, "--json")
    assert 0 < found["journeys"]["opened"]


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


@pytest.mark.parametrize(
    ("what", "read_as", "moment", "sure", "meaning"),
    [
        (["Concessionaria Honda vicino"], "search", "buy", True, "opens a journey in buy"),
        (["come scegliere l'auto giusta", "--locale", "it"], "search", "do", True, "opens a journey in do"),
        (["Product Added"], "event name", "buy", True, "opens a journey in buy"),
        (["Order Completed", "--search"], "search", "know", False, "keeps an open journey alive"),
        (["Order Refunded"], "event name", "refund", True, "never touches an open journey"),
        (
            ['{"event": "Order Completed", "properties": {"order_id": "7"}}'],
            "record",
            "truth",
            True,
            "closes the open journey",
        ),
        (
            ['{"type": "page", "context": {"page": {"path": "/checkout"}}}'],
            "record",
            "buy",
            True,
            "opens a journey in buy",
        ),
        (['{"event": "Something Else"}'], "event name", "none", False, "no rule knows an event of this name"),
        (["Something Else", "--event"], "event name", "none", False, "no rule knows an event of this name"),
        (["Something Else"], "search", "know", False, "keeps an open journey alive"),
        (['{"text": "prezzo honda civic", "locale": "it"}'], "search", "buy", True, "opens a journey in buy"),
        (['{"page": "/checkout"}'], "page", "buy", True, "opens a journey in buy"),
        (["hello"], "search", "none", False, "no signal"),
        (["zzz qqq"], "search", "know", False, "never opens or moves one"),
    ],
)
def test_explain(what: list[str], read_as: str, moment: str, sure: bool, meaning: str) -> None:
    """explain shows how something is read and what it means for a journey, for machines and for people."""
    (report,) = lines("explain", *what, "--json")
    assert (read_as, moment, sure) == (report["read_as"], report["moment"], report["sure"])
    assert meaning in report["meaning"]
    shown = streams("explain", *what).stdout
    assert moment in shown
    assert report["rules"] in shown


@pytest.mark.parametrize(
    ("what", "read_as", "taken"),
    [
        (["zzz qqq"], "search", "as a search: as an event's name no rule reads it"),
        (["Product Added"], "event name", "as an event's name, which a rule knows; as a search rule"),
        (["/it/carrello?x=1"], "page", "as a page, since it is a path or an address"),
        (["https://shop.example/cart"], "page", "as a page, since it is a path or an address"),
        (["Product Added", "--search"], "search", "as a search, as asked"),
        (["zzz", "--event"], "event name", "as an event's name, as asked"),
        (["cart", "--page"], "page", "as a page, as asked"),
        (['{"event": "Product Added", "x": 1}'], "record", "as a record, since it is JSON"),
    ],
)
def test_explain_says_as_what_it_took_a_text(what: list[str], read_as: str, taken: str) -> None:
    """A text can be a search, the name of an event, a page or a record: which one, and why, is said."""
    (report,) = lines("explain", *what, "--json")
    assert read_as == report["read_as"]
    assert report["taken"].startswith(taken)
    assert taken in " ".join(streams("explain", *what).stdout.split())


def test_explain_takes_a_text_as_one_thing() -> None:
    """--search, --event and --page exclude each other."""
    result = streams("explain", "x", "--search", "--page")
    assert 2 == result.exit_code
    assert "--search and --page: give one of them" in result.stderr


def test_explain_says_what_would_have_answered() -> None:
    """The language of a search, its typos, each piece of evidence, and what comes next, are said."""
    (report,) = lines("explain", "cerco un finanziamneto", "--locale", "en", "--json")
    assert ("it", ["finanziamneto", "finanziamento"]) == (report["language"], report["mended"])
    assert "query.contract" == report["next"]["rule"]
    shown = " ".join(streams("explain", "cerco un finanziamneto", "--locale", "en").stdout.split())
    assert "Italian; finanziamneto read as finanziamento" in shown
    assert "without it: query.contract (buy, " in shown
    event = {
        "event": "Products Searched",
        "properties": {"query": "where is my order", "url": "https://shop.example/cart"},
    }
    (report,) = lines("explain", json.dumps(event), "--json")
    assert [("event", "search"), ("query", "query.order"), ("page", "page.checkout")] == [
        (reason["evidence"], reason["rule"]) for reason in report["asked"]
    ]
    shown = " ".join(streams("explain", json.dumps(event)).stdout.split())
    assert 'the event\'s name "Products Searched": search (know, ' in shown
    assert "), unless the search says more" in shown


def test_explain_a_rejection() -> None:
    """An event that would be rejected is shown with its reason; fields
    that nobody wants to type may be missing.
    """
    (report,) = lines("explain", '{"event": 5}', "--json")
    assert "wrong_type" == report["rejected"]
    assert "undecodable" in streams("explain", '{"event": ').stdout


@pytest.mark.parametrize(
    ("context", "apart"),
    [
        ('{"userAgent": "Googlebot/2.1"}', "robot"),
        ('{"consent": {"categoryPreferences": {"analytics": false}}}', "refused"),
    ],
)
def test_explain_what_is_counted_apart(context: str, apart: str) -> None:
    """It says so, and that the event says nothing, whatever the rules know of its name."""
    event = f'{{"event": "Order Completed", "context": {context}}}'
    (report,) = lines("explain", event, "--json")
    assert (apart, "none", None) == (report["apart"], report["moment"], report["rule"])
    assert f"counted apart ({apart}" in " ".join(streams("explain", event).stdout.split())


def test_explain_lines(tmp_path: Path) -> None:
    """One line per line, in order: searches, names, pages, records of any format, and what is none."""
    call = '{"type": "Track", "event": "Order Completed", "userId": "u", "timestamp": "2024-05-20T10:00:00Z"}'
    given = [
        '{"text": "come arrivare al ristorante", "locale": "it"}',
        '{"event": "Product Added"}',
        '{"event": "Something Else"}',
        '{"page": "/checkout"}',
        call,
        '{"batch": [' + call + ', {"type": "alias", "userId": "u", "timestamp": "2024-05-20T10:00:00Z"}]}',
        "",
        "nonsense",
    ]
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(f"{line}\n" for line in given))
    found = lines("explain", "--jsonl", str(file))
    moments = [
        [item["moment"] for item in line["items"]] if "items" in line else line["moment"] for line in found
    ]
    assert ["do", "buy", "none", "buy", "truth", ["truth", "none"], "none", "none"] == moments
    keys = {"moment", "confidence", "sure", "rule", "evidence", "language", "asked", "next"}
    assert keys == set(found[0])
    assert ("segment", ["type"]) == (found[4]["format"], found[4]["repairs"])
    assert "undecodable" == found[7]["rejected"]


def test_explain_with_rules_of_ones_own(tmp_path: Path) -> None:
    """--rules names a rules file, as for replay."""
    rules = tmp_path / "rules.toml"
    rules.write_text(
        'name = "mine"\nextends = "default"\n[[event]]\nname = "tried"\nmoment = "do"\nconfidence = '
        '0.9\nnames = ["Dress Tried On"]\n'
    )
    (report,) = lines("explain", "Dress Tried On", "--rules", rules, "--json")
    assert ("tried", "do") == (report["rule"], report["moment"])
    assert report["rules"].startswith("mine-")


def test_verify_names_the_first_difference(data: Path) -> None:
    """A transition that was forged is named, with exit code 1."""
    log = SqliteLog(data)

    async def forge() -> None:
        session = await log.open(0)
        checkpoint, _ = await session.restore()
        (stolen,) = [
            record
            async for _, record in log.scan(TRANSITIONS.name)
            if record.value and b'"converted"' in record.value
        ]
        forged = (stolen.value or b"").replace(b'"id":"', b'"id":"f')
        await session.commit(Batch([Output(TRANSITIONS.name, stolen.key, forged)], [], checkpoint or b""))
        await log.close()

    asyncio.run(forge())
    result = streams("verify", "--data-dir", data)
    assert 1 == result.exit_code
    assert result.stdout.startswith("different: ")
    report = json.loads(streams("verify", "--data-dir", data, "--json").stdout)
    assert (False, True) == (report["equal"], "u:ann" in report["difference"])
    assert "u:ann" in result.stdout


def test_verify_for_machines(data: Path) -> None:
    """verify --json prints whether all is equal, and how much was compared."""
    (report,) = lines("verify", "--data-dir", data, "--json")
    assert {
        "equal": True, "records": 6, "profiles": 2, "transitions": 4, "cues": 0, "difference": None,
        "unchecked": [],
        "unchecked_profiles": 0, "counters": report["counters"], "unchecked_counters": 0, "cut": [],
        "slices": 1,
    } == report  # fmt: skip
    assert report["counters"] > 20


def test_verify_names_what_it_cannot_check(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of a reader that this release does not have are named, and their partition is not compared."""
    newer = msgspec.structs.replace(FORMATS["segment"], version=FORMATS["segment"].version + 1)
    monkeypatch.setattr(door, "FORMATS", {**FORMATS, "segment": newer})
    (report,) = lines("verify", "--data-dir", data, "--json")
    (unchecked,) = report["unchecked"]
    assert ("events:0", 0, 5) == (unchecked["source"], unchecked["first"], unchecked["last"])
    assert (True, 0) == (report["equal"], report["transitions"])
    assert "not checked: the partition of events:0" in streams("verify", "--data-dir", data).stdout


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


@pytest.fixture
def troubled(tmp_path: Path) -> Path:
    """A data directory with somebody who meets trouble, and somebody who never had a journey."""
    records = [
        event("ann", "Products Searched", "10:00:00", properties={"query": "best lamp", "results": 0}),
        event("ann", "Coupon Denied", "10:05:00"),
        event("ann", "Form Error", "10:07:00"),
        event("ann", "Order Completed", "10:10:00", properties={"order_id": "1"}),
        event("bob", "$web_vitals", "10:11:00", properties={"$web_vitals_LCP_value": 4100}),
    ]
    data = tmp_path / "troubled"
    assert 0 == streams("replay", write(tmp_path / "troubled.jsonl", records), "--data-dir", data).exit_code
    return data


def test_cues_for_machines(troubled: Path) -> None:
    """cues prints each one with its journey and moment; --cue, --net and the times choose among them."""
    found = lines("cues", "--data-dir", troubled, "--json")
    assert [("zero_results", "know"), ("coupon_denied", "buy"), ("form_error", "buy")] == [
        (cue["cue"], cue["moment"]) for cue in found
    ]
    assert found == lines("cues", "--data-dir", troubled, "--json", "--net")
    assert found[1:2] == lines("cues", "--data-dir", troubled, "--json", "--cue", "coupon_denied")
    assert found[:1] == lines("cues", "--data-dir", troubled, "--json", "--until", "2024-05-20T10:05:00Z")


def test_cues_that_there_are(troubled: Path) -> None:
    """--cue takes the cues of the contract and no others."""
    result = streams("cues", "--data-dir", troubled, "--cue", "sold_out")
    assert 2 == result.exit_code
    assert ", ".join(get_args(CueName)) in result.stderr


def test_cues_for_people(troubled: Path) -> None:
    """They are shown by themselves, in a journey, in the funnel and among the reasons; nothing is wrong."""
    shown = {name: streams(name, *given, "--data-dir", troubled).stdout for name, given in (
        ("cues", ()), ("journey", ("ann",)), ("why", ("ann",)), ("funnel", ()), ("verify", ()),
    )}  # fmt: skip
    assert "3 cues" in shown["cues"]
    assert all("coupon_denied" in text for name, text in shown.items() if name != "verify")
    assert "3 cues" in shown["verify"]
    assert [max(map(len, text.splitlines())) <= 100 for text in shown.values()] == [True] * len(shown)


def test_the_funnel_counts_cues(troubled: Path) -> None:
    """By cue and moment; a cue of nobody's journey is unmatched."""
    (found,) = lines("funnel", "--data-dir", troubled, "--json")
    assert {
        "coupon_denied": {"buy": 1},
        "form_error": {"buy": 1},
        "slow_page": {"unmatched": 1},
        "zero_results": {"know": 1},
    } == found["cues"]


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


@pytest.mark.parametrize("size", ["much", "512", "0MB", "-1GB", "1 TB"])
def test_a_memory_that_is_no_size(data: Path, size: str) -> None:
    """The message names what would be right."""
    result = streams("verify", "--data-dir", data, "--memory", size)
    assert 2 == result.exit_code
    assert f"--memory {size}: write a size, such as 512MB" in result.stderr


def test_too_little_memory(data: Path) -> None:
    """The message says how much is needed."""
    result = streams("verify", "--data-dir", data, "--memory", "64MB")
    assert 2 == result.exit_code
    assert "64 MB are not enough" in result.stderr
    assert "give at least 7" in result.stderr


def test_the_outcome_of_verify_as_metrics(data: Path, tmp_path: Path) -> None:
    """--metrics-file holds the outcome for Prometheus; a file that cannot be written is an error."""
    file = tmp_path / "verify.prom"
    assert 0 == streams("verify", "--data-dir", data, "--metrics-file", file).exit_code
    text = file.read_text()
    name = f'app="{data.name}"'
    assert f"streams_verify_equal{{{name}}} 1.0" in text
    assert f'streams_verify_people{{{name},checked="yes"}} 2.0' in text
    assert "# HELP streams_verify_finished_timestamp_seconds" in text
    result = streams("verify", "--data-dir", data, "--metrics-file", tmp_path / "nowhere" / "file")
    assert 2 == result.exit_code
    assert "cannot be written" in result.stderr
