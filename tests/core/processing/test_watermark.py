"""Partitions that hand events over to each other wait for each other, also when they have been away."""

from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import Rules, load_rules
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.core.processing.feeding import RULES

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
STEPS = 12  # to read what there is, to be quiet and to hear that the other is
WHO = next(f"u{n}" for n in count() if partition_of(f"u{n}".encode(), 2) == 0)
LOOKED: Rules = load_rules(RULES.format(name="r", looked="know"))
numbers = count()


def looked(after: timedelta) -> bytes:
    at = (BEGAN + after).isoformat()
    return msgspec.json.encode(
        {"type": "track", "messageId": str(next(numbers)), "userId": WHO, "event": "Looked", "timestamp": at}
    )


async def opened(log: MemoryLog, number: int) -> PartitionAgent:
    return await PartitionAgent.open(log, number, Settings(), LOOKED)


async def at_rest(log: MemoryLog) -> list[PartitionAgent]:
    """Two partitions that have read everything: events of somebody who lives in the first, found in both."""
    await log.append(
        [
            NewRecord(number, None, looked(timedelta(seconds=second)), -1)
            for second in range(5)
            for number in (0, 1)
        ]
    )
    agents = [await opened(log, number) for number in (0, 1)]
    await work(*agents)
    assert [[peer.idle for peer in agent.processor.tracker.peers.values()] for agent in agents] == [
        [True],
        [True],
    ]
    return agents


async def work(*agents: PartitionAgent) -> None:
    for _ in range(STEPS):
        for agent in agents:
            await agent.step()


@pytest.mark.parametrize("first", [0, 1])
async def test_nothing_is_late_because_nobody_was_there(first: int) -> None:
    """Nothing ran for four days, twice the horizon, and one partition is back before the other: what
    that has yet to hand over is waited for.
    """
    log = MemoryLog(2)
    for agent in await at_rest(log):
        await agent.close()
    await log.append(
        [
            NewRecord(number, None, looked(timedelta(hours=hour)), -1)
            for hour in range(1, 97)
            for number in (0, 1)
        ]
    )
    one = await opened(log, first)
    await work(one)
    other = await opened(log, 1 - first)
    await work(one, other)
    home = one if one.session.partition == 0 else other
    assert (home.processor.checkpoint.counts.applied, home.processor.checkpoint.counts.late) == (
        10 + 2 * 96,
        0,
    )
    assert home.processor.population.watermark_ms == int((BEGAN + timedelta(hours=96)).timestamp() * 1000)


async def test_who_is_back_hears_that_the_others_are_quiet() -> None:
    """They have nothing new to say, and say it once more: nobody waits for them, and once is enough."""
    log = MemoryLog(2)
    _, other = await at_rest(log)
    back = await opened(log, 0)
    assert back.processor.tracker.waiting_for == [1]
    await work(back, other)
    assert (back.processor.tracker.waiting_for, other.processor.tracker.waiting_for) == ([], [])
    ends = await log.ends()
    await work(back, other)
    assert await log.ends() == ends
