"""The ledgers: records that were rejected or came too late, each as it came and with what was said of it."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from schemas.dead_letters import LateHeaders, RejectedHeaders
from streams.log.port import Reader
from streams.records import Headers
from streams.topology import LATE, REJECTED, Topic

REASON = "reason"


class Entry(msgspec.Struct, frozen=True):
    """One record of a ledger."""

    written: tuple[
        int, int, int
    ]  # when it was written (milliseconds since 1970 UTC), by which partition, at which place there: newer is greater
    said: RejectedHeaders | LateHeaders
    value: str  # the record as it came; what of it is no UTF-8 is replaced

    def wire(self) -> bytes:
        """One JSON line, without the end of the line: what was said, then the value."""
        return msgspec.json.encode({**msgspec.to_builtins(self.said), "value": self.value})


async def entries(reader: Reader, topic: Topic) -> AsyncIterator[Entry]:
    """All of a ledger, partition by partition, in order."""
    type = topic.types[0]
    async for partition, record in reader.scan(topic.name):
        said: RejectedHeaders | LateHeaders = msgspec.convert(_texts(record.headers), type, strict=False)
        yield Entry(
            (record.time_ms, partition, record.offset), said, (record.value or b"").decode("utf-8", "replace")
        )


async def reasons(reader: Reader, topic: Topic) -> Counter[str]:
    """How many records of this ledger have each reason."""
    assert topic in (LATE, REJECTED), topic
    found = Counter[str]()
    async for _, record in reader.scan(topic.name):
        found[next((value.decode() for name, value in record.headers if name == REASON), "")] += 1
    return found


def _texts(headers: Headers) -> dict[str, Any]:
    return {name: value.decode("utf-8", "replace") for name, value in headers}
