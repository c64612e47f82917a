"""Where the steps of each person stand in the transitions, so that a story need not read all of them.

Four bytes a transition: of each block of some thousand, the hashes of its keys, in order. A person's story
reads the blocks that have the hash, and hardly any other. It is made in the background, from the oldest
transition on, and follows what comes.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection
from zlib import crc32

import msgspec

from streams.core.processing.record_keys import bare_id
from streams.errors import Unavailable
from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.records import Record
from streams.topology import TRANSITIONS

BLOCK_RECORDS = 1_024  # as many as a chunk of the embedded log
IDLE_S = 1.0  # between two looks at a log that has nothing new: until then it is read on from where it ends
BREATH_S = 0.002  # after each block, for those who wait for an answer meanwhile


class _Block(msgspec.Struct, frozen=True):
    """Records that follow each other."""

    begin: TailPosition
    count: int
    hashes: "array[int]"  # of their keys, sorted


class StepIndex:
    """The blocks of each partition."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._blocks: list[list[_Block]] = [[] for _ in range(reader.partitions)]
        self._ends: list[TailPosition | None] = [None] * reader.partitions

    async def grow(self) -> bool:
        """Takes in one block of each partition, if there is one. True: all have been read to their ends.

        Raises Unavailable.
        """
        return all([await self._grow(number) for number in range(self._reader.partitions)])

    async def _grow(self, partition: int) -> bool:
        blocks, begin = self._blocks[partition], self._ends[partition]
        if blocks and blocks[-1].count < BLOCK_RECORDS:
            begin = blocks[-1].begin  # it was the end, and has more now
        tail = await self._reader.tail(TRANSITIONS.name, partition, begin, BLOCK_RECORDS)
        if tail.anew:  # the log is another one, or its oldest records are gone by age
            blocks.clear()
        elif blocks and begin == blocks[-1].begin:
            blocks.pop()
        if tail.records:
            hashes = array("I", sorted(_hash(bare_id(record.key or b"")) for record in tail.records))
            first = TailPosition(tail.records[0].offset, -1 if begin is None else begin.current_ms)
            blocks.append(_Block(first, len(tail.records), hashes))
        self._ends[partition] = tail.position
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
        """All records about these bare ids, and some others, in order; also what is in no block yet."""
        wanted, position = [_hash(one) for one in ids], self._ends[partition]
        for block in list(self._blocks[partition]):
            if any(_has(block.hashes, one) for one in wanted):
                tail = await self._reader.tail(TRANSITIONS.name, partition, block.begin, block.count)
                for record in tail.records:
                    yield record
        while True:
            tail = await self._reader.tail(TRANSITIONS.name, partition, position, BLOCK_RECORDS)
            for record in tail.records:
                yield record
            if tail.at_end:
                return
            position = tail.position


def _hash(key: bytes) -> int:
    return crc32(key)


def _has(hashes: "array[int]", wanted: int) -> bool:
    at = bisect_left(hashes, wanted)
    return at < len(hashes) and hashes[at] == wanted
