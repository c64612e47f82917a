"""A log with a small shop in it, for reports to read.

Partition agents write it, since nothing else knows how.
"""

import json
from collections.abc import Sequence
from typing import Any

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import load_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.reading import key_of

MINUTE, HOUR, DAY = 1, 60, 1440  # in minutes, the unit of `did`

RULES = load_rules(
    'name = "small"\n'
    + "\n".join(
        f'[[event]]\nname = "{name}"\nmoment = "{moment}"\nconfidence = {confidence}\nnames = ["{name}"]'
        for name, moment, confidence in (
            ("look", "know", 0.9),
            ("glance", "know", 0.3),
            ("cart", "buy", 0.9),
            ("pay", "truth", 1.0),
            ("back", "refund", 1.0),
        )
    )
    + '\n[[cue]]\nname = "slow"\ncue = "slow_page"\ntypes = ["track"]\n'
    + 'where = { path = "properties.slow", is = ["true"] }\n'
)


def did(who: str, event: str, minute: float, **more: Any) -> bytes:
    """The record of what somebody did, so many minutes after 1 May 2024. `who` is a profile.

    An event that a person repeats at the same time has the same id.
    """
    field = "userId" if who.startswith("u:") else "anonymousId"
    whole = int(minute * 60)
    time = (
        f"2024-05-{1 + whole // 86_400:02d}T{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}Z"
    )
    return json.dumps(
        {
            "type": "track",
            "messageId": f"{event}-{whole}",
            field: who[2:],
            "event": event,
            "timestamp": time,
            **more,
        }
    ).encode()


async def written(records: Sequence[bytes], partitions: int = 1, **settings: Any) -> MemoryLog:
    """A log whose agents have processed these records in this order."""
    log = MemoryLog(partitions)
    given = Settings(**settings)
    agents = [await PartitionAgent.open(log, partition, given, RULES) for partition in range(partitions)]
    await log.append(
        [
            NewRecord(partition_of(key_of(record), partitions), None, record, 2_000_000_000_000)
            for record in records
        ]
    )
    for agent in agents:
        await agent.catch_up()
    mark = max(agent.processor.population.watermark_ms for agent in agents)
    while True:
        for agent in agents:
            agent.processor.tracker.request_report()
            await agent.catch_up(mark)
        settled = all(agent.processor.population.settled_mark_ms >= mark for agent in agents)
        if settled and not any((await behind(log)).values()):
            return log


async def behind(log: MemoryLog) -> dict[str, int]:
    """The records of each source that were not processed."""
    found = await log.ends()
    for raw in await log.checkpoints():
        if raw is not None:
            for source, position in decode_checkpoint(raw).sources.items():
                found[source] -= position.offset
    return found


SHOP = (
    did("u:ann", "look", 0), did("u:ann", "cart", 5), did("u:ann", "pay", 6), did("u:ann", "back", 60),
    did("u:bob", "look", 10), did("u:bob", "look", 10),
    did("d:cat", "glance", 12), did("d:cat", "glance", 14),
    did("u:dan", "cart", 20), did("u:dan", "scroll", 21), b"{",
    did("u:eve", "look", 5 * DAY), did("u:fay", "look", 5 * DAY + 1), did("u:ann", "look", 1 * DAY),
)  # fmt: skip
"""Ann bought and gave it back, and her last look was late.

Bob looked, in two copies of one event. Cat glanced. Dan has a full cart and
fell silent. Eve and Fay look days later.
"""

LATER = tuple(
    did("u:zoe", "look", 0, timestamp=f"2024-{month:02d}-28T00:00:00Z") for month in (6, 7, 8, 9, 10, 11)
)
"""Half a year in which only Zoe comes, so that everybody else is forgotten."""
