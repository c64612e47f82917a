"""Inputs that do not end, appended to a log that a test can read and stop."""

import asyncio
import gzip
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from streams.core.ingest.door import InputDoor
from streams.errors import InputError
from streams.records import Headers, Source
from streams.runtime.following import Follower
from streams.sources.input_file import InputFormat

LINES = InputFormat()
CSV = InputFormat(InputDoor("mapping", {"event": "name", "userId": "who", "timestamp": "at"}))


class Appended:
    """What was appended, with the positions as a log keeps them."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.positions: dict[str, int] = {}
        self.failure: Exception | None = None

    async def append(self, records: list[tuple[bytes, Headers]], source: Source | None) -> None:
        if self.failure is not None:
            raise self.failure
        self.values += [value for value, _ in records]
        if source is not None:
            assert self.positions.get(source.name, 0) == source.start
            self.positions[source.name] = source.end

    async def position(self, name: str) -> int:
        return self.positions.get(name, 0)

    def follower(self, *paths: Path, format: InputFormat = LINES, stdin: BinaryIO | None = None) -> Follower:
        return Follower(paths, stdin, format, append=self.append, position=self.position)


def write(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


async def test_whole_lines_are_taken_once(tmp_path: Path) -> None:
    """A line counts when its end has come, and the next follower goes on behind it."""
    log, path = Appended(), tmp_path / "clicks"
    write(path, b"1\n2\n3")
    follower = log.follower(path)
    assert [2, 0] == [await follower.take(), await follower.take()]
    write(path, b"\n4\n")
    assert 2 == await follower.take()
    follower.close()
    write(path, b"5\n")
    follower = log.follower(path)
    assert 1 == await follower.take()
    follower.close()
    assert [b"1", b"2", b"3", b"4", b"5"] == log.values


async def test_a_failed_append_is_done_again(tmp_path: Path) -> None:
    """The position of a file moves when its records are appended, and not before."""
    log, path = Appended(), tmp_path / "clicks"
    write(path, b"1\n")
    follower = log.follower(path)
    log.failure = InputError("the disk is full")
    with pytest.raises(InputError, match="full"):
        await follower.take()
    log.failure = None
    assert 1 == await follower.take()
    follower.close()


async def test_a_new_file_of_a_directory_is_found(tmp_path: Path) -> None:
    """A file that takes the place of another one is a new file; the old one is read to its end before."""
    log, path = Appended(), tmp_path / "clicks"
    write(path, b"1\n")
    follower = log.follower(tmp_path)
    await follower.take()
    write(tmp_path / "more", b"2\n")
    await follower.take()
    write(path, b"3\n")
    path.rename(tmp_path / ".rotated")
    write(path, b"4\n")
    for _ in range(3):
        await follower.take()
    follower.close()
    assert [b"1", b"2", b"3", b"4"] == log.values


async def test_a_compressed_file_is_taken_once(tmp_path: Path) -> None:
    """It does not grow, so it is whole when it is there."""
    log, path = Appended(), tmp_path / "clicks.gz"
    path.write_bytes(gzip.compress(b"1\n2\n"))
    for _ in range(2):
        follower = log.follower(path)
        await follower.take()
        await follower.take()
        follower.close()
    assert [b"1", b"2"] == log.values


async def test_later_rows_of_a_table_are_read_by_its_header(tmp_path: Path) -> None:
    """A follower that goes on in the middle of a table knows its columns."""
    log, path = Appended(), tmp_path / "clicks.csv"
    write(path, b"at,who,name\n2025-01-01T00:00:00Z,ann,Looked\n")
    for row in (b"", b"2025-01-01T00:00:01Z,bob,Bought\n"):
        write(path, row)
        follower = log.follower(path, format=CSV)
        assert 1 == await follower.take()
        follower.close()
    assert [b"ann" in log.values[0], b"bob" in log.values[1]] == [True, True]


async def test_standard_input_ends(tmp_path: Path) -> None:
    """Its last line counts without an end. Its table has one header, however it is cut."""
    log = Appended()
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin:
        follower = log.follower(format=CSV, stdin=stdin)
        os.write(writing, b"at,who,name\n2025-01-01T00:00:00Z,ann,Looked\n")
        while not log.values:
            await asyncio.sleep(0.001)
            await follower.take()
        os.write(writing, b"2025-01-01T00:00:01Z,bob,Bought")
        os.close(writing)
        while not follower.ended:
            await asyncio.sleep(0.001)
            await follower.take()
        assert 2 == len(log.values)


async def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(InputError, match="nothing"):
        await Appended().follower(tmp_path / "nothing").take()
