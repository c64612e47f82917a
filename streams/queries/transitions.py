"""Reads transitions: all that were published, or the net ones: those asserted and not retracted since."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.topology import TRANSITIONS


class _Operation(msgspec.Struct):
    id: str
    op: str
    rev: int


_decode = msgspec.json.Decoder(_Operation).decode


async def read_transitions(reader: Reader) -> AsyncIterator[bytes]:
    """The value of every record of the topic, partition by partition, in order."""
    async for _, record in reader.scan(TRANSITIONS.name):
        if record.value is not None:
            yield record.value


async def follow_transitions(reader: Reader, wait: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
    """The values of all records of the topic and of those that come, without an end. `wait` is awaited when
    nothing has come.
    """
    positions: dict[int, TailPosition | None] = dict.fromkeys(range(reader.partitions))
    while True:
        idle = True
        for partition, position in positions.items():
            tail = await reader.tail(TRANSITIONS.name, partition, position)
            positions[partition] = tail.position
            idle = idle and tail.at_end
            for record in tail.records:
                if record.value is not None:
                    yield record.value
        if idle:
            await wait()


async def read_net_transitions(reader: Reader) -> AsyncIterator[bytes]:
    """The values that assert what holds now, in the same order.

    The topic is read twice, so that only the retractions are held in memory. Records that are written
    meanwhile are left out.
    """
    retracted: dict[str, int] = {}  # id -> rev of its last retraction: an assert holds if its rev is greater
    read_to: dict[int, int] = {}
    async for partition, record in reader.scan(TRANSITIONS.name):
        read_to[partition] = record.offset
        if record.value is not None:
            operation = _decode(record.value)
            if operation.op == "retract":
                retracted[operation.id] = operation.rev
    async for partition, record in reader.scan(TRANSITIONS.name):
        if record.value is None or record.offset > read_to.get(partition, -1):
            continue
        operation = _decode(record.value)
        if operation.op == "assert" and operation.rev > retracted.get(operation.id, -1):
            yield record.value
