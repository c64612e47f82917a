"""A user's agent on a real broker gets each committed record, again if it was not done, and no other."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from streams.host import faust_agents
from streams.host.application import App
from streams.host.faust_agents import AgentFailed
from streams.log.kafka.client import Cluster
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.host_agents import (
    CURRENT,
    PARTITIONS,
    SOON_S,
    Place,
    Written,
    made,
    notes,
    place,
    position,
    run,
    running,
    until,
)


@pytest.fixture
def written() -> Written:
    return Written(topics.new_app(PARTITIONS))


async def test_what_was_aborted_never_comes_and_a_restart_goes_on_where_it_was(written: Written) -> None:
    """Commit markers and aborted records, also at the very beginning, are passed over."""
    for sizes, commits in (([1], True), ([7], False), ([1, 1, 3], True), ([2, 2], False)):
        await written.write(sizes, commits)
    seen: list[Place] = []
    for _ in range(3):
        got: list[Place] = []
        expected = sorted(set(written.committed) - set(seen))
        # bound at once
        await run(written.app, lambda got=got, expected=expected: len(got) >= len(expected), got)  # type: ignore[misc]
        assert sorted(got) == expected
        seen += got
        await written.write([2], commits=False)
        await written.write([1, 4])
    assert set(seen) < set(written.committed)


async def test_partitions_that_move_under_a_backlog_lose_nothing(written: Written) -> None:
    """With slow agents in two workers that come and go, and much read ahead, each record comes."""
    await written.write([150, 150])
    got: list[Place] = []

    async def slowly(steps: Any, got: list[Place]) -> None:
        async for _ in steps:
            await asyncio.sleep(0.004)
            got.append(place())

    async with running(made(written.app, slowly, got)):
        await until(lambda: len(got) > 50)
        async with running(made(written.app, slowly, got)):
            before = len(got)
            await until(lambda: len(got) > before + 100)
        before = len(got)
        await until(lambda: len(got) > before + 20)
    await run(written.app, lambda: set(got) == set(written.committed), got)
    assert set(got) == set(written.committed)


async def test_an_agent_that_fails_gets_the_same_record_again(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next record comes only then: none is lost and none is out of order."""
    monkeypatch.setattr(faust_agents, "FIRST_RESTART_S", 0.05)
    await written.write([10])
    tried: list[Place] = []
    got: list[Place] = []

    async def stumbles(steps: Any, got: list[Place]) -> None:
        async for _ in steps:
            tried.append(place())
            if place()[1] % 4 == 1 and tried.count(place()) < 3:
                raise ValueError("not today")
            got.append(place())

    with capture_logs():
        host = await run(written.app, lambda: len(got) >= 20, got, stumbles)
    assert host.process.failure is None
    assert len(tried) == 20 + 2 * 6
    for partition in range(PARTITIONS):
        assert [offset for number, offset in got if number == partition] == list(range(10))
    again: list[Place] = []
    await written.write([1])
    await run(written.app, lambda: len(again) >= 2, again)
    assert sorted(again) == [(0, 11), (1, 11)]


