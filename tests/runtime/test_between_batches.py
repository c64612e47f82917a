"""What is asked of a partition is answered from what is committed."""

import asyncio
from typing import cast

import pytest

from streams.errors import Fenced, Unavailable
from streams.log.memory import MemoryLog
from streams.log.port import Session
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.written import RULES, did
from tests.runtime.slow_session import SlowSession


async def opened() -> tuple[MemoryLog, PartitionAgent, SlowSession]:
    """An agent that has an event of Ann to read."""
    log = MemoryLog(1)
    session = SlowSession(await log.open(0))
    agent = await PartitionAgent.restored(cast(Session, session), 1, Settings(), RULES)
    await log.append([NewRecord(0, None, did("u:ann", "look", 0), 2_000_000_000_000)])
    return log, agent, session


async def knows_ann(agent: PartitionAgent) -> bool:
    return await agent.between_batches.ask(
        lambda: agent.processor.population.profiles.get("u:ann") is not None
    )


async def test_an_answer_waits_for_the_commit() -> None:
    """Before the batch and after it, it comes at once."""
    _, agent, session = await opened()
    assert not await knows_ann(agent)
    stepping = asyncio.create_task(agent.step())
    await session.committing.wait()
    asked = asyncio.create_task(knows_ann(agent))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not asked.done()
    session.may_commit.set()
    await stepping
    assert await asked
    assert await knows_ann(agent)


async def asked_for(agent: PartitionAgent, *about: str) -> "asyncio.Task[int]":
    """A question about these, which has had its turn."""
    task = asyncio.create_task(agent.between_batches.ask(lambda: agent.reach.rev, about))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def test_who_is_not_in_a_batch_is_no_reason_to_wait_for_its_commit() -> None:
    """Whoever asks about somebody in it, or about all, gets the answer after it."""
    _, agent, session = await opened()
    stepping = asyncio.create_task(agent.step())
    await session.committing.wait()
    others, ann = await asked_for(agent, "u:ben", "d:ben"), await asked_for(agent, "u:ben", "u:ann")
    everybody = await asked_for(agent)
    assert 0 == others.result(), "what is committed has no transition yet"
    assert not ann.done()
    assert not everybody.done()
    session.may_commit.set()
    await stepping
    assert (1, 1) == (await ann, await everybody)


async def test_who_has_waited_for_the_end_of_a_fold_is_answered_before_the_commit() -> None:
    """While a batch folds nobody knows yet whom it changes."""
    _, agent, session = await opened()
    agent.between_batches.begin()
    others, ann = await asked_for(agent, "u:ben"), await asked_for(agent, "u:ann")
    assert not others.done()
    stepping = asyncio.create_task(agent.step())
    await session.committing.wait()
    assert 0 == await others
    assert not ann.done()
    session.may_commit.set()
    await stepping
    assert 1 == await ann


async def test_what_was_not_committed_is_no_answer() -> None:
    """Another agent took over meanwhile: whoever waits learns nothing, nor does anybody who asks later."""
    log, agent, session = await opened()
    stepping = asyncio.create_task(agent.step())
    await session.committing.wait()
    asked = asyncio.create_task(knows_ann(agent))
    await log.open(0)
    session.may_commit.set()
    with pytest.raises(Fenced):
        await stepping
    assert not asked.done()
    await agent.close()
    with pytest.raises(Unavailable):
        await asked
    with pytest.raises(Unavailable):
        await knows_ann(agent)


async def test_a_question_that_fails_ends_no_agent() -> None:
    """Whoever asked it gets the error, and whoever has gone gets nothing."""
    _, agent, session = await opened()
    session.may_commit.set()
    agent.between_batches.begin()
    failing = asyncio.create_task(agent.between_batches.ask(lambda: 1 // 0))
    gone = asyncio.create_task(knows_ann(agent))
    await asyncio.sleep(0)
    gone.cancel()
    await agent.step()
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await knows_ann(agent)
