"""Notices a transaction in a source that stays open: what is behind it cannot be read until it ends.

A collector that writes in transactions always has one open, so what counts is how long one and the same
transaction, which is one that begins at the same offset, has been open.
"""

from collections.abc import Mapping
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from streams.clock import Clock
from streams.core.processing.committed import Committed
from streams.core.processing.json_text import rfc3339
from streams.telemetry.meters import Meters

# A transaction that is open for longer is logged. Most collectors commit every few seconds; the broker ends
# the transaction that a killed worker leaves in the inbox after about this time.
LOGGED_AFTER_S = 10.0


class Seen(NamedTuple):
    """An open transaction that this worker has seen."""

    first: int  # the offset at which it begins
    since_s: float  # when it was seen first, by the monotonic clock
    since_ms: int  # the same, by the wall clock
    logged: bool


class OpenTransactionWatch:
    """Watches the sources of one partition: one log line when a transaction stays open, and one when it has
    ended.
    """

    def __init__(self, partition: int, *, meters: Meters, logger: FilteringBoundLogger, clock: Clock) -> None:
        self._partition, self._meters, self._logger, self._clock = partition, meters, logger, clock
        self._seen: dict[str, Seen] = {}

    def observe(self, step: Committed) -> None:
        """Takes a step of the partition."""
        if not step.hidden and not self._seen:
            return
        for source, seen in list(self._seen.items()):
            now = step.hidden.get(source)
            if now is None or now.first != seen.first:
                self._forget(source, seen)
        now_s = self._clock.monotonic_s()
        for source, hidden in step.hidden.items():
            seen = self._seen.setdefault(source, Seen(hidden.first, now_s, self._clock.wall_ms(), False))
            if not seen.logged and now_s - seen.since_s >= LOGGED_AFTER_S:
                self._seen[source] = seen._replace(logged=True)
                self._logger.warning(
                    "blocked",
                    partition=self._partition,
                    source=source,
                    records=hidden.offsets,
                    since=rfc3339(seen.since_ms),
                )
        self._meters.blocked(self._partition, {source: seen.since_s for source, seen in self._seen.items()})

    def _forget(self, source: str, seen: Seen) -> None:
        del self._seen[source]
        if seen.logged:
            seconds = round(self._clock.monotonic_s() - seen.since_s, 3)
            self._logger.info("unblocked", partition=self._partition, source=source, seconds=seconds)

    @property
    def blocked(self) -> Mapping[str, str]:
        """Sources with a transaction that was logged, and since when it is open."""
        return {source: rfc3339(seen.since_ms) for source, seen in self._seen.items() if seen.logged}
