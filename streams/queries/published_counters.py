"""The counters that a partition had published when it wrote a checkpoint, to compare them with others."""

import msgspec

from streams import topology
from streams.core.funnels.windows import KEPT_MIN, LENGTH_MIN, WINDOWS, Windows
from streams.core.ingest.times import MINUTE_MS, parse_time
from streams.core.journeys.journey_step import KIND_NAMES, REFUND_UNMATCHED
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.tally_text import TallyText
from streams.log.port import Reader

_ZERO = b',"count":0}'  # the end of such a counter without its `rev`
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

    def difference(self, windows: Windows, text: TallyText, since_ms: int | None = None) -> str | None:
        """The first counter that differs from the sum in `windows`. None if all are equal.

        Windows that have expired are left out on both sides. With `since_ms`, the sum is that of published
        transitions, which are complete from this time on (-1: all are there): windows that begin before it
        are left out, and refunds that found no purchase, which are counted and not published. A counter that
        is zero need not be in `windows`, which has never seen what was taken back.
        """
        windows.roll_up(self.checkpoint.watermark_ms)
        expected = {
            output.key: _without_rev(output.value or b"") for output in text.outputs(list(windows.cells()), 0)
        }
        for key, value in self.values.items():
            known = expected.pop(key, None)
            if self._expired(value):
                continue
            if since_ms is not None and not _is_covered(value, since_ms):
                self.unchecked += 1
                continue
            self.checked += 1
            counted = _without_rev(value)
            if known != counted and not (known is None and counted.endswith(_ZERO)):
                return f"counter published, but not recomputed: {value.decode()}"
        for value in expected.values():
            if not self._expired(value) and (since_ms is None or _is_covered(value, since_ms)):
                return f"counter recomputed, but not published: {value.decode()}"
        return None

    def _expired(self, value: bytes) -> bool:
        """True if the counter's window is no longer kept, so that it may be gone or lack late corrections."""
        counted = _decode(value)
        start = None if counted.start is None else parse_time(counted.start)
        if start is None:
            return False
        window, start_min = WINDOWS.index(counted.window), start[0] // MINUTE_MS
        return kept_until_min(window, start_min) < self.checkpoint.watermark_ms // MINUTE_MS


class _Counted(msgspec.Struct):
    window: str
    start: str | None
    kind: str | None = None


_decode = msgspec.json.Decoder(_Counted).decode


def _without_rev(value: bytes) -> bytes:
    """A counter as it was written, without its `rev`: a recomputation has no batches."""
    return value.rpartition(b',"rev":')[0] + b"}"


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
