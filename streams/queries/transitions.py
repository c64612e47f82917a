"""Transitions as they are stored, and those of them that are true now: asserted, and not retracted since."""

from collections.abc import AsyncIterator

import msgspec

from streams.log.port import Reader
from streams.topology import TRANSITIONS


class _Named(msgspec.Struct):
    id: str
    op: str
    rev: int


_decode = msgspec.json.Decoder(_Named).decode


async def stored(reader: Reader) -> AsyncIterator[bytes]:
    """Every record of the topic, partition by partition, in order."""
    async for _, record in reader.scan(TRANSITIONS.name):
        if record.value is not None:
            yield record.value


async def standing(reader: Reader) -> AsyncIterator[bytes]:
    """The records that assert what is true now, in that order.

    Reads twice, so that it holds what was retracted and not what was said; what is written meanwhile does not count.
    """
    retracted: dict[str, int] = {}  # id -> rev of the last retraction: an assert stands if it came after it
    read_to: dict[int, int] = {}
    async for partition, record in reader.scan(TRANSITIONS.name):
        read_to[partition] = record.offset
        if record.value is not None:
            said = _decode(record.value)
            if said.op == "retract":
                retracted[said.id] = said.rev
    async for partition, record in reader.scan(TRANSITIONS.name):
        if record.value is None or record.offset > read_to.get(partition, -1):
            continue
        said = _decode(record.value)
        if said.op == "assert" and said.rev > retracted.get(said.id, -1):
            yield record.value
