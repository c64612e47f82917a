"""A user's agent on a real broker gets each committed record, again if it was not done, and no other."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from faust import current_event
from faust.types import StreamT
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from schemas import Transition
from streams.host import faust_agents
from streams.host.application import App
from streams.host.faust_agents import AgentFailed
from streams.log.kafka.client import Cluster
from streams.settings.host import AnnounceSettings
from streams.settings.kafka import KafkaSettings
from tests.host import hosting
from tests.kafka import topics
from tests.kafka.broker import bootstrap

PARTITIONS = 2
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
EXAMPLE = json.loads((EXAMPLES / "transitions.json").read_text())[0]
CURRENT = json.dumps(json.loads((EXAMPLES / "current.json").read_text())[0]).encode()
SOON_S = 30.0

Place = tuple[int, int]  # partition, offset


def step(rev: int) -> bytes:
    return msgspec.json.encode({**EXAMPLE, "id": f"{rev:032x}", "rev": rev})


class Written:
    """Writes transitions of an app as partition agents do, in transactions."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.committed: dict[Place, int] = {}  # rev
        self.rev = 0

    async def write(self, sizes: Sequence[int], commits: bool = True, topic: str = "transitions") -> None:
        """Writes a transaction for each size, with so many records in each partition."""
        producer = Cluster(bootstrap()).producer(f"{self.app}-writer")
        await producer.start()
        for size in sizes:
            await producer.begin_transaction()
            sent: list[tuple[int, int]] = []
            for partition in range(PARTITIONS):
                for _ in range(size):
                    self.rev += 1
                    metadata = await producer.send_and_wait(
                        f"{self.app}.{topic}", step(self.rev), b"k", partition=partition
                    )
                    sent.append((metadata.offset, partition))
                    if commits:
                        self.committed[partition, metadata.offset] = self.rev
            await (producer.commit_transaction() if commits else producer.abort_transaction())
        await producer.stop()


@pytest.fixture
def written() -> Written:
    return Written(topics.new_app(PARTITIONS))


Fun = Callable[[Any, list[Place]], Awaitable[None]]


async def notes(steps: "StreamT[Transition]", got: list[Place]) -> None:
    """An agent that notes the position of each record."""
    async for one in steps:
        assert isinstance(one, Transition)
        got.append(place())


def place() -> Place:
    event = current_event()
    assert event is not None
    return event.message.partition, event.message.offset


def kafka(app: str) -> KafkaSettings:
    return KafkaSettings(bootstrap=bootstrap(), app=app, inputs=(f"{app}.events",))


def made(app: str, fun: Fun, got: list[Place], topic: str = "transitions", **options: Any) -> App:
    """An app with one agent and no partition agents."""
    host = hosting.app(kafka=kafka(app))

    async def agent(stream: Any) -> None:
        await fun(stream, got)

    host.agent(host.outputs[topic], name="noting", **options)(agent)
    return host


@asynccontextmanager
async def running(host: App) -> AsyncIterator[None]:
    async with hosting.running(host):
        yield


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not done():
            await asyncio.sleep(0.02)


async def run(app: str, done: Callable[[], bool], got: list[Place], fun: Fun = notes, **options: Any) -> App:
    """Runs the app until the condition holds or the process ends by itself."""
    host = made(app, fun, got, **options)
    async with running(host):
        await until(lambda: done() or host.process.ending.is_set())
    return host


async def position(app: str, topic: str = "transitions") -> dict[int, int | None]:
    """The positions that the agents' group has committed."""
    cluster = Cluster(bootstrap())
    group = AIOKafkaConsumer(**cluster.common(), group_id=f"{app}-agents", enable_auto_commit=False)
    await group.start()
    found = {
        partition: await group.committed(TopicPartition(f"{app}.{topic}", partition))
        for partition in range(PARTITIONS)
    }
    await group.stop()
    return found


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


@asynccontextmanager
async def webhook(posted: list[str]) -> AsyncIterator[str]:
    """The address of a receiver that fails now and then, and notes the keys of all posts."""

    async def take(request: web.Request) -> web.Response:
        posted.append(request.headers["Idempotency-Key"])
        return web.Response(status=503 if len(posted) % 5 == 2 else 200)

    site = web.Application()
    site.router.add_post("/", take)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def announcing(app: str, url: str) -> App:
    """An app that announces every opened journey, however old, and has no partition agents."""
    announce = AnnounceSettings(url=url, kinds=("opened",), max_age="3650d", hold="0s")
    return hosting.app(kafka=kafka(app), announce=announce)


def keys(revs: Collection[int]) -> set[str]:
    return {f"{rev:032x}:{rev}" for rev in revs}


async def test_announce_begins_with_what_comes_after_its_first_start(written: Written) -> None:
    """What was published before is not posted; what is published while it is away is, over restarts."""
    posted: list[str] = []
    await written.write([4])
    await written.write([2], commits=False)
    old = set(written.committed.values())
    async with webhook(posted) as url:
        async with running(announcing(written.app, url)):
            await written.write([3, 1])
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
        await written.write([5])
        await written.write([1], commits=False)
        async with running(announcing(written.app, url)):
            await written.write([1])
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
    assert len(posted) <= (len(written.committed) - len(old)) * 5 / 4 + 2


async def test_a_first_start_that_ends_before_it_has_posted_is_one_all_the_same(written: Written) -> None:
    """It began there: what came between the two starts is posted."""
    posted: list[str] = []
    await written.write([4])
    old = set(written.committed.values())
    async with webhook(posted) as url:
        await announcing(written.app, url).process.before_work[0]()
        await written.write([3])
        async with running(announcing(written.app, url)):
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))


async def test_announce_beside_an_agent_of_a_user(written: Written) -> None:
    """The agent gets all that the topic holds, and announce posts what comes after the first start."""
    posted: list[str] = []
    await written.write([4])
    old = set(written.committed.values())
    got: list[Place] = []

    def host(url: str) -> App:
        made = announcing(written.app, url)

        async def agent(stream: Any) -> None:
            await notes(stream, got)

        made.agent(made.outputs["transitions"], name="noting")(agent)
        return made

    async with webhook(posted) as url:
        for _ in range(2):
            async with running(host(url)):
                await written.write([2])
                await until(lambda: set(got) == set(written.committed))
                await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
            await written.write([1])


async def test_announce_is_turned_on_beside_agents_that_are_there_already(written: Written) -> None:
    """The agents go on where they were, and announce begins with what comes after that start."""
    posted: list[str] = []
    got: list[Place] = []
    await written.write([4])
    await run(written.app, lambda: len(got) == len(written.committed), got)
    await written.write([4])
    old = set(written.committed.values())

    async def agent(stream: Any) -> None:
        await notes(stream, got)

    async with webhook(posted) as url:
        host = announcing(written.app, url)
        host.agent(host.outputs["transitions"], name="noting")(agent)
        async with running(host):
            await written.write([2])
            await until(lambda: set(got) == set(written.committed))
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
    assert len(got) == len(written.committed)


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
