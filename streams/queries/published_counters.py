"""The counters that a partition had published when it wrote a checkpoint, to compare them with others."""

import msgspec

from streams import topology
from streams.core.funnels.windows import ALL_TIME, KEPT_MIN, LENGTH_MIN, WINDOWS, Windows
from streams.core.ingest.times import parse_time
from streams.core.journeys.journey_step import KIND_NAMES, REFUND_UNMATCHED
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.publisher import Publisher
from streams.log.port import Reader

_OVERHEAD_BYTES = 200  # of a key and a value in a dict


class PublishedCounters:
    """The counters of one partition by their keys."""

    def __init__(self, partition: int, checkpoint: Checkpoint) -> None:
        self.partition, self.checkpoint = partition, checkpoint
        self.values: dict[bytes, bytes] = {}
        self.size_bytes = 0  # about how much memory they take
        self.checked, self.unchecked = 0, 0  # how many were compared, and how many could not be

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "PublishedCounters":
        """Reads them as they were at the checkpoint. Call it soon after the checkpoint was read."""
        found = cls(partition, checkpoint)
        async for _, record in reader.scan(topology.TALLIES.name, partition):
            if record.key is not None and record.value is not None:
                found.values[record.key] = record.value
                found.size_bytes += len(record.key) + len(record.value) + _OVERHEAD_BYTES
        return found

    def difference(self, windows: Windows, publisher: Publisher, since_ms: int | None = None) -> str | None:
        """The first counter that differs from the sum in `windows`. None if all are equal.

        Windows that have expired are left out on both sides. With `since_ms`, the sum is that of published
        transitions, which are complete from this time on (-1: all are there): windows that begin before it
        are left out, and refunds that found no purchase, which are counted and not published.
        """
        windows.roll_up(self.checkpoint.watermark_ms)
        expected: dict[bytes, bytes] = {}
        for cell, n in windows.cells():
            key, value = publisher.tally(cell, n)
            expected[key] = value or b""
        for key, value in self.values.items():
            known = expected.pop(key, None)
            if self._expired(key):
                continue
            if since_ms is not None and not _is_covered(value, since_ms):
                self.unchecked += 1
                continue
            self.checked += 1
            if known != value:
                return f"counter published, but not recomputed: {value.decode()}"
        for key, value in expected.items():
            if not self._expired(key) and (since_ms is None or _is_covered(value, since_ms)):
                return f"counter recomputed, but not published: {value.decode()}"
        return None

    def _expired(self, key: bytes) -> bool:
        """True if the counter's window is no longer kept, so that it may be gone or lack late corrections."""
        _, window, start_min, _ = (int(part) for part in key.split(b":"))
        return (
            window != ALL_TIME and kept_until_min(window, start_min) < self.checkpoint.watermark_ms // 60_000
        )


class _Counted(msgspec.Struct):
    window: str
    start: str | None
    kind: str | None = None


_decode = msgspec.json.Decoder(_Counted).decode


def _is_covered(value: bytes, since_ms: int) -> bool:
    """True if published transitions that are complete from this time on say what a counter must be."""
    counted = _decode(value)
    if counted.kind == KIND_NAMES[REFUND_UNMATCHED]:
        return False
    if since_ms < 0:
        return True
    start = None if counted.start is None else parse_time(counted.start)
    return start is not None and start[0] >= since_ms


def kept_until_min(window: int, start_min: int) -> int:
    """The minute (since 1970) after which a window is no longer kept."""
    assert window < len(WINDOWS) - 1
    return start_min + LENGTH_MIN[window] + KEPT_MIN[window]
