"""What `streams verify` prints, and what it needs."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from streams.core.ingest import door
from streams.core.ingest.formats import FORMATS
from streams.log.sqlite.log import SqliteLog
from streams.records import Batch, Output
from streams.topology import TRANSITIONS
from tests.cli.running import lines, streams


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
        "slices": 1, "devices": 0,
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
