"""The counters that are wanted first: those over all time, and those of the newest windows.

They are a small part of all. A reader that takes in nothing else has them long before it has read the others
in full, and can answer most questions meanwhile.
"""

from streams.core.processing.json_text import rfc3339
from streams.queries.cell_table import CellTable
from streams.settings.durations import DAYS
from streams.topology import FUNNEL, TALLIES, Topic

_ALL = b"all"


class RecentCells:
    """A table of the newest counters, from the tallies or, where they are added up already, the funnel."""

    def __init__(self, topic: Topic, oldest_ms: int) -> None:
        """`oldest_ms`: of the oldest windows that are wanted."""
        assert topic in (TALLIES, FUNNEL), topic.name
        self.topics = (topic.name,)
        self.cells = CellTable()
        # Whole days, so that the beginnings of windows of any length are compared as texts.
        self.known_from_ms = max(0, oldest_ms) // DAYS * DAYS
        self._oldest = rfc3339(self.known_from_ms)[: len("2024-05-01")].encode()
        self._begin = b"0/" if topic is FUNNEL else b""  # a total is of no partition: it counts as one of 0

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes a record in, if it is wanted; those of other topics are passed over."""
        if topic not in self.topics or key is None:
            return
        name = self._begin + key
        _, window, start, _ = name.split(b"/", 3)
        if window == _ALL or start >= self._oldest:
            self.cells.apply(TALLIES.name, name, value)

    def read_anew(self, topic: str, partition: int) -> None:
        """From here on a partition is read from its beginning. Until its end what was known stays."""
        if topic in self.topics:
            self.cells.read_anew(TALLIES.name, partition)

    def at_end(self, topic: str, partition: int) -> None:
        """A partition has been read to its end."""
        if topic in self.topics:
            self.cells.at_end(TALLIES.name, partition)
