"""The record of an app on a real broker: who may join is decided before anybody joins."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import structlog
from aiokafka.admin import NewTopic

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import Counts, decode_checkpoint
from streams.errors import Incompatible
from streams.log.kafka import input_look
from streams.log.kafka.app_record import AppRecord
from streams.log.kafka.app_topic import RecordChange
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import admin, look
from streams.records import NewRecord
from streams.runtime.agreement import Agreement
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.worker import Worker
from streams.settings.tables import Settings
from streams.telemetry.meters import Meters
from streams.topology import split_source
from tests.core.processing.feeding import event, rules
from tests.kafka import topics
from tests.kafka.broker import bootstrap

PARTITIONS = 2
LONGEST_S = 60  # a few seconds as a rule; the machine may be busy
OTHER: dict[str, Any] = {"refund_window": "120d"}


class Member:
    """A worker of an app, with a log of its own."""

    def __init__(self, app: str, inputs: Sequence[str] = (), **settings: Any) -> None:
        self.app, self.inputs = app, list(inputs or [f"{app}.events"])
        kafka = {"bootstrap": bootstrap(), "app": app, "inputs": self.inputs}
        self.settings = Settings.model_validate({"kafka": kafka, **settings})
        self.stop = asyncio.Event()
        self.steps: list[tuple[int, bool]] = []  # partition, and whether something was committed

    async def start(self) -> "Member":
        self.log = await KafkaLog.connect(Cluster(bootstrap()), self.app, self.inputs)
        self.log_lines = structlog.testing.LogCapture()
        logger = structlog.wrap_logger(
            None, processors=[self.log_lines], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
        self.meters = Meters()
        self.worker = Worker.on_kafka(
            self.log,
            self.settings,
            rules(),
            meters=self.meters,
            logger=logger,
            observers=[lambda step: self.steps.append((step.partition, step.written))],
        )
        self.task = asyncio.create_task(self.worker.run(self.stop))
        return self

    async def end(self) -> None:
        """Stops it. Raises what it ended by."""
        self.stop.set()
        await self.ends()

    async def ends(self) -> None:
        """Returns when it has ended. Raises what it ended by."""
        try:
            await asyncio.wait_for(self.task, LONGEST_S)
        finally:
            await self.log.close()

    @property
    def ever_joined(self) -> bool:
        return self.worker.membership.assignment.assigned_s >= 0

    async def opens(self) -> None:
        """Returns when it has opened every partition. Raises what the worker has ended by."""

        def works() -> bool:
            if self.task.done():
                self.task.result()
            return len(self.worker.status().opened) == PARTITIONS

        await holds(works)

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log about such an event."""
        return [dict(line) for line in self.log_lines.entries if line["event"] == name]


async def holds(what: Callable[[], bool]) -> None:
    """Returns when it does."""
    async with asyncio.timeout(LONGEST_S):
        while not what():
            await asyncio.sleep(0.02)


async def has_received(log: KafkaLog, wanted: int) -> None:
    """Returns when the app has counted so many items."""
    async with asyncio.timeout(LONGEST_S):
        while await received(log) < wanted:
            await asyncio.sleep(0.05)


async def positions(log: KafkaLog, topic: str) -> dict[str, int]:
    """How far the app has read an input."""
    found = [decode_checkpoint(raw).sources for raw in await log.checkpoints() if raw]
    return {
        source: position.offset
        for sources in found
        for source, position in sources.items()
        if split_source(source)[0] == topic
    }


async def received(log: KafkaLog) -> int:
    """How many items the app has counted."""
    found = [decode_checkpoint(raw).counts if raw else Counts() for raw in await log.checkpoints()]
    return sum(counts.received for counts in found)


def records(count: int, first: int = 0) -> list[NewRecord]:
    found = []
    for number in range(first, first + count):
        user = f"u{number}"
        value = event(number * 1_000, f"e{number}", "Looked", user=user)
        found.append(NewRecord(partition_of(user.encode(), PARTITIONS), user.encode(), value, -1))
    return found


async def make(topic: str, partitions: int = PARTITIONS, **config: str) -> None:
    """Makes a topic, and returns when a broker knows of it."""
    await topics.create([NewTopic(topic, partitions, 1, topic_configs=config)])
    async with admin(Cluster(bootstrap()), "x") as client:
        while topic not in (await look(client, [topic])).topics:
            await asyncio.sleep(0.05)


async def delete(topic: str) -> None:
    """Deletes a topic, and returns when no broker knows of it."""
    async with admin(Cluster(bootstrap()), "x") as client:
        await client.delete_topics([topic])
        while topic in (await look(client, [topic])).topics:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("attempt", range(3))
