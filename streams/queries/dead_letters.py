"""Reads the dead letters: records that were rejected or came too late, as they came, with the reason."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from schemas.dead_letters import LateHeaders, RejectedHeaders
from streams.log.port import Reader
from streams.records import Headers
from streams.topology import LATE, REJECTED, Topic

REASON_HEADER = "reason"


class DeadLetter(msgspec.Struct, frozen=True):
    """One record of the topic `late` or `rejected`."""

    # When it was written (milliseconds since 1970 UTC), and its partition and offset. The newer is greater.
    written: tuple[int, int, int]
    headers: RejectedHeaders | LateHeaders
    value: str  # the record as it came; bytes that are not UTF-8 are replaced

    def wire(self) -> bytes:
        """One JSON line without its line end: the headers, then the value."""
        return msgspec.json.encode({**msgspec.to_builtins(self.headers), "value": self.value})


async def read_dead_letters(reader: Reader, topic: Topic) -> AsyncIterator[DeadLetter]:
    """All records of the topic, partition by partition, in order."""
    kind = topic.types[0]
    async for partition, record in reader.scan(topic.name):
        headers: RejectedHeaders | LateHeaders = msgspec.convert(_texts(record.headers), kind, strict=False)
        value = (record.value or b"").decode("utf-8", "replace")
        yield DeadLetter((record.time_ms, partition, record.offset), headers, value)


async def count_reasons(reader: Reader, topic: Topic) -> Counter[str]:
    """How many records of the topic have each reason."""
    assert topic in (LATE, REJECTED), topic
    counts = Counter[str]()
    async for _, record in reader.scan(topic.name):
        counts[next((value.decode() for name, value in record.headers if name == REASON_HEADER), "")] += 1
    return counts


def _texts(headers: Headers) -> dict[str, Any]:
    return {name: value.decode("utf-8", "replace") for name, value in headers}
