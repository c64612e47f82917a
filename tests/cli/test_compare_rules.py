"""`streams compare-rules` and `streams rules test`: what they print, and how they end."""

import json
from pathlib import Path

import pytest

from tests.cli.running import SMALL, streams, without_progress, write

RULES = """\
extends = "default"
name = "mine"
off = ["cart"]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a few events in it."""
    given = write(tmp_path / "small.jsonl", SMALL)
    assert 0 == streams("replay", given, "--data-dir", tmp_path / "data").exit_code
    return tmp_path / "data"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(RULES)
    return path


def test_equal_rules_are_the_same(data: Path) -> None:
    """Exit code 0: the rules in force are those that are shipped."""
    result = streams("compare-rules", "current", "default", "--data-dir", data)
    assert (0, "") == (result.exit_code, without_progress(result.stderr))
    assert "same: the two differ in no event and in no number" in result.stdout
    assert "the input was read once" in result.stdout


def test_other_rules_are_compared_for_people(data: Path, mine: Path) -> None:
    """Exit code 1; the matrix, both funnels, and the event that is read differently, with both reasons."""
    result = streams("compare-rules", "default", mine, "--data-dir", data)
    assert 1 == result.exit_code
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "5 events" in shown
    assert "different: 1 event (20.0%) is read differently" in shown
    assert "been in buy 1 0 -1" in shown
    assert "journeys converted 1 1" in shown
    assert any(line.startswith("1 event: buy (cart) -> ") for line in shown)
    assert any("track Product Added" in line and "[events:0 1]" in line for line in shown)
    assert any(line.startswith("A: buy 0.") and "by event rule cart: Product Added" in line for line in shown)


def test_a_comparison_for_machines(data: Path, mine: Path) -> None:
    """One object; with --samples 0 nothing of an event is in it."""
    result = streams("compare-rules", "default", mine, "--data-dir", data, "--json")
    found = json.loads(result.stdout)
    assert 1 == result.exit_code
    assert [
        "same", "one", "other", "since", "until", "events", "late", "verdicts", "changes", "unlisted",
        "one_funnel", "other_funnel", "unchecked", "cut", "slices",
    ] == list(found)  # fmt: skip
    assert (False, 5, 0, 1) == (found["same"], found["events"], found["late"], found["slices"])
    assert found["other"].startswith("mine-")
    (change,) = found["changes"]
    assert {"moment": "buy", "sure": True, "cue": None, "rule": "cart"} == change["one"]
    assert ("events", 0, 1, 0) == tuple(
        change["samples"][0][name] for name in ("topic", "partition", "offset", "index")
    )
    (bare,) = [
        json.loads(streams("compare-rules", "default", mine, "--data-dir", data, "--json", *flags).stdout)
        for flags in [("--samples", "0")]
    ]
    assert [] == bare["changes"][0]["samples"]
    assert "Product Added" not in json.dumps(bare)


def test_a_range_of_events(data: Path, mine: Path) -> None:
    """--from and --to are whole minutes, and are shown."""
    here = ["compare-rules", "default", str(mine), "--data-dir", str(data)]
    result = streams(*here, "--from", "2024-05-20T10:06:30Z", "--to", "2024-05-20T10:07:00Z")
    assert 0 == result.exit_code
    assert "1 event from 2024-05-20 10:06:00 up to 2024-05-20 10:07:00" in result.stdout
    wrong = streams(*here, "--from", "2024-05-20T10:06:30Z", "--to", "2024-05-20T10:06:50Z")
    assert (2, "") == (wrong.exit_code, wrong.stdout)
    assert "no whole minute lies between" in wrong.stderr


def test_files_are_compared_without_a_log(tmp_path: Path, mine: Path, data: Path) -> None:
    """--input gives what a replay of the files gives, and leaves nothing behind."""
    by_log = streams("compare-rules", "default", mine, "--data-dir", data, "--json")
    before = sorted(tmp_path.iterdir())
    by_file = streams("compare-rules", "default", mine, "--input", tmp_path / "small.jsonl", "--json")
    assert (1, by_log.stdout) == (by_file.exit_code, by_file.stdout)
    assert before == sorted(tmp_path.iterdir())


def test_files_of_which_nothing_can_be_read(tmp_path: Path, mine: Path) -> None:
    """There is nothing to compare by: exit code 2."""
    given = write(tmp_path / "other.jsonl", ['{"no": "event"}'])
    result = streams("compare-rules", "default", mine, "--input", given)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "other.jsonl" in result.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("default", "nowhere.toml"), "rules file nowhere.toml cannot be read"),
        (("current", "default", "--input", "x.jsonl"), "files have no rules in force"),
        (("default", "default", "--input", "x.jsonl", "--data-dir", "d"), "give one of them"),
        (("default", "default", "--format", "csv"), "give --input, too"),
        (("default", "default", "--input", "x.jsonl"), "x.jsonl"),
        (("default", "default", "--memory", "much"), "--memory much: write a size"),
        (("default", "default", "--from", "soon"), "--from soon: is no time"),
        (("default", "default", "--data-dir", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_command_is_refused(
    given: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is wrong, and exit code 2."""
    monkeypatch.chdir(tmp_path)
    result = streams("compare-rules", *given)
    assert (2, "") == (result.exit_code, result.stdout)
    assert message in result.stderr


def test_examples_that_hold(tmp_path: Path) -> None:
    """Exit code 0, and how many there are."""
    table = tmp_path / "pinned.tsv"
    table.write_text("kind\ttext\tmoment\nevent\tProduct Added\tbuy\n")
    result = streams("rules", "test", table)
    assert (0, "") == (result.exit_code, result.stderr)
    assert result.stdout.startswith("1 of 1 example right by default-")


def test_examples_that_do_not_hold(tmp_path: Path, mine: Path) -> None:
    """Exit code 1; each line says where it stands, what read it, and what would be right."""
    table = tmp_path / "pinned.tsv"
    table.write_text(
        "kind\ttext\tmoment\tconfidence\n"
        "event\tProduct Viewed\tbuy\n"
        "event\tProduct Viewed\tknow\tunsure\n"
        "event\tProduct Added\tbuy\n"
    )
    result = streams("rules", "test", table, "--rules", mine)
    assert 1 == result.exit_code
    one, two, *_ = result.stdout.splitlines()
    assert one.startswith(f'{table}:2: event "Product Viewed" is know, sure (event rule product, 0.')
    assert one.endswith("right is buy")
    assert two.endswith("right is know, unsure")
    report = json.loads(streams("rules", "test", table, "--rules", mine, "--json").stdout)
    assert ("rules", "examples", "wrong") == tuple(report)
    assert 2 == report["wrong"][0]["example"]["line"]
    assert ["buy"] == report["wrong"][0]["example"]["moments"]


def test_a_wrong_table_of_examples(tmp_path: Path) -> None:
    """Exit code 2, with the file and the line."""
    table = tmp_path / "pinned.tsv"
    table.write_text("kind\ttext\tmoment\nevent\tProduct Added\tbye\n")
    result = streams("rules", "test", table)
    assert (2, "") == (result.exit_code, result.stdout)
    assert f"{table}:2: moment 'bye'" in result.stderr
    table.write_bytes(b"kind\ttext\tmoment\nevent\tcaf\xe8\tbuy\n")
    assert f"{table}:2: is not UTF-8 text" in streams("rules", "test", table).stderr
    missing = streams("rules", "test", tmp_path / "nowhere.tsv")
    assert (2, "") == (missing.exit_code, missing.stdout)
    assert "nowhere.tsv cannot be read" in missing.stderr
