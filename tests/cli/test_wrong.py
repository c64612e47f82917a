"""A wrong command or a damaged file ends with a message and an exit code, never with a traceback."""

import gzip
import json
import os
from pathlib import Path

import pytest

from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.sqlite.log import SqliteLog
from tests.cli.running import ROOT, SMALL, TIMEOUT_S, event, lines, process, streams, write

ROWS = "who,what,when\nann,catalog,2024-05-20 10:00:00\n"
STRICT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}
CSV = ["--format", "csv", "--map", "anonymousId=who", "--map", "event=what", "--map", "timestamp=when"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with some files."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "small.jsonl", SMALL)
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bad.toml").write_text('[[event]]\nname = "x"\nmoment = "maybe"\n')
    (tmp_path / "worse.toml").write_text("[[")
    (tmp_path / "plain.txt").write_text("hello")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["replay", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["replay", "small.jsonl", "nowhere"], "'nowhere' does not exist"),
        (["replay", "rows.csv", *CSV[:-1], "timestamp=time"],
        "no column 'time' (mapped to timestamp); the header's columns: who, what, when"),
        (["replay", "empty.csv", *CSV], "the file is empty"),
        (["replay", "rows.csv", "--map", "colour=what"], "--map colour=what: 'colour' is no field"),
        (["replay", "rows.csv", "--map", "what"], "--map what: write FIELD=PATH"),
        (["replay", "rows.csv", *CSV, "--map", "event=who"], "event is already mapped to what"),
        (["replay", "rows.csv", *CSV[:-2]],
        "--map: nothing is mapped to timestamp (when an event happened)"),
        (["replay", "rows.csv", "--map", "timestamp=when"],
        "--map: nothing is mapped to userId or anonymousId (who it was)"),
        (["run", "small.jsonl", "--map", "timestamp=when"],
        "nothing is mapped to userId or anonymousId"),
        (["replay", "small.jsonl", "--format", "segment", "--map", "userId=a", "--map", "timestamp=b"],
        "--format segment: has fields of its own: a mapping is for the format mapping"),
        (["replay", "small.jsonl", "--format", "mapping"], "by a mapping, and there is none"),
        (["replay", "small.jsonl", "--format", "xml"], "--format xml: is no format; there are: auto,"),
        (["replay", "small.jsonl", "--zone", "Rome"], "--zone Rome: is no time zone: write its IANA name"),
        (["run", "small.jsonl", "--zone", "Rome"], "--zone Rome: is no time zone: write its IANA name"),
        (["replay", "small.jsonl", "--rules", "nowhere.toml"], "rules file nowhere.toml cannot be read"),
        (["replay", "small.jsonl", "--rules", "bad.toml"], "rules file bad.toml"),
        (["replay", "small.jsonl", "--rules", "worse.toml"], "rules file worse.toml"),
        (["replay", "small.jsonl", "--partitions", "0"], "partitions = 0"),
        (["--config", "nowhere.toml", "check-config"], "settings file nowhere.toml does not exist"),
        (["--config", "worse.toml", "check-config"], "is not TOML"),
        (["check-config", "--rules", "bad.toml"], "maybe"),
        (["explain", "x", "--rules", "bad.toml"], "maybe"),
        (["run", "nowhere.jsonl"], "'nowhere.jsonl' does not exist"),
        (["run", "small.jsonl", "--app", "shop"],
        "--app is for a worker on Kafka: give --kafka HOST:PORT too"),
        (["run", "--input", "clicks"], "--input is for a worker on Kafka"),
        (["run", "--agents", "mine.py"], "--agents is for a worker on Kafka"),
        (["run", "--web-port", "7000"], "--web-port is for a worker on Kafka"),
        (["run", "--kafka", "b:9092", "small.jsonl"],
        "PATH is for files; a worker on Kafka reads the topics of --input"),
        (["run", "--kafka", "b:9092", "--format", "csv"], "--format is for files"),
        (["run", "--kafka", "b:9092", "--map", "event=what"], "--map is for files"),
        (["run", "--kafka", "b:9092", "--zone", "UTC"], "--zone is for files"),
        (["run", "--kafka", "b:9092", "--data-dir", "d"], "--data-dir is for files"),
        (["run", "--kafka", "b:9092", "--partitions", "3"], "--partitions is for files"),
        (["run", "--kafka", "b:9092", "--app", "shop"],
        "kafka.inputs is missing (the topics to read): give --input TOPIC"),
        (["run", "--kafka", "b", "--app", "shop"], "is no address: write host:port"),
        (["funnel", "--data-dir", "nowhere"], "is not a data directory"),
        (["verify", "--data-dir", "nowhere"], "is not a data directory"),
        (["funnel", "--data-dir", "d", "--kafka", "b:9092"],
        "give either the directory or the other two"),
        (["journey", "ann", "--data-dir", "d", "--app", "shop"],
        "give either the directory or the other two"),
        (["late", "--app", "shop"], "kafka.bootstrap is missing (the address of a broker): give --kafka"),
        (["rejected", "--kafka", "b:9092"], "kafka.app is missing"),
        (["lag", "--app", "shop"], "kafka.bootstrap is missing"),
        (["lag", "--input", "clicks"], "kafka.bootstrap is missing"),
        (["app", "compare", "--data-dir", "d"], "kafka.bootstrap is missing"),
        (["transitions", "--limit", "0"], "'--limit'"),
        (["transitions", "--follow"], "--follow: it prints everything as it comes: with --json"),
        (["transitions", "--follow", "--json", "--net"], "corrections included: without --net"),
        (["transitions", "--since", "yesterday"], "--since yesterday: is no time: write a time such as"),
        (["late", "--until", "soon"], "--until soon: is no time"),
        (["journeys", "--since", "1h", "--until", "2h"], "nothing lies between: give the earlier time first"),
        (["rejected", "--follow"], "--follow: it prints everything as it comes: with --json"),
        (["late", "--follow", "--json", "--until", "1h"], "without --limit and --until"),
        (["funnel", "--last", "soon"], "--last soon: is no duration"),
        (["funnel", "--until", "1h"], "--until ends a window: give its length too, such as --last 1h"),
        (["dance"], "No such command"),
        (["journey"], "Missing argument"),
        (["explain", "\udcff"], "b'\\xff' is not UTF-8 text"),
        (["explain", "\udcff", "--search", "--json"], "is not UTF-8 text"),
        (["explain", '{"event": "\udcff"}'], "is not UTF-8 text"),
        (["explain", "x", "--locale", "\udcff"], "is not UTF-8 text"),
        (["journey", "ann\udcff"], "b'ann\\xff' is not UTF-8 text"),
        (["funnel", "--by", "\udcff"], "is not UTF-8 text"),
        (["transitions", "--kind", "\udcff"], "is not UTF-8 text"),
        (["replay", "rows.csv", *CSV, "--map", "name=\udcff"], "is not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_wrong_command(here: Path, command: list[str], message: str) -> None:
    """A wrong command ends with exit code 2 and a message on standard error; standard output stays empty."""
    result = streams(*command)
    assert (2, "") == (result.exit_code, result.stdout)
    assert message in result.stderr
    assert not (here / "data").exists()


def test_a_damaged_data_directory(here: Path) -> None:
    """A file that is no log is not changed."""
    (here / "data").mkdir()
    (here / "data" / "log.sqlite").write_text("no log " * 1_000)
    assert 2 == streams("funnel").exit_code
    assert 2 == streams("replay", "small.jsonl").exit_code
    assert (here / "data" / "log.sqlite").read_text().startswith("no log")


def test_other_settings_than_the_datas(here: Path) -> None:
    """A start with other partitions or other fold settings ends with exit code 3 and names what differs."""
    assert 0 == streams("replay", "small.jsonl", "--partitions", "2").exit_code
    other = streams("replay", "small.jsonl", "--partitions", "3")
    assert (3, True) == (other.exit_code, "2 partition" in other.stderr)
    (here / "streams.toml").write_text('[patience]\nbuy = "2h"\n')
    other = streams("replay", "small.jsonl")
    assert (3, True) == (other.exit_code, "patience.buy: stored 1h, given 2h" in other.stderr)


def test_names_of_files_may_be_any_bytes(here: Path) -> None:
    """Bytes that are no text are shown as escapes, also on a terminal that takes only text."""
    odd = "odd\udcff"
    (found,) = lines("check-config", "--data-dir", odd, "--json")
    assert r"odd\udcff" == found["settings"]["data_dir"]
    shown = process("check-config", "--data-dir", odd, cwd=here, env=STRICT)
    out, err = shown.communicate(timeout=TIMEOUT_S)
    assert (0, b"", True) == (shown.returncode, err, rb"odd\udcff" in out)


def test_a_truncated_gzip(here: Path) -> None:
    """The readable part of a damaged file counts; its lost end is one rejection."""
    whole = gzip.compress(
        "".join(
            json.dumps(event(f"p{n}", "Product Viewed", "10:00:00")) + "\n" for n in range(5_000)
        ).encode()
    )
    (here / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert 0 == streams("replay", "cut.jsonl.gz").exit_code
    (found,) = lines("funnel", "--json")
    assert 1 == found["events"]["rejected"]
    assert 1_000 < found["events"]["applied"] == found["events"]["received"] - 1


def test_bad_records_stop_nothing(here: Path) -> None:
    """Each broken record is one rejection, and the records around it are applied."""
    good = event("ann", "Product Viewed", "10:00:00")
    bad = [
        "{", "\x00", json.dumps(good | {"timestamp": "yesterday"}),
        json.dumps(good | {"userId": ""}), "[" * 100_000, json.dumps(good | {"userId": "x" * 2_000_000}),
        '{"userId": "\\ud800"}',
    ]  # fmt: skip
    write(here / "bad.jsonl", [good, *bad, event("bob", "Product Viewed", "10:00:00")])
    assert 0 == streams("replay", "bad.jsonl").exit_code
    (found,) = lines("funnel", "--json")
    assert (2, len(bad)) == (found["events"]["applied"], found["events"]["rejected"])


async def test_bytes_that_are_not_utf8_are_counted(here: Path) -> None:
    """An event with such bytes is applied and counted as repaired, by `verify` too; one without a name of its
    own is rejected.
    """
    good = [json.dumps(event(f"p{n}", "Product Viewed", "10:00:00", note="x")).encode() for n in range(5)]
    odd = [line.replace(b'"note": "x"', b'"note": "\xff"') for line in good[1:3]]
    bad = [line.replace(b'"userId": "', b'"userId": "\xff') for line in good[3:4]]
    (here / "odd.jsonl").write_bytes(b"\n".join([good[0], *odd, *bad, good[4]]) + b"\n")
    process("replay", "odd.jsonl", "--partitions", "2", cwd=here).communicate(timeout=TIMEOUT_S)
    verified = process("verify", cwd=here).communicate(timeout=TIMEOUT_S)
    assert b"equal: 5 records" in verified[0], verified
    reader = SqliteLog.read_only(here / "data")
    counts = [decode_checkpoint(raw).counts for raw in await reader.checkpoints() if raw is not None]
    await reader.close()
    assert (4, 1) == tuple(sum(getattr(count, name) for count in counts) for name in ("applied", "rejected"))
    assert 2 == sum(count.repaired.get("encoding", 0) for count in counts)


def test_a_file_of_which_nothing_could_be_read(here: Path) -> None:
    """A replay of a wrong file ends with exit code 2 after its report; what was there stays."""
    assert 0 == streams("replay", "small.jsonl").exit_code
    before = streams("transitions", "--json").stdout
    (here / "wrong.csv").write_text("who,what\nann,looked\nbob,bought\n")
    result = streams("replay", "wrong.csv")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "2 (2 unknown_format) could not be read" in result.stderr
    assert "'wrong.csv' is not what it was read as (--format): none of its events" in result.stderr
    assert before == streams("transitions", "--json").stdout
    (here / "empty.jsonl").write_text("")
    assert 0 == streams("replay", "empty.jsonl").exit_code


def test_what_is_typed_is_not_trusted(here: Path) -> None:
    """Markup and line breaks in events are shown as text."""
    write(here / "odd.jsonl", [event("[red]ann[/red]", "Product Viewed", "10:00:00")])
    streams("replay", "odd.jsonl")
    assert "[red]ann[/red]" in streams("journey", "[red]ann[/red]").stdout
    assert "[red]ann[/red]" in streams("transitions").stdout
    assert 1 == streams("journey", "[/]").exit_code
    assert "[/bold]" in streams("explain", "[/bold]").stdout


def test_a_dead_letter_is_one_line(here: Path) -> None:
    """A dead letter is one line, whatever it holds: control characters are escapes, markup is text."""
    write(here / "odd.jsonl", ['\x1b[2J[red]"', '{"type": "\\u001b[2J[red]"}'])
    streams("replay", "odd.jsonl")
    shown = streams("rejected").stdout
    assert r"\x1b[2J[red]" in shown
    assert "\x1b" not in shown
    assert ["binary", "unknown_format"] == [entry["reason"] for entry in lines("rejected", "--json")]


def test_only_an_app_has_a_record() -> None:
    """`app describe` asks for a cluster, and not for a data directory, when neither is named."""
    result = streams("app", "describe")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "give --kafka HOST:PORT" in result.stderr


def test_only_an_app_has_partitions_to_exclude() -> None:
    """`app exclude` asks for a cluster, and for a time to wait that can be read."""
    result = streams("app", "exclude", "1")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "give --kafka HOST:PORT" in result.stderr
    result = streams("app", "exclude", "1", "--timeout", "soon")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--timeout soon: is no duration" in result.stderr


def test_an_app_is_not_compared_with_itself() -> None:
    """That would always be the same."""
    result = streams("app", "compare", "shop", "--kafka", "127.0.0.1:1", "--app", "shop")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "name another one" in result.stderr
