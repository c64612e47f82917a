"""One partition over the memory log: what its observers receive."""

import asyncio

from streams.core.ingest.partition import partition_of
from streams.core.processing.committed import Committed
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.core.processing.feeding import MINUTE, START, event, rules

PERSON = "1"
OWNER = partition_of(PERSON.encode(), 2)
OTHER = 1 - OWNER


async def opened(log: MemoryLog, partition: int, steps: list[Committed]) -> PartitionAgent:
    return await PartitionAgent.open(log, partition, Settings(), rules(), observers=(steps.append,))


async def test_what_a_forwarded_event_corrects_is_counted() -> None:
    """The step that reads it reports as many retractions as it writes."""
    log, steps = MemoryLog(2), list[Committed]()
    owner, other = await opened(log, OWNER, steps), await opened(log, OTHER, steps)
    await log.append([NewRecord(OWNER, None, event(2 * MINUTE, "later", user=PERSON), START + 3 * MINUTE)])
    await owner.step()
    await log.append([NewRecord(OTHER, None, event(MINUTE, "sooner", user=PERSON), START + 3 * MINUTE)])
    await other.step()
    await owner.step()
    retracted = [1 async for _, record in log.scan("transitions") if b'"retract"' in (record.value or b"")]
    assert 0 < len(retracted) == sum(step.retracted for step in steps)
    assert [0, 1, 0] == [step.totals.forwarded for step in steps]


async def test_a_step_does_not_change_after_it_was_reported() -> None:
    """An observer may keep what it receives: the next batch does not show in it."""
    log, steps = MemoryLog(1), list[Committed]()
    agent = await opened(log, 0, steps)
    await agent.step()
    await log.append([NewRecord(0, None, b"{", START)])
    await agent.step()
    await asyncio.sleep(0)
    assert [{}, {"undecodable": 1}] == [dict(step.reasons.get("rejected", {})) for step in steps]
    assert [0, 1] == [step.totals.received for step in steps]
