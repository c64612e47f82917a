"""Where the steps of each person stand in the transitions, so that a story reads them and no others."""

import asyncio
from collections.abc import AsyncIterator, Collection

from streams.core.processing.record_keys import bare_id
from streams.dashboard.key_index import INDEXED_AT_ONCE, KeyIndex
from streams.log.port import EmbeddedReader
from streams.records import Record
from streams.topology import TRANSITIONS

STEPS_AT_ONCE = 32  # of a story: each may stand in another chunk


class StepIndex(KeyIndex):
    """The transitions of all partitions."""

    def __init__(self, reader: EmbeddedReader) -> None:
        super().__init__(reader, TRANSITIONS, bare_id)

    async def records(self, partition: int, ids: Collection[bytes]) -> AsyncIterator[Record]:
        """All records about these bare ids, and hardly any other, in order; also what was not taken in
        yet.
        """
        offsets, position = self.find(partition, ids)
        for at in range(0, len(offsets), STEPS_AT_ONCE):
            some = offsets[at : at + STEPS_AT_ONCE]
            for record in await self._reader.read_at(TRANSITIONS.name, partition, some):
                yield record
            await asyncio.sleep(0)  # others want to be answered, too
        while True:
            tail = await self._reader.tail(TRANSITIONS.name, partition, position, INDEXED_AT_ONCE)
            for record in tail.records:
                if bare_id(record.key or b"") in ids:
                    yield record
            if tail.at_end:
                return
            position = tail.position