async def test_an_agent_that_cannot_go_on_ends_the_process(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends after the retries; its error names the record, and a new process gets it again."""
    monkeypatch.setattr(faust_agents, "FIRST_RESTART_S", 0.01)
    await written.write([3])
    got: list[Place] = []

    async def never(steps: Any, got: list[Place]) -> None:
        async for _ in steps:
            got.append(place())
            if place()[1] == 1:
                raise ValueError("not ever")

    with capture_logs() as lines:
        host = await run(written.app, lambda: False, got, never)
    assert isinstance(host.process.failure, AgentFailed)
    assert host.process.failure.exit_code == 1
    assert "agent noting failed on" in str(host.process.failure)
    assert "at offset 1, tried 4 times: ValueError: not ever" in str(host.process.failure)
    assert [line["log_level"] for line in lines if line["event"] == "agent failed"] == ["warning"] * 3 + [
        "error"
    ]
    again: list[Place] = []
    await run(written.app, lambda: {(0, 1), (0, 2), (1, 1), (1, 2)} <= set(again), again)


async def test_an_agent_that_takes_many_at_once_and_fails(written: Written) -> None:
    """The process ends at the first failure, and all records of the `take` come again."""
    await written.write([5])
    got: list[Place] = []

    async def many(steps: Any, got: list[Place]) -> None:
        async for batch in steps.take(4, within=0.5):
            assert batch
            raise ValueError("not these")

    with capture_logs():
        host = await run(written.app, lambda: False, got, many)
    assert isinstance(host.process.failure, AgentFailed)
    assert set((await position(written.app)).values()) <= {None, 0}
    await run(written.app, lambda: set(got) == set(written.committed), got)


async def test_an_agent_that_stops_by_itself_ends_the_process(written: Written) -> None:
    """The process ends: otherwise records would pile up unnoticed."""
    await written.write([2])
    got: list[Place] = []

    async def once(steps: Any, got: list[Place]) -> None:
        async for _ in steps:
            got.append(place())
            return

    host = await run(written.app, lambda: False, got, once)
    assert isinstance(host.process.failure, AgentFailed)
    assert "agent noting has stopped by itself" in str(host.process.failure)


async def test_records_that_are_not_ours_are_left_out(written: Written) -> None:
    """A log line names the position of each, and the other records come."""
    producer = Cluster(bootstrap()).producer()
    await producer.start()
    for value in (b"{", b'{"id": 7}', b"\xff"):
        await producer.send_and_wait(f"{written.app}.transitions", value, partition=0)
    await producer.stop()
    await written.write([1])
    got: list[Place] = []
    with capture_logs() as lines:
        await run(written.app, lambda: len(got) >= 2, got)
    assert sorted(got) == [(0, 3), (1, 0)]
    assert [(line["partition"], line["offset"]) for line in lines if line["event"] == "unreadable"] == [
        (0, 0),
        (0, 1),
        (0, 2),
    ]
    assert await position(written.app) == {0: 4, 1: 1}


async def test_the_forgotten_come_with_their_key(written: Written) -> None:
    """A tombstone of `current` reaches an agent as a key with None."""
    producer = Cluster(bootstrap()).producer()
    await producer.start()
    await producer.send_and_wait(f"{written.app}.current", None, b'[null,"u:1",null]', partition=0)
    await producer.stop()
    got: list[Any] = []

    async def items(people: Any, got: list[Any]) -> None:
        async for key, person in people.items():
            got.append((key, person))

    await run(written.app, lambda: bool(got), got, items, topic="current")
    assert got == [('[null,"u:1",null]', None)]


async def test_several_agents_on_one_topic(written: Written) -> None:
    """The slowest agent holds the position back: what it did not get comes again."""
    await written.write([30])
    quick: list[Place] = []
    slow: list[Place] = []
    host = made(written.app, notes, quick)

    async def slowly(steps: Any) -> None:
        async for _ in steps:
            await asyncio.sleep(0.02)
            slow.append(place())

    host.agent(host.outputs["transitions"], name="slow")(slowly)
    async with running(host):
        await until(lambda: len(slow) >= 10)
    assert len(quick) == 60
    assert len(slow) < 60
    rest: list[Place] = []
    await run(written.app, lambda: set(slow) | set(rest) == set(written.committed), rest)


async def test_what_compaction_took_away(written: Written) -> None:
    """What compaction left comes once, and the position is at the end."""
    name = f"{written.app}.current"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap())
    await admin.start()
    quick = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
    }
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, quick)])
    await admin.close()
    producer = Cluster(bootstrap()).producer()
    await producer.start()
    reader = Cluster(bootstrap()).consumer()
    await reader.start()
    reader.assign([TopicPartition(name, 0)])
    left: list[int] = []
    async with asyncio.timeout(SOON_S):
        while not left or left == list(range(left[-1] + 1)):
            for key in (b"1", b"2", b"3", b"1", b"2"):
                await producer.send_and_wait(name, None if key == b"2" else CURRENT, key, partition=0)
            await asyncio.sleep(0.5)
            await reader.seek_to_beginning(TopicPartition(name, 0))
            left = []
            while batch := await reader.getmany(timeout_ms=500):
                left += [record.offset for records in batch.values() for record in records]
    await producer.stop()
    await reader.stop()
    got: list[Place] = []

    async def items(people: Any, got: list[Place]) -> None:
        async for _ in people.items():
            got.append(place())

    await run(written.app, lambda: (0, left[-1]) in got, got, items, topic="current")
    assert got[-1] == (0, left[-1])
    assert len(got) < left[-1] + 1
    assert (await position(written.app, "current"))[0] == left[-1] + 1


def lags(host: App) -> dict[tuple[str, int], float]:
    """What /metrics shows, by agent and partition."""
    return {
        (sample.labels["agent"], int(sample.labels["partition"])): sample.value
        for family in text_string_to_metric_families(host.process.meters.render().decode())
        if family.name == "streams_user_agent_lag_records"
        for sample in family.samples
    }


async def test_the_metrics_show_how_far_each_agent_is_behind(written: Written) -> None:
    """In records that it is not done with, read ahead or not; nothing is behind when all is done, whatever
    marks a transaction leaves. What is aborted, and what another agent has, does not count.
    """
    await written.write([5, 7])
    await written.write([3], commits=False)
    held = asyncio.Event()
    got: list[Place] = []
    host = made(written.app, notes, got)

    async def holds(steps: Any) -> None:
        async for _ in steps:
            await held.wait()

    host.agent(host.outputs["transitions"], name="holding")(holds)
    async with running(host):
        behind = {("noting", 0): 0, ("noting", 1): 0, ("holding", 0): 12, ("holding", 1): 12}
        await until(lambda: lags(host) == behind)
        await written.write([2])
        await until(lambda: lags(host) == behind | {("holding", 0): 14, ("holding", 1): 14})
        held.set()
        await until(lambda: lags(host) == dict.fromkeys(behind, 0))
        consumer: Any = host.consumer
        thread = consumer._thread
        begun, thread._consumer = thread._consumer, None  # as in the moment before its thread begins
        assert {} == lags(host)
        thread._consumer = begun
