"""Records that were not applied are reported after a replay, and shown by `rejected` and `late`."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streams.cli import progress
from streams.core.moments.rules import default_rules
from streams.runtime.embedded import Embedded, Progress
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from tests.cli.running import event, lines, streams, write
from tests.cli.test_processes import many

BUSY = 300  # signals of one person, more than are held of anybody
LATER = [
    event("zoe", "Product Viewed", "10:00:00") | {"timestamp": f"2024-06-0{day}T10:00:00Z"}
    for day in (1, 2, 3)
]


def busy() -> list[dict[str, Any]]:
    """Somebody with more signals than are kept of one person, and then one that is older than all of them."""
    return [event("max", "Product Viewed", f"10:{n // 60:02d}:{n % 60:02d}") for n in range(1, BUSY)] + [
        event("max", "Product Viewed", "10:00:00")
    ]


def replayed(here: Path, *records: dict[str, Any] | str, partitions: int = 1) -> str:
    """The report after a replay of these records."""
    result = streams(
        "replay",
        write(here / f"{len(records)}.jsonl", records),
        "--data-dir",
        here / "data",
        "--partitions",
        partitions,
    )
    assert result.exit_code == 0, result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("held", "records", "reported", "not_reported"),
    [
        (
            [LATER[0]],
            [event("ann", "Product Viewed", "10:00:00")],
            [
                "1 (1 lateness) came too late",
                "held events up to 2024-06-01 10:00:00",
                "`streams late --data-dir",
                "into a new data directory",
            ],
            ["over_cap"],
        ),
        (
            [],
            busy(),
            ["1 (1 over_cap) came too late", "very busy person"],
            ["lateness", "into a new data directory"],
        ),
        (
            [],
            [LATER[0], "{", "}", '{"type": "dance"}'],
            ["3 (2 undecodable, 1 unknown_format) could not be read", "`streams rejected --data-dir"],
            ["late"],
        ),
        ([], [LATER[0]], ["1 event replayed"], ["late", "rejected"]),
    ],
    ids=["lateness", "over cap", "rejected", "all well"],
)
def test_the_report_of_a_replay(
    tmp_path: Path,
    held: list[dict[str, Any] | str],
    records: list[dict[str, Any] | str],
    reported: list[str],
    not_reported: list[str],
) -> None:
    """Records that were not applied are counted by reason, and the
    report names the command that shows them.
    """
    if held:
        replayed(tmp_path, *held)
    report = replayed(tmp_path, *records).replace(str(tmp_path), "")
    assert [] == [words for words in reported if words not in report]
    assert [] == [words for words in not_reported if words in report]


def test_a_replay_reports_its_own_records(tmp_path: Path) -> None:
    """A replay does not report the dead letters of earlier replays."""
    replayed(tmp_path, "{", LATER[0])
    report = replayed(tmp_path, event("ann", "Product Viewed", "10:00:00"), "{", "}")
    assert "2 (2 undecodable) could not be read" in report
    assert "1 (1 lateness) came too late" in report


@pytest.mark.parametrize("partitions", [1, 3])
def test_dead_letters_for_machines(tmp_path: Path, partitions: int) -> None:
    """Each dead letter is one object, with typed fields and the record as it came."""
    bad, old = '{"type": "dance", "userId": "é"}', event("zoe", "Product Viewed", "10:00:00")
    replayed(tmp_path, "{", bad, LATER[0], partitions=partitions)
    replayed(tmp_path, old, partitions=partitions)
    undecodable, unknown = sorted(
        lines("rejected", "--data-dir", tmp_path / "data", "--json"),
        key=lambda letter: str(letter["reason"]),
    )
    where = ["topic", "partition", "offset", "index", "cut"]
    assert ["reason", "detail", *where, "appended", "read_with", "value"] == list(unknown)
    assert ("unknown_type", False, bad) == (unknown["reason"], unknown["cut"], unknown["value"])
    assert ("undecodable", 0, 0, "{") == (
        undecodable["reason"],
        undecodable["partition"],
        undecodable["offset"],
        undecodable["value"],
    )
    (late,) = lines("late", "--data-dir", tmp_path / "data", "--json")
    assert [
        "reason",
        "late_s",
        "profile",
        "event",
        "at",
        *where[:-1],
        "form",
        "device",
        "cut",
        "left_out",
        "read_with",
        "value",
    ] == list(late)
    assert ("lateness", 12 * 86_400.0, "u:zoe", old["messageId"], "2024-05-20T10:00:00.000Z", False) == tuple(
        late[name] for name in ("reason", "late_s", "profile", "event", "at", "cut")
    )


def test_a_long_record_is_cut(tmp_path: Path) -> None:
    """A record longer than the bound is cut, and `cut` is true."""
    replayed(tmp_path, LATER[0], "x" * 100_000)
    (letter,) = lines("rejected", "--data-dir", tmp_path / "data", "--json")
    assert (True, 64 * 1024) == (letter["cut"], len(letter["value"]))


def test_dead_letters_for_people(tmp_path: Path) -> None:
    """Reasons with their counts come first, then the newest records, in at most 100 columns.

    None is one line.
    """
    here = ("--data-dir", tmp_path / "data")
    replayed(tmp_path, *LATER)
    assert "0 rejected records\n" == streams("rejected", *here).stdout
    assert "0 late records\n" == streams("late", *here).stdout
    assert [] == lines("late", *here, "--json")
    replayed(tmp_path, *['{"type": "dance"}'] * 30, "{", event("ann", "Product Viewed", "10:00:00"))
    shown = streams("rejected", *here).stdout
    rows = shown.splitlines()
    assert (["30", "unknown_format"], ["1", "undecodable"]) == (rows[0].split(), rows[1].split())
    assert "the latest 20 of 31 rejected records" in shown
    assert 19 == shown.count('{"type": "dance"}')
    assert max(map(len, rows)) <= 100
    shown = streams("late", *here).stdout
    assert [] == [
        words
        for words in ("lateness", "u:ann at 2024-05-20 10:00:00", "14 d behind", "1 late record")
        if words not in shown
    ]
    assert 1 == streams("rejected", *here, "--limit", 1).stdout.count("{")
    assert ["{"] == [letter["value"] for letter in lines("rejected", *here, "--limit", 1, "--json")]


def test_progress_has_one_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count of a resumed replay begins at the beginning of the file, like its percentage."""
    file, data, total = many(tmp_path / "many.jsonl", 9_000), tmp_path / "data", 9_000

    async def half() -> None:
        embedded = await Embedded.open(Settings(data_dir=data, batch=500), default_rules())

        def stop(progress: Progress) -> None:
            if progress.records >= total / 2:
                raise KeyError

        with pytest.raises(KeyError):
            await embedded.replay(FiniteInput([file], InputFormat(is_marked=True)), stop)
        await embedded.close()

    asyncio.run(half())
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0)
    monkeypatch.setenv("STREAMS_BATCH", "500")
    result = streams("replay", file, "--data-dir", data)
    report = [line.split() for line in result.stderr.splitlines() if line.startswith("replay many.jsonl: ")]
    assert 9 == len(report)
    for _, _, percent, count, *_ in report:
        # A file is read some way ahead.
        assert 0 <= int(percent.strip("%,")) / 100 - int(count.replace(",", "")) / total < 0.25
    assert "4,500 had been replayed before" in result.stderr


def test_an_offset_is_never_without_its_partition(tmp_path: Path) -> None:
    """Where there are several, also if all records shown are of partition 0."""
    for partitions, heading in ((1, "offset"), (4, "partition:offset")):
        here = tmp_path / str(partitions)
        here.mkdir()
        replayed(here, event("zoe", "Product Viewed", "10:00:00"), "{", partitions=partitions)
        shown = streams("rejected", "--data-dir", here / "data", "--limit", 1).stdout
        assert heading in shown.split()