async def test_of_two_settings_one_is_let_in(attempt: int) -> None:
    """Two workers with different fold settings start a new app together: one works, the other is refused
    before it has joined, and names the difference. Then the app runs under the settings of the first.
    """
    app = topics.new_app(PARTITIONS)
    both = [Member(app), Member(app, **OTHER)]
    await asyncio.gather(*(member.start() for member in both))
    await holds(lambda: any(one.task.done() for one in both) and any(one.ever_joined for one in both))
    (refused,) = [member for member in both if member.task.done()]
    (winner,) = [member for member in both if member is not refused]
    with pytest.raises(Incompatible, match=r"refund_window: stored (90d, given 120d|120d, given 90d)"):
        await refused.ends()
    assert not refused.ever_joined
    await winner.opens()
    assert (record := await winner.log.app_record()) is not None
    assert record.fold["refund_window"] == ("90d" if winner is both[0] else "120d")
    again = await Member(app, **(OTHER if winner is both[1] else {})).start()
    await holds(lambda: again.ever_joined)
    for member in (winner, again):
        await member.end()


async def test_a_worker_with_wrong_settings_disturbs_nobody() -> None:
    """It is started again and again, and takes no partition from a healthy worker."""
    app = topics.new_app(PARTITIONS)
    healthy = await Member(app).start()
    await healthy.opens()
    assigned_s = healthy.worker.membership.assignment.assigned_s
    for _ in range(5):
        wrong = await Member(app, **OTHER).start()
        with pytest.raises(Incompatible, match="refund_window: stored 90d, given 120d"):
            await wrong.ends()
        assert not wrong.ever_joined
    await healthy.log.append(records(10))
    await has_received(healthy.log, 10)
    assert assigned_s == healthy.worker.membership.assignment.assigned_s
    assert ([], []) == (healthy.lines("died"), healthy.lines("closed"))
    await healthy.end()


async def test_an_input_that_was_made_anew_is_stopped_at_a_start() -> None:
    """It has more records than the old one had: read on from the old position, nobody would have noticed.
    Another input is still read, and a later start stops the first again.
    """
    app = topics.new_app(PARTITIONS)
    input, other = f"{app}.events", f"{app}.others"
    await make(other)
    first = await Member(app, [input, other]).start()
    await first.log.append(records(20))
    await has_received(first.log, 20)
    before = await positions(first.log, input)
    await first.end()
    await delete(input)
    await make(input)

    elsewhere = KafkaLog(Cluster(bootstrap()), app, {other: PARTITIONS}, PARTITIONS)
    for start in (1, 2):
        second = await Member(app, [input, other]).start()
        await second.log.append(records(100, first=1_000 * start))
        await second.opens()
        (line,) = second.lines("input_stopped")
        assert (input, True) == (line["input"], "it was deleted and made anew" in line["reason"])
        assert f'streams_stopped_inputs{{input="{input}"}} 1.0' in second.meters.render().decode()
        await elsewhere.append(records(10, first=5_000 * start))
        await has_received(second.log, 20 + 10 * start)
        assert 20 + 10 * start == await received(second.log)
        assert before == await positions(second.log, input)
        await second.end()
    assert (record := await elsewhere.app_record()) is not None
    assert {input: True, other: False} == {
        name: seen.stopped is not None for name, seen in record.inputs.items()
    }
    await elsewhere.close()


async def test_an_input_that_is_made_anew_is_stopped_while_it_is_read() -> None:
    """Whatever is written into it afterwards is not read."""
    app = topics.new_app(PARTITIONS)
    input = f"{app}.events"
    member = await Member(app).start()
    await member.log.append(records(20))
    await has_received(member.log, 20)
    before = await positions(member.log, input)
    await delete(input)
    await make(input)
    await holds(lambda: bool(member.lines("input_stopped")))
    await member.log.append(records(100, first=1_000))
    await member.opens()
    # An idle agent commits every few seconds: what it reads is in there.
    begun = len(member.steps)
    await holds(lambda: {n for n, written in member.steps[begun:] if written} == set(range(PARTITIONS)))
    assert (20, before) == (await received(member.log), await positions(member.log, input))
    await member.end()


