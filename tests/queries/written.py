"""A log with a small shop in it, for reports to read: written by agents, since nothing else knows how."""

import json
from collections.abc import Sequence
from typing import Any

from streams.core.ingest.formats.segment import key_of
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import load_rules
from streams.log.memory import MemoryLog
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings

MINUTE, HOUR, DAY = 1, 60, 1440  # minutes, which is what `said` takes

RULES = load_rules(
    'name = "small"\n'
    + "\n".join(
        f'[[event]]\nname = "{name}"\nmoment = "{moment}"\nconfidence = {confidence}\nnames = ["{name}"]'
        for name, moment, confidence in (
            ("look", "know", 0.9), ("glance", "know", 0.3), ("cart", "buy", 0.9), ("pay", "truth", 1.0), ("back", "refund", 1.0),
        )
    )
)  # fmt: skip


def said(who: str, event: str, minute: float, **more: Any) -> bytes:
    """What somebody did, so many minutes after 1 May 2024. `who` is a profile; the same event of one person at the same time has the same id."""
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
    """A log whose agents have processed these records, in this order."""
    log = MemoryLog(partitions)
    given = Settings(**settings)
    agents = [await PartitionAgent.open(log, partition, given, RULES) for partition in range(partitions)]
    await log.append(
        [
            (partition_of(key_of(record), partitions), None, record, 2_000_000_000_000, ())
            for record in records
        ]
    )
    for agent in agents:
        await agent.catch_up()
    mark = max(agent.processor.population.mark for agent in agents)
    for agent in agents:
        await agent.catch_up(mark)
    return log


SHOP = (
    said("u:ann", "look", 0), said("u:ann", "cart", 5), said("u:ann", "pay", 6), said("u:ann", "back", 60),
    said("u:bob", "look", 10), said("u:bob", "look", 10),
    said("d:cat", "glance", 12), said("d:cat", "glance", 14),
    said("u:dan", "cart", 20), said("u:dan", "scroll", 21), b"{",
    said("u:eve", "look", 5 * DAY), said("u:fay", "look", 5 * DAY + 1), said("u:ann", "look", 1 * DAY),
)  # fmt: skip
"""Ann bought and took it back. Bob only looked, twice as it seems. Cat glanced. Dan has a full cart and fell silent. Ann's last look was late."""

LATER = tuple(
    said("u:zoe", "look", 0, timestamp=f"2024-{month:02d}-28T00:00:00Z") for month in (6, 7, 8, 9, 10, 11)
)
"""Half a year in which only Zoe comes by: everybody else is forgotten."""
