"""Reads the net records of a topic with corrections: what was asserted, and not retracted since."""

from collections.abc import AsyncIterator

import msgspec

from streams.log.port import Reader
from streams.queries.listing import Listed, list_records
from streams.queries.time_range import EVER, TimeRange
from streams.topology import Topic


class _Operation(msgspec.Struct):
    id: str
    op: str
    rev: int


_decode = msgspec.json.Decoder(_Operation).decode


async def list_net_records(reader: Reader, topic: Topic, times: TimeRange = EVER) -> AsyncIterator[Listed]:
    """The records that assert what holds now, partition by partition, in order.

    The topic is read twice, so that only the retractions are held in memory. Records that are written
    meanwhile are left out.
    """
    retracted: dict[str, int] = {}  # id -> rev of its last retraction: an assert holds if its rev is greater
    read_to: dict[int, int] = {}
    async for partition, record in reader.scan(topic.name):
        read_to[partition] = record.offset
        if record.value is not None:
            operation = _decode(record.value)
            if operation.op == "retract":
                retracted[operation.id] = operation.rev
    async for listed in list_records(reader, topic, times):
        assert listed.record.value is not None
        if listed.record.offset > read_to.get(listed.partition, -1):
            continue
        operation = _decode(listed.record.value)
        if operation.op == "assert" and operation.rev > retracted.get(operation.id, -1):
            yield listed
