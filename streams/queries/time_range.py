"""A range of times, which narrows what a question lists."""

from typing import NamedTuple


class TimeRange(NamedTuple):
    """From `since_ms` on, and before `until_ms`: milliseconds since 1970, UTC. None: no bound."""

    since_ms: int | None = None
    until_ms: int | None = None

    def has(self, ms: int) -> bool:
        """True if a time lies in it."""
        return (self.since_ms is None or ms >= self.since_ms) and (
            self.until_ms is None or ms < self.until_ms
        )


EVER = TimeRange()
