"""Adds up the counters of all partitions, for readers that cannot: `<app>.funnel` is made of this.

What a partition said last of a cell is its *part*. The total is the sum of the parts, and its `rev` is the
sum of their revs, so it grows with each change. A tombstone takes no part away: windows expire in one
partition before another, and a total that fell to half of itself on the way would be what a sink keeps. So a
part that is gone still counts, and the total gets its tombstone when all parts are gone.

The record of a total carries its parts in a header. So whoever writes the topic needs no other state: it
reads the topic, then the tallies from their beginning, and knows what has changed.
"""

from collections.abc import Iterable

import msgspec

from streams.records import Headers, Output, Record
from streams.topology import FUNNEL

PARTS_HEADER = "parts"
_GONE = b"-"


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one partition said last of a cell."""

    rev: int
    count: int
    gone: bool  # its window is no longer kept there


Parts = dict[int, Part]
"""By partition."""


class _Changing(msgspec.Struct):
    """What changes in a tally."""

    count: int
    rev: int


_decode = msgspec.json.Decoder(_Changing).decode


def encode_parts(parts: Parts) -> bytes:
    """Parts as the text of their header: `partition:rev:count`, with a dash behind those that are gone."""
    return b" ".join(
        b"%d:%d:%d%b" % (partition, part.rev, part.count, _GONE if part.gone else b"")
        for partition, part in sorted(parts.items())
    )


def decode_parts(text: bytes) -> Parts:
    """The parts in a header. Raises ValueError for what no release wrote."""
    parts: Parts = {}
    for word in text.split():
        partition, rev, count = word.removesuffix(_GONE).split(b":")
        parts[int(partition)] = Part(int(rev), int(count), word.endswith(_GONE))
    return parts


class FunnelTotals:
    """The parts of every cell, and which totals have changed since they were written.

    First comes what the funnel topic holds (`restore`), then the tallies of each partition from their
    beginning (`take`, and `at_end` when they have been read to their end).
    """

    def __init__(self, partitions: int) -> None:
        self._parts: dict[bytes, bytes] = {}  # by cell, encoded: there may be a million of them
        # By cell: the last tally that changed it; None: only that a part is gone. In the order of changes.
        self._changed: dict[bytes, bytes | None] = {}
        # Partitions whose tallies have not been read to their end yet, each with the cells that had a part of
        # it and have not been met. None until the first of its tallies is read.
        self._unread: dict[int, set[bytes] | None] = dict.fromkeys(range(partitions))
        # Cells that the funnel topic held at the start; None once everything has been read.
        self._restored: set[bytes] | None = set()

    @property
    def ready(self) -> bool:
        """True once all tallies have been read to their end: before, totals would lack some partitions."""
        return not self._unread

    @property
    def cells(self) -> int:
        """How many cells are held."""
        return len(self._parts)

    def restore(self, record: Record) -> None:
        """Takes in a record of the funnel topic."""
        assert record.key is not None, "every record of a compacted topic has a key"
        assert self._restored is not None, "the funnel topic comes first"
        text = dict(record.headers).get(PARTS_HEADER)
        if record.value is not None and text is not None:
            self._parts[record.key] = text
            self._restored.add(record.key)

    def take(self, partition: int, record: Record) -> None:
        """Takes in a record of the tallies, or a tombstone."""
        assert record.key is not None, "every record of a compacted topic has a key"
        cell = record.key.partition(b"/")[2]
        if partition in self._unread:
            self._unmet(partition).discard(cell)
        if record.value is None:
            self._lose(partition, cell)
            return
        counted = _decode(record.value)
        parts = decode_parts(self._parts.get(cell, b""))
        known = parts.get(partition)
        if known is None or counted.rev > known.rev:
            parts[partition] = Part(counted.rev, counted.count, gone=False)
            self._parts[cell] = encode_parts(parts)
            self._changed[cell] = record.value

    def at_end(self, partition: int) -> None:
        """The tallies of a partition have been read to their end: at the first time, what was not met is
        gone, and its tombstone with it.
        """
        if partition in self._unread:
            for cell in self._unmet(partition):
                self._lose(partition, cell)
            del self._unread[partition]

    def _unmet(self, partition: int) -> set[bytes]:
        unmet = self._unread[partition]
        if unmet is None:
            unmet = self._unread[partition] = {
                cell
                for cell, text in self._parts.items()
                if (part := decode_parts(text).get(partition)) is not None and not part.gone
            }
        return unmet

    def _lose(self, partition: int, cell: bytes) -> None:
        text = self._parts.get(cell)
        if text is None:
            return
        parts = decode_parts(text)
        part = parts.get(partition)
        if part is not None and not part.gone:
            parts[partition] = Part(part.rev, part.count, gone=True)
            self._parts[cell] = encode_parts(parts)
            self._changed.setdefault(cell, None)

    def outputs(self) -> list[Output]:
        """The records to write: totals that have changed, and tombstones of those whose parts are all gone.

        A total that changed and went is written before its tombstone: many sinks know only the former. Of
        what is gone at the start already, and not in the funnel topic, nothing is written: an earlier writer
        has done so, and of its parts only some may be left.
        """
        assert self.ready, "totals of some partitions are none"
        outputs: list[Output] = []
        for cell, tally in self._changed.items():
            parts = decode_parts(self._parts[cell])
            gone = all(part.gone for part in parts.values())
            known = not gone or self._restored is None or cell in self._restored
            if tally is not None and known:
                headers: Headers = ((PARTS_HEADER, self._parts[cell]),)
                outputs.append(Output(FUNNEL.name, cell, total_of(tally, parts.values()), headers, 0))
            if gone:
                del self._parts[cell]
                if known:
                    outputs.append(Output(FUNNEL.name, cell, None, (), 0))
        self._changed, self._restored = {}, None
        return outputs


def total_of(tally: bytes, parts: Iterable[Part]) -> bytes:
    """The total as it is published: the tally of any partition, without `partition`, with the sums."""
    before, _, rest = tally.partition(b'","partition":')
    fields = rest.partition(b",")[2].rpartition(b',"count":')[0]
    counts, revs = zip(*[(part.count, part.rev) for part in parts], strict=True)
    return b'%b",%b,"count":%d,"rev":%d}' % (before, fields, sum(counts), sum(revs))
