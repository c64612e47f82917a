"""How the rows of a finite input come into a data directory: in which order, and from which row on.

A finite input whose rows are nearly in order of time is appended as it is given, any other is sorted. The log
keeps how many rows of which order it has, in the commit that has the rows. So a replay that was killed goes
on in the order in which it was begun.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from enum import Enum
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from streams.clock import Clock
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.errors import InputError, Unavailable
from streams.log.sqlite.log import SqliteLog
from streams.records import Headers, Source
from streams.runtime.parameters import record_reader
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput, OnRows, ReadRow, Survey, timed
from streams.sources.sorting import MAX_MERGED, RUN_BYTES, Sorter, TimedRow, without
from streams.topology import EVENTS

# Rows that are appended at once have about so many bytes at most: they are in memory several times over.
_APPEND_BYTES = 16 << 20
GIGABYTE = 1e9


class RowOrder(Enum):
    """The order in which a replay appends its rows."""

    AS_GIVEN = "as given"  # the files in order of time, each from its first row to its last
    SORTED = "sorted"
    # Sorted, without the rows that the log holds: a replay was begun as given, and now rows are given in
    # another order.
    REST = "rest"


class Plan(NamedTuple):
    """What a replay has to append."""

    order: RowOrder
    name: str  # under which the log keeps how many rows it has
    held: int  # rows that it has


class Chunk(NamedTuple):
    """Rows that are appended at once."""

    rows: list[tuple[bytes, Headers]]
    source: Source
    start_ms: int | None  # no event here or later is older; None: rows are as given


def ignore_rows(rows: int, read_bytes: int, total_bytes: int) -> None:
    """What to call with the rows that are done where nobody wants to know."""


def row_reader(reader: RecordReader) -> ReadRow:
    """What reads a row whatever the time is now, so that a later start finds it at the same place."""
    return lambda value, headers: reader.read(value, headers, -1, LATEST_MS)


def look_at(given: FiniteInput, settings: Settings, clock: Clock, on_rows: OnRows = ignore_rows) -> Survey:
    """Looks at a finite input as a replay under these settings does, before it opens the data directory."""
    reader = record_reader(settings)
    return given.look(row_reader(reader), settings.tenant, clock.wall_ms() + settings.skew, on_rows)


def plan_of(survey: Survey, held: Mapping[str, int], allowed_lateness_ms: int) -> Plan:
    """What is left of this input. `held`: how many rows the log has, by name, of names that begin so."""
    rest = f"{survey.name}:rest"
    for name, rows in held.items():
        if rows == survey.rows and name != rest:
            return Plan(RowOrder.AS_GIVEN, name, rows)
    if survey.name in held:
        return Plan(RowOrder.SORTED, survey.name, held[survey.name])
    if survey.ordered_name in held and rest not in held:
        return Plan(RowOrder.AS_GIVEN, survey.ordered_name, held[survey.ordered_name])
    if held:
        return Plan(RowOrder.REST, rest, held.get(rest, 0))
    if survey.is_in_order(allowed_lateness_ms):
        return Plan(RowOrder.AS_GIVEN, survey.ordered_name, 0)
    return Plan(RowOrder.SORTED, survey.name, 0)


class Replay:
    """The rows of a finite input on their way into a data directory. Close it: it may have files on disk."""

    def __init__(self, given: FiniteInput, plan: Plan, read: ReadRow, directory: Path) -> None:
        assert given.survey is not None
        self._given, self._survey, self._read, self._directory = given, given.survey, read, directory
        self.plan = plan
        self.bytes_read, self.total_bytes = 0, 0  # of what is appended; the unit is the order's own
        self._open = ExitStack()
        self._rows: Iterator[TimedRow] = iter(())

    async def sort(self, log: SqliteLog, on_rows: OnRows) -> None:
        """Sorts the rows, if they are. Raises Unavailable if there is no room for that on disk."""
        if self.plan.order is RowOrder.AS_GIVEN or self.plan.held == self._survey.rows:
            return
        _check_space(self._directory, self._survey)
        rows = self._sorter()
        count = 0
        for row in self._given.timed_rows(self._read, on_rows):
            rows.add(row)
            count += 1
        self._check_count(count)
        self._rows = rows.merged()
        if self.plan.order is RowOrder.REST:
            held = self._sorter()
            async for _, record in log.scan(EVENTS.name):
                held.add(timed(self._read, record.value or b"", record.headers))
            self._rows = without(self._rows, held.merged())

    def _sorter(self) -> Sorter:
        sorter = Sorter(self._directory)
        self._open.callback(sorter.close)
        return sorter

    def close(self) -> None:
        """Gives the space on disk back."""
        self._open.close()

    def chunks(self, most: int) -> Iterator[Chunk]:
        """What is left to append: at most so many rows at once, and of bounded size."""
        number = self.plan.held
        if number == self._survey.rows:
            return
        if self.plan.order is RowOrder.AS_GIVEN:
            self.total_bytes = self._given.total_bytes
            for values in _some(islice(self._given.rows(), number, self._survey.rows), most):
                self.bytes_read = self._given.read_bytes
                yield Chunk(values, Source(self.plan.name, number, number + len(values)), None)
                number += len(values)
            self._check_count(number)
            return
        self.total_bytes = self._survey.stored_bytes
        skipped = number if self.plan.order is RowOrder.SORTED else 0
        for row in islice(self._rows, skipped):
            self.bytes_read += row.stored_bytes
        while first := next(self._rows, None):
            values = next(_some(self._from(first), most))
            yield Chunk(values, Source(self.plan.name, number, number + len(values)), first.time_ms)
            number += len(values)
        if self.plan.order is RowOrder.REST:
            yield Chunk([], Source(self._survey.name, 0, self._survey.rows), None)

    def _check_count(self, rows: int) -> None:
        """Raises InputError if the files have another number of rows than when they were looked at."""
        if rows != self._survey.rows:
            raise InputError(
                f"the files have changed since they were looked at: they had {self._survey.rows:,} rows "
                f"then, and have {rows:,} now. Replay files that nobody writes to any more"
            )

    def _from(self, first: TimedRow) -> Iterator[tuple[bytes, Headers]]:
        for row in chain((first,), self._rows):
            self.bytes_read += row.stored_bytes
            yield row.value, row.headers


def _some(rows: Iterator[tuple[bytes, Headers]], most: int) -> Iterator[list[tuple[bytes, Headers]]]:
    """Rows in pieces of at most so many, each of about _APPEND_BYTES at most."""
    while True:
        found, size = [], 0
        for row in islice(rows, most):
            found.append(row)
            size += len(row[0])
            if size >= _APPEND_BYTES:
                break
        if not found:
            return
        yield found


def _check_space(directory: Path, survey: Survey) -> None:
    """Raises Unavailable if there is no room to store the rows, twice where runs are merged in between."""
    copies = 1 if survey.stored_bytes < MAX_MERGED * RUN_BYTES // 2 else 2
    needed, free = copies * survey.stored_bytes, shutil.disk_usage(directory).free
    if needed > free:
        raise Unavailable(
            f"the events are out of order, and sorting them takes {needed / GIGABYTE:.1f} GB in {directory}, "
            f"where {free / GIGABYTE:.1f} GB are free: free some, name a data directory on a larger disk, or "
            "give a file that is in order of time"
        )
