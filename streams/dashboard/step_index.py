"""Where the steps of each person stand in the transitions, so that a story reads them and no others.

Six bytes a transition: of each block of some thousand, the hashes of its keys in order, and which record of
the block each is of. The index is made in the background, from the oldest transition on, and follows what
comes.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Sequence
from zlib import crc32

from streams.core.processing.record_keys import bare_id
from streams.errors import Unavailable
from streams.log.port import EmbeddedReader
from streams.log.tail import TailPosition
from streams.records import Record
from streams.topology import TRANSITIONS

# Greater blocks are fewer to look into: 600 for 10 million transitions, half a millisecond. They take longer
# to be put in order, and others wait meanwhile: 5 ms.
BLOCK_RECORDS = 16_384
INDEXED_AT_ONCE = 1_024  # at once, as many as a chunk of the log: some milliseconds
STEPS_AT_ONCE = 32  # of a story: each may stand in another chunk
IDLE_S = 1.0  # between two looks at a log that has nothing new: until then it is read on from where it ends
BREATH_S = 0.002  # after each read, for those who wait for an answer meanwhile

_PLACE_BITS = BLOCK_RECORDS.bit_length() - 1


class _Block:
    """Records that follow each other, as many as a block has."""

    def __init__(self, begin: int, places: Sequence[int]) -> None:
        """`begin`: the offset of the first; `places`: of each record, its hash and its number, in order."""
        self.begin = begin
        self._hashes = array("I", [place >> _PLACE_BITS for place in places])
        self._numbers = array("H", [place & BLOCK_RECORDS - 1 for place in places])

    def find(self, wanted: int) -> Sequence[int]:
        """The offsets of the records whose keys have this hash."""
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
        self._begin, self._count = 0, 0  # of the block that is being filled
        self._open: dict[int, list[int]] = {}  # its offsets by hash

    def add(self, records: Sequence[Record]) -> None:
        """Takes in the next records."""
        for record in records:
            if self._count == BLOCK_RECORDS:
                self._close()
            if not self._count:
                self._begin = record.offset
            self._count += 1
            self._open.setdefault(_hash(bare_id(record.key or b"")), []).append(record.offset)

    def _close(self) -> None:
        begin = self._begin
        places = [
            hashed << _PLACE_BITS | offset - begin for hashed, found in self._open.items() for offset in found
        ]
        self._blocks.append(_Block(begin, sorted(places)))
        self._open, self._count = {}, 0

    def clear(self) -> None:
        """Nothing was taken in."""
        self._blocks, self._open, self._count = [], {}, 0

    def find(self, hashes: Collection[int]) -> Sequence[int]:
        """The offsets of records whose keys have one of these hashes, in order."""
        found = [offset for block in self._blocks for wanted in hashes for offset in block.find(wanted)]
        found += [offset for wanted in hashes for offset in self._open.get(wanted, ())]
        return sorted(found)


class StepIndex:
    """The transitions of all partitions of an embedded log, in which offsets have no gaps."""

    def __init__(self, reader: EmbeddedReader) -> None:
        self._reader = reader
        self._partitions = [_PartitionIndex() for _ in range(reader.partitions)]

    async def grow(self) -> bool:
        """Takes in some records of each partition, if there are any. True: all have been read to their ends.

        Raises Unavailable.
        """
        return all([await self._grow(number) for number in range(self._reader.partitions)])

    async def _grow(self, number: int) -> bool:
        index = self._partitions[number]
        tail = await self._reader.tail(TRANSITIONS.name, number, index.end, INDEXED_AT_ONCE)
        if tail.anew:  # the log is another one
            index.clear()
        index.add(tail.records)
        index.end = tail.position
        return tail.at_end

    async def run(self) -> None:
        """Grows until it is cancelled."""
        while True:
            try:
                is_idle = await self.grow()
            except Unavailable:  # the one who follows the log names it
                is_idle = True
            await asyncio.sleep(IDLE_S if is_idle else BREATH_S)

    async def records(self, partition: int, ids: Collection[bytes]) -> AsyncIterator[Record]:
        """All records about these bare ids, and hardly any other, in order; also what was not taken in
        yet.
        """
        index, wanted = self._partitions[partition], {_hash(one) for one in ids}
        offsets, position = index.find(wanted), index.end
        for at in range(0, len(offsets), STEPS_AT_ONCE):
            some = offsets[at : at + STEPS_AT_ONCE]
            for record in await self._reader.read_at(TRANSITIONS.name, partition, some):
                yield record
            await asyncio.sleep(0)  # others want to be answered, too
        while True:
            tail = await self._reader.tail(TRANSITIONS.name, partition, position, INDEXED_AT_ONCE)
            for record in tail.records:
                if _hash(bare_id(record.key or b"")) in wanted:
                    yield record
            if tail.at_end:
                return
            position = tail.position


def _hash(key: bytes) -> int:
    return crc32(key)
