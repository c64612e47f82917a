"""Why records were rejected or late, by reason."""

from collections import Counter

from streams.log.port import Reader
from streams.topology import LATE, REJECTED, Topic

REASON = "reason"


async def reasons(reader: Reader, topic: Topic) -> Counter[str]:
    """How many records of this ledger have each reason."""
    assert topic in (LATE, REJECTED), topic
    found = Counter[str]()
    async for _, record in reader.scan(topic.name):
        found[next((value.decode() for name, value in record.headers if name == REASON), "")] += 1
    return found
