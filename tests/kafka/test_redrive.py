"""Redriving dead letters of an app on a real broker: with a kill of the command and of the workers."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.clock import Clock
from streams.core.moments.rules import default_rules
from streams.errors import Unavailable
from streams.log.kafka.log import KafkaLog
from streams.queries.redriving import Redrive, Redrove, Wanted
from streams.queries.verify import verify
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.test_verify import PARTITIONS, connected, opened, send
from tests.queries.written import DAY, did

LATE = 40


def ignored(count: int) -> None:
    """Progress that nobody looks at."""


async def steps(agents: list[PartitionAgent], count: int) -> None:
    """So many steps of each agent."""
    for _ in range(count):
        for agent in agents:
            await agent.step()


async def with_late_events(log: KafkaLog, *, keyed: bool = True) -> list[PartitionAgent]:
    """Agents that have found the events of forty people late."""
    agents = await opened(log, 100)
    await send(log, [did(f"u:now{n}", "Product Viewed", 12 * DAY + n) for n in range(20)])
    await steps(agents, 6)
    await send(log, [did(f"u:p{n}", "Product Viewed", n) for n in range(LATE)], keyed=keyed)
    await steps(agents, 6)
    return agents


async def redriven(log: KafkaLog, agents: list[PartitionAgent], command: str) -> Redrove:
    """A whole command, while the agents work."""
    redrive = Redrive(log, command, Clock())

    async def work() -> None:
        await steps(agents, 1)

    await redrive.send(Wanted("late"), ignored)
    await redrive.wait(work, 60, ignored)
    return redrive.done


async def opened_steps(log: KafkaLog) -> list[Any]:
    return [
        record.value
        async for _, record in log.scan("transitions")
        if b'"kind":"opened"' in (record.value or b"") and b'"profile":"u:p' in (record.value or b"")
    ]


async def test_everything_counts_once_through_kills_and_two_commands_at_once() -> None:
    """One command is killed after it has sent, the agents are killed before they commit, and two more
    commands send the same items at the same time.
    """
    app = topics.new_app(PARTITIONS)
    log = await connected(app)
    agents = await with_late_events(log)
    first, second = Redrive(log, "first", Clock()), Redrive(log, "second", Clock())
    await Redrive(log, "killed", Clock()).send(Wanted("late"), ignored)
    await asyncio.gather(first.send(Wanted("late"), ignored), second.send(Wanted("late"), ignored))
    await steps(agents, 1)
    for agent in agents:  # and die with what they took
        agent.processor.take(await agent.session.read(agent.processor.tracker.offsets, 50))
    agents = await opened(log, 100)

    async def work() -> None:
        await steps(agents, 1)

    for command in (first, second):
        await command.wait(work, 60, ignored)
        assert {"already": LATE} == dict(command.done.ended), "the first command had sent them before"
    assert LATE == len(await opened_steps(log))
    await steps(agents, 3)
    verified = await verify(log, lambda done, total: None)
    assert verified.difference is None
    assert {"redriven before": LATE} == dict((await redriven(log, agents, "last")).passed_over)
    await log.close()


async def test_what_was_redriven_is_remembered_while_its_letter_is_kept() -> None:
    """When age has deleted a dead letter, the next redrive tells its partition so."""
    app = topics.new_app(PARTITIONS)
    log = await connected(app)
    agents = await with_late_events(log)
    await redriven(log, agents, "first")
    remembered = [len(agent.processor.redriven.fates) for agent in agents]
    assert LATE == sum(remembered)
    tps = {TopicPartition(log.topic("late"), number): RecordsToDelete(5) for number in range(PARTITIONS)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap())
    await admin.start()
    await admin.delete_records(tps)
    await admin.close()
    assert [5] * PARTITIONS == await log.first_offsets("late")
    await send(log, [did(f"u:q{n}", "Product Viewed", n) for n in range(20)])
    await steps(agents, 6)
    found = await redriven(log, agents, "second")
    assert {"redriven before": LATE - 5 * PARTITIONS} == dict(found.passed_over)
    assert {"applied": 20} == dict(found.ended)
    agents = await opened(log, 100)
    assert LATE + 20 - 5 * PARTITIONS == sum(len(agent.processor.redriven.fates) for agent in agents)
    await steps(agents, 3)
    assert (await verify(log, lambda done, total: None)).difference is None
    await log.close()


async def test_a_command_without_workers_says_what_is_under_way() -> None:
    """It ends after its timeout, and what it sent is taken once when an agent comes."""
    app = topics.new_app(PARTITIONS)
    log = await connected(app)
    agents = await with_late_events(log)
    redrive = Redrive(log, "impatient", Clock())
    await redrive.send(Wanted("late"), ignored)

    async def nobody_works() -> None:
        await asyncio.sleep(0.05)

    with pytest.raises(Unavailable, match=f"{LATE} of the dead letters are still under way"):
        await redrive.wait(nobody_works, 0.2, ignored)
    assert LATE == redrive.done.waiting.total()
    found = await redriven(log, agents, "patient")
    assert LATE == found.ended.total() + found.passed_over["redriven before"]
    assert LATE == len(await opened_steps(log))
    await log.close()


async def test_an_item_is_sent_on_to_its_owner() -> None:
    """A record that was rejected where its person does not belong counts at the partition that owns them."""
    app = topics.new_app(PARTITIONS)
    log = await connected(app)
    people = [f"p{n}" for n in range(20)]
    settings = Settings(batch=100, placeholders=people)
    agents = [
        await PartitionAgent.open(log, number, settings, default_rules()) for number in range(PARTITIONS)
    ]
    await send(log, [did(f"u:{who}", "Product Viewed", n) for n, who in enumerate(people)], keyed=False)
    await steps(agents, 4)
    agents = await opened(log, 100)
    redrive = Redrive(log, "again", Clock())
    await redrive.send(Wanted("rejected"), ignored)

    async def work() -> None:
        await steps(agents, 1)

    await redrive.wait(work, 60, ignored)
    assert {"missing_person": 20} == dict(redrive.done.sent)
    assert {"applied": 20} == dict(redrive.done.ended)
    receipts = [record.value or b"" async for _, record in log.scan("redriven")]
    assert 0 < sum(b'"outcome":"forwarded"' in receipt for receipt in receipts) < 20
    assert 20 == len(await opened_steps(log))
    await steps(agents, 3)
    assert (await verify(log, lambda done, total: None)).difference is None
    await log.close()
