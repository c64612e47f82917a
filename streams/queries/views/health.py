"""Whether what is shown can be relied on: from the `progress` records, the state of each partition.

An hour without a purchase looks the same in the counters as an hour in which the collector was off, or in
which a partition was behind. Here they differ.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

import schemas
from streams.queries.instants import ms_of
from streams.topology import PROGRESS

# Without work to do, a partition writes its record every 5 seconds (`CHECKPOINT_EVERY_S`): three are missing.
STOPPED_AFTER_MS = 15_000
# A partition that has records to read is behind when its newest event is older than this.
BEHIND_AFTER_MS = 60_000
# Shops have minutes without a visitor, hardly ever five of them in a partition that has any traffic.
IDLE_AFTER_MS = 300_000

_decode = msgspec.json.Decoder(schemas.PartitionProgress).decode


class Health(StrEnum):
    """How a partition is, from best to worst."""

    LIVE = "live"
    IDLE = "idle"  # it has read all there is, and no event has come for a while: is the collector on?
    BEHIND = "behind"  # there is more to read, and it is old
    STOPPED = "stopped"  # nobody works on it
    UNKNOWN = "unknown"  # it has not begun yet


_BY_BADNESS = tuple(Health)


class HealthView:
    """The last `progress` record of each partition."""

    topics: Sequence[str] = (PROGRESS.name,)

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.progress: dict[int, schemas.PartitionProgress] = {}
        self._begun_ms: int | None = None  # when the first record that was taken in was written

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes a record of any topic in."""
        if topic == PROGRESS.name and key is not None:
            if value is None:
                self.progress.pop(int(key), None)
            else:
                progress = self.progress[int(key)] = _decode(value)
                if self._begun_ms is None:
                    self._begun_ms = ms_of(progress.written_at)

    def read_anew(self, topic: str, partition: int) -> None:
        """Nothing is to be dropped: a partition never goes."""

    def at_end(self, topic: str, partition: int) -> None:
        """Nothing waits for the end."""

    def of_partition(self, partition: int, now_ms: int) -> Health:
        """How a partition is at this moment of the wall clock.

        Partitions begin one after the other. Nobody works on one that has no record yet long after another.
        """
        progress = self.progress.get(partition)
        if progress is None:
            is_new = self._begun_ms is None or now_ms - self._begun_ms <= STOPPED_AFTER_MS
            return Health.UNKNOWN if is_new else Health.STOPPED
        if now_ms - ms_of(progress.written_at) > STOPPED_AFTER_MS:
            return Health.STOPPED
        age_ms = now_ms if progress.watermark is None else now_ms - ms_of(progress.watermark)
        if progress.lag and age_ms > BEHIND_AFTER_MS:
            return Health.BEHIND
        return Health.IDLE if not progress.lag and age_ms > IDLE_AFTER_MS else Health.LIVE

    def of_app(self, now_ms: int) -> Health:
        """The worst state of any partition; UNKNOWN if none has begun. An idle one does not count while
        another is live: people are spread over the partitions by chance.
        """
        found = {self.of_partition(number, now_ms) for number in range(self.partitions)} - {Health.UNKNOWN}
        if Health.LIVE in found:
            found.discard(Health.IDLE)
        return max(found, key=_BY_BADNESS.index, default=Health.UNKNOWN)

    @property
    def passed_ms(self) -> int:
        """Up to when all partitions have come: what ended before is over, except for late events. -1: one has
        not begun.

        A partition that has nothing to read follows the wall clock.
        """
        return min([self._passed_ms(number) for number in range(self.partitions)])

    def _passed_ms(self, partition: int) -> int:
        progress = self.progress.get(partition)
        return -1 if progress is None or progress.timers_fired is None else ms_of(progress.timers_fired)
