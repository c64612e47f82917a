"""Compares the counters of two logs, partitions added up.

Only the last value of a counter is there. So where one has changed since the checkpoint, nobody knows what it
was, and the windows that begin when its own does are left out.
"""

from collections.abc import AsyncIterator, Sequence

import orjson

from streams.queries.compared_log import (
    Difference,
    HashSums,
    LogAt,
    add_hash,
    content_of_record,
    differing_stretches,
)
from streams.topology import TALLIES

OF_OPENINGS = ("cohort", "been_in")  # measures of the window in which a journey was opened


class ComparedCounters:
    """The counters of two logs, partitions added up."""

    def __init__(self, logs: Sequence[LogAt], windows: tuple[str, ...], *, oldest: str, until: str) -> None:
        """Windows of days are compared that begin at `oldest` or later and end before `until`: times in
        RFC 3339.
        """
        self._logs, self._windows, self._oldest, self._until = logs, windows, oldest, until
        # Starts of windows in which a counter is newer than its checkpoint; the start of `all` is empty.
        self._newer: set[str] = set()

    @property
    def compared(self) -> tuple[str, ...]:
        """The windows that were compared."""
        return tuple(window for window in self._windows if window != "all" or "" not in self._newer)

    async def first_difference(self) -> Difference | None:
        """The first counter that does not come to the same in both logs."""
        sums: list[HashSums] = []
        for log in self._logs:
            counted = HashSums()
            async for start, text, count in self._read(log):
                add_hash(counted, start, text, count)
            sums.append(counted)
        for start in differing_stretches(*sums):
            if start not in self._newer and (found := await self._differing_cell(start)) is not None:
                return found
        return None

    async def _differing_cell(self, start: str) -> Difference | None:
        """The first counter of windows that begin then; None if one of them has changed meanwhile."""
        cells: dict[bytes, list[int]] = {}
        for number, log in enumerate(self._logs):
            async for at, text, count in self._read(log):
                if at == start:
                    cells.setdefault(text, [0, 0])[number] += count
        differing = [found for found in cells.items() if found[1][0] != found[1][1]]
        if start in self._newer or not differing:
            return None
        text, (one, other) = min(differing)
        return Difference(orjson.loads(text), one, other)

    async def _read(self, log: LogAt) -> AsyncIterator[tuple[str, bytes, int]]:
        """The start of each counter's window, what it counts, and its count."""
        async for partition, record in log.reader.scan(TALLIES.name):
            if record.value is None:
                continue
            cell = orjson.loads(record.value)
            start, count = cell["start"] or "", cell["count"]
            if cell["window"] not in self._windows:
                continue
            if start and not (self._oldest <= start and _day_end(start) <= self._until):
                continue
            # What became of a day's journeys may have changed after the time that is compared.
            if cell["measure"] in OF_OPENINGS and "all" not in self._windows:
                continue
            if cell["rev"] > log.batches(partition):
                self._newer.add(start)
            yield start, content_of_record(cell), count


def _day_end(start: str) -> str:
    """The end of the day that begins then. Days are those of UTC: the last instant has the same date."""
    return f"{start[:10]}T23:59:59.999Z"
