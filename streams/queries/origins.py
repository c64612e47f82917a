"""Where the items of the late and rejected topics were read first."""

from collections.abc import AsyncIterator

import msgspec

from streams.log.port import Reader
from streams.topology import source_name


class Origin(msgspec.Struct, frozen=True):
    """Where an item was read first."""

    source: str
    offset: int
    index: int


async def read_origins(reader: Reader, topic: str, partition: int) -> AsyncIterator[Origin]:
    """The origins of all items in a partition of a topic of dead letters."""
    async for _, record in reader.scan(topic, partition):
        headers = dict(record.headers)
        source = source_name(headers["topic"].decode(), int(headers["partition"]))
        yield Origin(source, int(headers["offset"]), int(headers["index"]))
