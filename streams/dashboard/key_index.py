"""Which records of a topic are about whom, so that an answer about one person reads these and no others.

Six bytes a record: of each block of some thousand, the hashes of the ids in order, and which record of the
block each is of. The index is made in the background, from the oldest record on, and follows what comes.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from zlib import crc32

from streams.errors import Unavailable
from streams.log.port import EmbeddedReader
from streams.log.tail import TailPosition
from streams.records import Record
from streams.topology import Topic

# Greater blocks are fewer to look into: 600 for 10 million records, half a millisecond. They take longer to
# be put in order, and others wait meanwhile: 5 ms.
BLOCK_RECORDS = 16_384
INDEXED_AT_ONCE = 1_024  # at once, as many as a chunk of the log: some milliseconds
IDLE_S = 1.0  # between two looks at a log that has nothing new: until then it is read on from where it ends
BREATH_S = 0.002  # after each read, for those who wait for an answer meanwhile

IdOf = Callable[[bytes], bytes | None]
"""Whom the record with a key is about; None: it is not looked for."""

_PLACE_BITS = BLOCK_RECORDS.bit_length() - 1


class _Block:
    """What was looked at of a range of offsets, as long as a block has them."""

    def __init__(self, begin: int, places: Sequence[int]) -> None:
        """`begin`: the offset of the first; `places`: of each record, its hash and its number, in order."""
        self.begin = begin
        self._hashes = array("I", [place >> _PLACE_BITS for place in places])
        self._numbers = array("H", [place & BLOCK_RECORDS - 1 for place in places])

    def find(self, wanted: int) -> Sequence[int]:
        """The offsets of the records about ids that have this hash."""
        hashes = self._hashes
        first = end = bisect_left(hashes, wanted)
        while end < len(hashes) and hashes[end] == wanted:
            end += 1
        return [self.begin + number for number in self._numbers[first:end]]


class _PartitionIndex:
    """The records of one partition."""

    def __init__(self) -> None:
        self.end: TailPosition | None = None  # of what was taken in
        self._blocks: list[_Block] = []
        self._begin = 0  # of the block that is being filled
        self._open: dict[int, list[int]] = {}  # its offsets by hash

    def add(self, records: Sequence[Record], id_of: IdOf) -> None:
        """Takes in the next records."""
        for record in records:
            wanted = id_of(record.key or b"")
            if wanted is None:
                continue
            if not self._open:
                self._begin = record.offset
            elif record.offset - self._begin >= BLOCK_RECORDS:
                self._close()
                self._begin = record.offset
            self._open.setdefault(crc32(wanted), []).append(record.offset)

    def _close(self) -> None:
        begin = self._begin
        places = [
            hashed << _PLACE_BITS | offset - begin for hashed, found in self._open.items() for offset in found
        ]
        self._blocks.append(_Block(begin, sorted(places)))
        self._open = {}

    def clear(self) -> None:
        """Nothing was taken in."""
        self._blocks, self._open = [], {}

    def find(self, hashes: Collection[int]) -> Sequence[int]:
        """The offsets of records about ids that have one of these hashes, in order."""
        found = [offset for block in self._blocks for wanted in hashes for offset in block.find(wanted)]
        found += [offset for wanted in hashes for offset in self._open.get(wanted, ())]
        return sorted(found)


class KeyIndex:
    """The records of all partitions of one topic of an embedded log, in which offsets have no gaps."""

    def __init__(self, reader: EmbeddedReader, topic: Topic, id_of: IdOf) -> None:
        self._reader, self._topic, self._id_of = reader, topic.name, id_of
        self._partitions = [_PartitionIndex() for _ in range(reader.partitions)]

    async def grow(self) -> bool:
        """Takes in some records of each partition, if there are any. True: all have been read to their ends.

        Raises Unavailable.
        """
        at_end = True
        for number in range(self._reader.partitions):
            at_end &= await self._grow(number)
            await asyncio.sleep(0)  # others want to be answered, too
        return at_end

    async def _grow(self, number: int) -> bool:
        index = self._partitions[number]
        begin = index.end
        tail = await self._reader.tail(self._topic, number, begin, INDEXED_AT_ONCE)
        if index.end is not begin:  # somebody else has taken them in meanwhile
            return False
        if tail.anew:  # the log is another one, or the topic was compacted
            index.clear()
        index.add(tail.records, self._id_of)
        index.end = tail.position
        return tail.at_end

    def find(self, partition: int, ids: Collection[bytes]) -> tuple[Sequence[int], TailPosition | None]:
        """The offsets of all records about these ids, and hardly any other, in order; and how far it has
        looked.
        """
        index = self._partitions[partition]
        return index.find({crc32(one) for one in ids}), index.end

    async def newest(self, partition: int, wanted: bytes, *, single: bool) -> Mapping[bytes, bytes]:
        """What a compacted topic says of an id now: the values by key, without those that were deleted.

        `single`: there is one key of an id at most. Raises Unavailable.
        """
        while True:
            while not await self._grow(partition):
                await asyncio.sleep(0)
            found = await self._newest(partition, wanted, single)
            if found is not None:
                return {key: value for key, value in found.items() if value is not None}

    async def _newest(self, partition: int, wanted: bytes, single: bool) -> dict[bytes, bytes | None] | None:
        """By key, the last value. None: a compaction has moved the records meanwhile."""
        found: dict[bytes, bytes | None] = {}
        offsets, _ = self.find(partition, (wanted,))
        for offset in reversed(offsets):
            records = await self._reader.read_at(self._topic, partition, (offset,))
            if not records:
                return None
            key = records[0].key or b""
            if self._id_of(key) == wanted:
                found.setdefault(key, records[0].value)
                if single:
                    break
            await asyncio.sleep(0)
        return found


async def keep_growing(indexes: Sequence[KeyIndex]) -> None:
    """Lets them follow the log until it is cancelled."""
    while True:
        try:
            is_idle = all([await index.grow() for index in indexes])
        except Unavailable:  # the one who follows the log names it
            is_idle = True
        await asyncio.sleep(IDLE_S if is_idle else BREATH_S)
