"""Adds up the counters of all partitions, for readers that cannot: `<app>.funnel` is made of this.

What a partition said last of a cell is its *part*. The total is the sum of the parts, and its `rev` is the
sum of their revs, so it grows with each change. A tombstone takes no part away: windows expire in one
partition before another, and a total that fell to half of itself on the way would be what a sink keeps. So a
part that is gone still counts, and the total gets its tombstone when all parts are gone.

The record of a total carries its parts in a header. So whoever writes the topic needs no other state: it
reads the topic, then the tallies from their beginning, and knows what has changed.
"""

from collections.abc import Collection, Iterator, Sequence

import msgspec

from streams.core.funnels.windows import GREATEST, LEAST
from streams.records import Headers, Output, Record
from streams.topology import FUNNEL

PARTS_HEADER = "parts"
_COUNTED = b',"count":'  # behind it stand the two fields that change; see `tally_text`
_GONE = "-"


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one partition said last of a cell."""

    rev: int
    count: int
    gone: bool  # its window is no longer kept there


Parts = dict[int, Part]
"""By partition."""


def encode_parts(parts: Parts) -> bytes:
    """Parts as the text of their header: `partition:rev:count`, with a dash behind those that are gone."""
    words = [f"{n}:{part.rev}:{part.count}{_GONE if part.gone else ''}" for n, part in sorted(parts.items())]
    return " ".join(words).encode()


def decode_parts(text: bytes) -> Parts:
    """The parts in a header. Raises ValueError for what no release wrote."""
    parts: Parts = {}
    for word in text.decode("ascii").split():
        partition, rev, count = word.removesuffix(_GONE).split(":")
        parts[int(partition)] = Part(int(rev), int(count), word.endswith(_GONE))
    return parts


class FunnelTotals:
    """The parts of every cell, and what has come of the tallies since the totals were written.

    First comes what the funnel topic holds (`restore`), then the tallies of each partition from their
    beginning (`take`, and `at_end` when they have been read to their end). What a tally says is read when its
    total is written: many are replaced before that.
    """

    def __init__(self, partitions: int) -> None:
        self._parts: dict[bytes, bytes] = {}  # by cell, encoded: there may be a million of them
        self._tallies: dict[bytes, bytes] = {}  # by cell: the last that has come, of any partition
        self._counted: dict[bytes, dict[int, bytes]] = {}  # by cell and partition: the end of the last tally
        self._gone: dict[bytes, set[int]] = {}  # by cell: partitions whose tombstone has come, after those
        # Partitions whose tallies have not been read to their end yet, each with the cells that had a part of
        # it and have not been met.
        self._unread: dict[int, set[bytes]] = {partition: set() for partition in range(partitions)}
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
            for partition, part in decode_parts(text).items():
                if not part.gone:
                    self._unread[partition].add(record.key)

    def take(self, partition: int, records: Sequence[Record]) -> None:
        """Takes in what one read of the tallies has brought, in order.

        Of each counter the last value is looked at, and the tombstone behind it: where commits are small, a
        read has many values of one counter.
        """
        last = {record.key: record.value for record in records}
        values = {record.key: record.value for record in records if record.value is not None}
        for key, value in values.items():
            self._take_value(partition, _cell_of(key), value)
        for key in [key for key, value in last.items() if value is None]:
            self._take_tombstone(partition, _cell_of(key))

    def _take_tombstone(self, partition: int, cell: bytes) -> None:
        if (unmet := self._unread.get(partition)) is not None:
            unmet.discard(cell)
        self._gone.setdefault(cell, set()).add(partition)

    def _take_value(self, partition: int, cell: bytes, value: bytes) -> None:
        if (unmet := self._unread.get(partition)) is not None:
            unmet.discard(cell)
        counted = value[value.rindex(_COUNTED) + len(_COUNTED) :]
        if unmet is not None and not self._is_news(partition, cell, counted):
            return  # at a start nearly all are known, and are not to be held
        self._tallies[cell] = value
        parts = self._counted.get(cell)
        if parts is None:
            parts = self._counted[cell] = {}
        parts[partition] = counted
        if cell in self._gone:
            self._gone[cell].discard(partition)

    def _is_news(self, partition: int, cell: bytes, counted: bytes) -> bool:
        text = self._parts.get(cell)
        known = None if text is None else decode_parts(text).get(partition)
        return known is None or _part_of(counted).rev > known.rev

    def at_end(self, partition: int) -> None:
        """The tallies of a partition have been read to their end: at the first time, what was not met is
        gone, and its tombstone with it.
        """
        for cell in self._unread.pop(partition, ()):
            self._gone.setdefault(cell, set()).add(partition)

    def outputs(self) -> Iterator[Output]:
        """The records to write: totals that have changed, and tombstones of those whose parts are all gone.

        A total that changed and went is written before its tombstone: many sinks know only the former. Of
        what is gone at the start already, and not in the funnel topic, nothing is written: an earlier writer
        has done so, and of its parts only some may be left.

        They are made one by one. Nothing may be taken in before the last of them.
        """
        assert self.ready, "totals of some partitions are none"
        tallies, counted, lost = self._tallies, self._counted, self._gone
        self._tallies, self._counted, self._gone = {}, {}, {}
        restored, self._restored = self._restored, None
        for cell in dict.fromkeys((*tallies, *lost)):
            parts, tally, is_changed = decode_parts(self._parts.get(cell, b"")), tallies.get(cell), False
            for partition, text in counted.get(cell, {}).items():
                parts[partition] = _part_of(text)
            for partition in lost.get(cell, ()):
                if (part := parts.get(partition)) is not None and not part.gone:
                    parts[partition], is_changed = Part(part.rev, part.count, gone=True), True
            if tally is None and not is_changed:
                continue
            text = encode_parts(parts)
            gone = all(part.gone for part in parts.values())
            known = not gone or restored is None or cell in restored
            if tally is not None and known:
                headers: Headers = ((PARTS_HEADER, text),)
                yield Output(FUNNEL.name, cell, total_of(tally, parts.values()), headers, 0)
            if not gone:
                self._parts[cell] = text
            else:
                self._parts.pop(cell, None)
                if known:
                    yield Output(FUNNEL.name, cell, None, (), 0)


def _cell_of(key: bytes | None) -> bytes:
    """The cell in the key of a tally."""
    assert key is not None, "every record of a compacted topic has a key"
    return key.partition(b"/")[2]


def _part_of(counted: bytes) -> Part:
    """What the end of a tally says, behind `_COUNTED`."""
    count, rev = counted.split(b',"rev":')
    return Part(int(rev[:-1]), int(count), gone=False)


def total_of(tally: bytes, parts: Collection[Part]) -> bytes:
    """The total as it is published: the tally of any partition, without `partition`, with the sums."""
    before, _, rest = tally.partition(b'","partition":')
    fields = rest[rest.index(b",") + 1 : rest.rindex(_COUNTED)]
    count, rev = sum([part.count for part in parts]), sum([part.rev for part in parts])
    count = min(max(count, LEAST), GREATEST)
    return b'%b",%b,"count":%d,"rev":%d}' % (before, fields, count, rev)
