"""The counters that a partition had published when it wrote a checkpoint, to compare them with others."""

from itertools import islice

import msgspec

from streams import topology
from streams.core.funnels.windows import KEPT_MIN, LENGTH_MIN, WINDOWS, Windows
from streams.core.ingest.times import MINUTE_MS, parse_time
from streams.core.journeys.journey_step import KIND_NAMES, UNMATCHED
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.tally_text import TallyText
from streams.log.port import Reader

_ZERO = b',"count":0}'  # the end of such a counter without its `rev`
_OVERHEAD_BYTES = 350  # of a key and a value in a dict, and of the cell that is counted again
CELLS_AT_ONCE = 1_000  # their texts take a few hundred kilobytes


class PublishedCounters:
    """The counters of one partition by their keys."""

    def __init__(self, partition: int, checkpoint: Checkpoint) -> None:
        self.partition, self.checkpoint = partition, checkpoint
        self.values: dict[bytes, bytes] = {}
        self.reached_ms = checkpoint.settled_mark_ms  # the settled mark when they had been read
        self.newer: set[bytes] = set()  # of which only later values are left: nobody knows if they were there
        self.checked, self.unchecked = 0, 0  # how many were compared, and how many could not be

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "PublishedCounters":
        """Reads them as they were at the checkpoint. Call it soon after the checkpoint was read.

        Later batches have a greater `rev`. A tombstone has none: it may be older than the checkpoint or
        newer, but there is a reason for it only if the window has expired by the time it was read.
        """
        found, deleted = cls(partition, checkpoint), set[bytes]()
        async for record in reader.scan_versions(topology.TALLIES.name, partition):
            key, value = record.key or b"", record.value
            if value is None:
                deleted.add(key)
                continue
            deleted.discard(key)
            if _decode(value).rev <= checkpoint.batches:
                found.values[key] = value
            elif key not in found.values:
                found.newer.add(key)
        (raw,) = await reader.checkpoints(partition)
        if raw is not None:
            found.reached_ms = max(found.reached_ms, decode_checkpoint(raw).settled_mark_ms)
        for key in deleted & found.values.keys():
            if not _is_expired(found.values[key], found.reached_ms):
                del found.values[key]
        return found

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        sizes = (len(key) + len(value) + _OVERHEAD_BYTES for key, value in self.values.items())
        return sum(sizes)

    def difference(self, windows: Windows, text: TallyText, since_ms: int | None = None) -> str | None:
        """The first counter that differs from the sum in `windows`. None if all are equal.

        Windows that have expired are left out on both sides. With `since_ms`, the sum is that of published
        transitions, which are complete from this time on (-1: all are there): windows that begin before it
        are left out, and unmatched refunds and cues, which are counted and not published. A counter that is
        zero need not be in `windows`, which has never seen what was taken back.
        """
        windows.roll_up(self.checkpoint.settled_mark_ms)
        cells = windows.cells()
        while some := list(islice(cells, CELLS_AT_ONCE)):
            for output in text.outputs(some, 0):
                difference = self._compare(output.key or b"", output.value or b"", since_ms)
                if difference is not None:
                    return difference
        for value in self.values.values():
            if self._is_compared(value, since_ms) and not _without_rev(value).endswith(_ZERO):
                return f"counter published, but not recomputed: {value.decode()}"
        return None

    def _compare(self, key: bytes, expected: bytes, since_ms: int | None) -> str | None:
        """Compares a counter with the published one, which is then done with."""
        published = self.values.pop(key, None)
        if published is None and (key in self.newer or _is_expired(expected, self.reached_ms)):
            self.unchecked += 1  # a compaction has removed it
            return None
        if not self._is_compared(expected, since_ms):
            return None
        if published is None and not _without_rev(expected).endswith(_ZERO):
            return f"counter recomputed, but not published: {expected.decode()}"
        if published is not None and _without_rev(published) != _without_rev(expected):
            return f"counter published, but not recomputed: {published.decode()}"
        return None

    def _is_compared(self, value: bytes, since_ms: int | None) -> bool:
        """True if a counter can be compared; counts those that can, and those that cannot."""
        if _is_expired(value, self.checkpoint.settled_mark_ms):
            return False
        if since_ms is not None and not _is_covered(value, since_ms):
            self.unchecked += 1
            return False
        self.checked += 1
        return True


class _Counted(msgspec.Struct):
    window: str
    start: str | None
    measure: str
    kind: str | None = None
    moment: str | None = None
    rev: int = 0


_decode = msgspec.json.Decoder(_Counted).decode
_UNPUBLISHED = tuple(KIND_NAMES[kind] for kind in UNMATCHED)  # counted as transitions are, and none of them


def _is_expired(value: bytes, settled_mark_ms: int) -> bool:
    """True if the counter's window is no longer kept, so that it may be gone or lack late corrections."""
    counted = _decode(value)
    start = None if counted.start is None else parse_time(counted.start)
    if start is None:
        return False
    window, start_min = WINDOWS.index(counted.window), start[0] // MINUTE_MS
    return kept_until_min(window, start_min) < settled_mark_ms // MINUTE_MS


def _without_rev(value: bytes) -> bytes:
    """A counter as it was written, without its `rev`: a recomputation has no batches."""
    return value.rpartition(b',"rev":')[0] + b"}"


def _is_covered(value: bytes, since_ms: int) -> bool:
    """True if published transitions that are complete from this time on say what a counter must be."""
    counted = _decode(value)
    if counted.kind in _UNPUBLISHED or (counted.measure == "cues" and counted.moment is None):
        return False
    if since_ms < 0:
        return True
    start = None if counted.start is None else parse_time(counted.start)
    return start is not None and start[0] >= since_ms


def kept_until_min(window: int, start_min: int) -> int:
    """The minute (since 1970) after which a window is no longer kept."""
    assert window < len(WINDOWS) - 1
    return start_min + LENGTH_MIN[window] + KEPT_MIN[window]
