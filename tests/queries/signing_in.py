"""Logs with identity on: people browse as guests on several devices, sign in, and share devices."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from streams.core.moments.rules import Rules, default_rules
from streams.log.memory import MemoryLog
from streams.queries.verify import DEFAULT_MEMORY_BYTES, Verified, verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.test_verify import NAMES, START, redrive

NOW = int(START.timestamp() * 1000) + 400 * 86_400_000
IDENTITY = {"on": True, "forward": "2d", "back": "12h", "shared_above": 2}
UNSAID = "Signed In"  # an event that is a link and no signal


def guests(
    seed: int,
    count: int,
    days: float,
    users: int = 6,
    devices: int = 5,
    held_up: Sequence[float] = (0, 0, 0, -0.01, -0.5),
) -> list[bytes]:
    """Events of some users and devices, nearly in order: half of them of a device alone, most others of a
    user on a device. Each has an id of its own but for copies. `held_up`: by how many days, one of these.
    """
    rnd, found = random.Random(seed), list[bytes]()
    for n in range(count):
        if found and rnd.random() < 0.05:
            found.append(rnd.choice(found[-10:]))
            continue
        day = days * n / count + rnd.choice(held_up)
        properties: dict[str, Any] = {}
        if rnd.random() < 0.4:
            properties["order_id"] = rnd.choice(("o1", "o2"))
        if rnd.random() < 0.3:
            properties["products"] = [
                {"category": rnd.choice(("car", "coffee"))} for _ in range(rnd.randrange(3))
            ]
        device = rnd.randrange(devices)
        # Each user mostly has a device, so that not every one is shared.
        user = device if rnd.random() < 0.7 else rnd.randrange(users)
        record = {
            "type": "track",
            "messageId": f"m{n}",
            "event": rnd.choice((*NAMES, UNSAID)),
            "timestamp": (START + timedelta(days=max(0.0, day), seconds=n % 3)).isoformat(),
            "properties": properties,
        }
        if (chance := rnd.random()) < 0.5:
            record["anonymousId"] = f"phone{device}"
        elif chance < 0.8:
            record |= {"userId": f"user{user}", "anonymousId": f"phone{device}"}
        else:
            record["userId"] = f"user{user}"
        found.append(msgspec.json.encode(record))
    return found


async def signed_in(
    values: Sequence[bytes],
    partitions: int = 1,
    seed: int = 0,
    rules: Rules | None = None,
    **overrides: Any,
) -> MemoryLog:
    """A log in which these records are processed. They lie in any partition; agents take turns, and some are
    replaced.
    """
    rnd, rules = random.Random(seed), rules or default_rules()
    log, given = MemoryLog(partitions), load_settings(identity=IDENTITY, **overrides)
    agents = [await PartitionAgent.open(log, number, given, rules) for number in range(partitions)]
    n = 0
    while n < len(values):
        size = rnd.randrange(1, 60)
        await log.append(
            [NewRecord(rnd.randrange(partitions), None, value, NOW) for value in values[n : n + size]]
        )
        n += size
        number = rnd.randrange(partitions)
        if rnd.random() < 0.1:
            agents[number] = await PartitionAgent.open(log, number, given, rules)
        agents[number].batch = rnd.choice((1, 7, 50))
        await agents[number].step()
    await at_rest(agents)
    return log


async def redriven(log: MemoryLog, seed: int, **overrides: Any) -> MemoryLog:
    """The log when its late dead letters were redriven, twice."""
    rnd, given = random.Random(seed), load_settings(identity=IDENTITY, **overrides)
    for _ in range(2):
        await redrive(log, rnd, NOW)
        agents = [
            await PartitionAgent.open(log, number, given, default_rules()) for number in range(log.partitions)
        ]
        await at_rest(agents)
    return log


async def at_rest(agents: Sequence[PartitionAgent]) -> None:
    """Lets agents go on until nobody has anything to say."""
    for _ in range(6):
        for agent in agents:
            await agent.catch_up()
    mark = max(agent.processor.population.watermark_ms for agent in agents)
    for _ in range(3):
        for agent in agents:
            await agent.catch_up(mark)


async def verified(log: MemoryLog, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Verified:
    return await verify(log, lambda done, total: None, memory_bytes)
