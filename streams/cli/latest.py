"""What the commands share that list records: the latest rows of a table, or all records as JSON lines."""

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streams.cli.screen import emit_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.log.port import Reader

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


async def topic_values(reader: "Reader", topic: str) -> "AsyncIterator[bytes]":
    """The values of all records of a topic."""
    async for _, record in reader.scan(topic):
        if record.value is not None:
            yield record.value


async def emit_values(values: "AsyncIterator[bytes]", limit: int | None) -> None:
    """Prints each value as one line; with a limit, only the last ones."""
    if limit is None:
        async for value in values:
            emit_line(value)
        return
    last = deque[bytes](maxlen=limit)
    async for value in values:
        last.append(value)
    for value in last:
        emit_line(value)
