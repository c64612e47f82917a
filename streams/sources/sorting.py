"""Sorts rows by time on disk, in bounded memory: an external merge sort.

    add ... add  ->  runs of RUN_BYTES, each sorted  ->  merged(): all rows in order

Rows of one time are ordered by their bytes, so the order depends on the set of rows alone. The files have no
names, so the system removes them when the process ends, however it ends.
"""

import heapq
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, cast

import msgspec

from streams.errors import Unavailable
from streams.records import Headers

# A run is sorted in memory: larger ones make fewer files, and this leaves most of 512 MB to the rest.
RUN_BYTES = 96 << 20
ROW_OVERHEAD_BYTES = 250  # of a row in memory beside its bytes, measured with tracemalloc
# Runs that are merged at once: each is an open file, and on some systems a process may have 256 of them.
MAX_MERGED = 64
BUFFER_BYTES = 64 * 1024  # of each run that is merged: 4 MiB for MAX_MERGED of them

_LENGTHS = struct.Struct(">qII")  # of a stored row: its time, the lengths of its value and of its headers
STORED_OVERHEAD_BYTES = _LENGTHS.size

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode
_NO_HEADERS = _encode_headers(())


class TimedRow(NamedTuple):
    """A row with its time: rows compare by time, value and headers."""

    time_ms: int
    value: bytes
    stored_headers: bytes

    @property
    def headers(self) -> Headers:
        """The headers of the row."""
        return () if self.stored_headers == _NO_HEADERS else _decode_headers(self.stored_headers)

    @property
    def stored_bytes(self) -> int:
        """How many bytes it takes on disk."""
        return STORED_OVERHEAD_BYTES + len(self.value) + len(self.stored_headers)


def timed_row(time_ms: int, value: bytes, headers: Headers) -> TimedRow:
    """A row at this time, in milliseconds since 1970 UTC; it may be negative."""
    return TimedRow(time_ms, value, _encode_headers(headers) if headers else _NO_HEADERS)


class Sorter:
    """Takes rows in any order, and gives them back in order, once."""

    def __init__(self, directory: Path) -> None:
        """`directory`: where runs are stored, without names."""
        self._directory = directory
        self._rows: list[TimedRow] = []
        self._size = 0  # of those in memory
        self._levels: list[list[BinaryIO]] = []  # runs: each level of the one below

    def add(self, row: TimedRow) -> None:
        """Takes a row. Raises Unavailable when the disk is full."""
        self._rows.append(row)
        self._size += len(row.value) + len(row.stored_headers) + ROW_OVERHEAD_BYTES
        if self._size >= RUN_BYTES:
            self._rows.sort()
            self._add_run(self._rows, 0)
            self._rows, self._size = [], 0

    def merged(self) -> Iterator[TimedRow]:
        """All rows in order. No more can be added."""
        self._rows.sort()
        runs = [_stored_rows(run) for level in self._levels for run in level]
        yield from heapq.merge(*runs, self._rows)

    def close(self) -> None:
        """Gives the space on disk back."""
        for run in (run for level in self._levels for run in level):
            run.close()
        self._levels, self._rows = [], []

    def _add_run(self, rows: Iterable[TimedRow], number: int) -> None:
        """Stores sorted rows as a run of this level, and merges the level when it has too many."""
        if number == len(self._levels):
            self._levels.append([])
        level = self._levels[number]
        level.append(self._store(rows))
        if len(level) == MAX_MERGED:
            self._add_run(heapq.merge(*[_stored_rows(run) for run in level]), number + 1)
            for run in level:
                run.close()
            level.clear()

    def _store(self, rows: Iterable[TimedRow]) -> BinaryIO:
        run: BinaryIO | None = None
        try:
            opened = TemporaryFile(dir=self._directory, buffering=BUFFER_BYTES)  # noqa: SIM115  # `close`
            run = cast(BinaryIO, opened)
            for row in rows:
                run.write(_LENGTHS.pack(row.time_ms, len(row.value), len(row.stored_headers)))
                run.write(row.value)
                run.write(row.stored_headers)
            run.flush()
        except OSError as error:
            if run is not None:
                run.close()
            raise Unavailable(f"rows cannot be sorted in {self._directory}: {error.strerror}") from error
        return run


def _stored_rows(run: BinaryIO) -> Iterator[TimedRow]:
    run.seek(0)
    while head := run.read(_LENGTHS.size):
        time_ms, length, headers_length = _LENGTHS.unpack(head)
        yield TimedRow(time_ms, run.read(length), run.read(headers_length))


def without(rows: Iterator[TimedRow], others: Iterator[TimedRow]) -> Iterator[TimedRow]:
    """The rows that are not among the others, one for one. Both are in order."""
    other = next(others, None)
    for row in rows:
        while other is not None and other < row:
            other = next(others, None)
        if row == other:
            other = next(others, None)
        else:
            yield row
