"""Keeps the latest of many rows, for tables and for `--limit`."""

import heapq
from typing import Any, Generic, TypeVar

RowT = TypeVar("RowT")

TABLE_ROWS = 20  # of a table without --limit


class Latest(Generic[RowT]):
    """Keeps the latest of many rows.

    Of two rows with the same time, the one that was added later is the latest.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit, self.total = limit or TABLE_ROWS, 0
        self._heap: list[tuple[Any, int, RowT]] = []

    def add(self, time: Any, row: RowT) -> None:
        """Adds a row. A time is anything that can be ordered."""
        self.total += 1
        entry = (time, self.total, row)  # the number differs, so rows are never compared
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    @property
    def rows(self) -> list[RowT]:
        """The rows, oldest first."""
        return [row for _, _, row in sorted(self._heap)]