async def test_nothing_is_read_of_an_input_before_it_is_stopped() -> None:
    """It is made anew and filled beyond the old offsets at once, before the worker looks by the clock."""
    app = topics.new_app(PARTITIONS)
    input = f"{app}.events"
    member = await Member(app).start()
    await member.log.append(records(20))
    await has_received(member.log, 20)
    before = await positions(member.log, input)
    producer = member.log.cluster.producer()
    await producer.start()
    await delete(input)
    await topics.create([NewTopic(input, PARTITIONS, 1)])
    for number in range(200):
        await producer.send(input, records(1, first=1_000 + number)[0].value, partition=number % PARTITIONS)
    await producer.flush()
    await producer.stop()
    await holds(lambda: bool(member.lines("input_stopped")))
    assert (20, before) == (await received(member.log), await positions(member.log, input))
    await member.end()


async def test_an_input_of_which_nothing_was_read_may_be_made_anew() -> None:
    """Its offsets mean as much as before."""
    app = topics.new_app(PARTITIONS)
    first = await Member(app).start()
    await first.opens()
    await first.end()
    await delete(f"{app}.events")
    await make(f"{app}.events")
    second = await Member(app).start()
    await second.log.append(records(20))
    await has_received(second.log, 20)
    assert [] == second.lines("input_stopped")
    await second.end()


class Overtaken(KafkaLog):
    """The log of a worker that is overtaken by another one whenever it is about to write the record."""

    other: Agreement

    async def change_app_record(self, change: RecordChange) -> AppRecord:
        await self.append(records(20, first=100))
        await self.other.settle()
        return await super().change_app_record(change)


async def test_two_workers_that_look_at_an_input_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where brokers give no ids, offsets that went back show that an input was made anew. Those that another
    worker wrote down a moment ago are no older than what this one sees.
    """

    async def no_ids(*_: object) -> dict[str, str]:
        return {}

    monkeypatch.setattr(input_look, "topic_ids", no_ids)
    app = topics.new_app(PARTITIONS)
    log = topics.log(app, PARTITIONS)
    await log.append(records(20))
    for number in range(PARTITIONS):
        agent = await PartitionAgent.open(log, number, Settings(), rules())
        await agent.step()
        await agent.close()
    slow = Overtaken(log.cluster, app, log.inputs, PARTITIONS)
    slow.other = agreement(log)
    await agreement(slow).settle()
    assert {} == slow.stopped.reasons
    await slow.close()
    await log.close()


async def test_an_id_that_a_broker_does_not_tell_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has just been started may not know a topic yet: the record goes on to know its id."""

    async def no_ids(*_: object) -> dict[str, str]:
        return {}

    app = topics.new_app(PARTITIONS)
    log = topics.log(app, PARTITIONS)
    await agreement(log).settle()
    first = await log.app_record()
    monkeypatch.setattr(input_look, "topic_ids", no_ids)
    await log.append(records(20))
    await agreement(log).settle()
    second = await log.app_record()
    assert first is not None
    assert second is not None
    (before,), (after,) = first.inputs.values(), second.inputs.values()
    assert before.offsets != after.offsets
    assert before.topic_id == after.topic_id is not None
    await log.close()


def agreement(log: KafkaLog) -> Agreement:
    logger = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(50))
    return Agreement(log, Settings(), rules().version, meters=Meters(), logger=logger, clock=Clock())


async def test_a_lost_record_is_made_again() -> None:
    """From the checkpoints: with their settings the app goes on, with others it is refused as before."""
    app = topics.new_app(PARTITIONS)
    first = await Member(app).start()
    await first.log.append(records(20))
    await has_received(first.log, 20)
    await first.end()
    await delete(f"{app}.app")
    await make(f"{app}.app", 1, **{"cleanup.policy": "compact"})

    wrong = await Member(app, **OTHER).start()
    with pytest.raises(
        Incompatible, match=r"has no record, and partition \d was folded under other settings"
    ):
        await wrong.ends()
    right = await Member(app).start()
    await right.opens()
    assert (record := await right.log.app_record()) is not None
    assert (PARTITIONS, "90d") == (record.partitions, record.fold["refund_window"])
    assert [f"{app}.events"] == list(record.inputs)
    await right.end()


async def test_partitions_that_disagree_are_refused() -> None:
    """An app without a record, whose partitions were folded under different settings, runs under none."""
    app = topics.new_app(PARTITIONS)
    log = topics.log(app, PARTITIONS)
    for number, settings in enumerate((Settings(), Settings.model_validate(OTHER))):
        agent = await PartitionAgent.open(log, number, settings, rules())
        await agent.step(checkpoint=True)
        await agent.close()
    for given in ({}, OTHER):
        member = await Member(app, **given).start()
        with pytest.raises(Incompatible, match="folded under other settings"):
            await member.ends()
        assert not member.ever_joined
    assert await log.app_record() is None
    await log.close()
