"""Three brokers, of which one after the other is lost: agents die of it, others go on
where they were, and the numbers are exact.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from streams.core.ingest.partition import partition_of
from streams.core.moments import rules
from streams.errors import Fenced, StreamsError, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import admin, applied, checked
from streams.log.kafka.topics.model import WantedTopics
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.contract.looking import Restored, full_batch, input_ends, restored, scanned
from tests.end_to_end import shop
from tests.kafka import topics
from tests.kafka.broker import Brokers, Missing, cluster, our_own, without
from tests.reading import key_of

PARTITIONS = 2
EVENTS = 4_000
KILLS = 2
SIGNED_IN = 5  # one of so many events of a device has its user, too
PATIENCE_S = 90  # of a test with a busy machine: a broker is back after some seconds

T = TypeVar("T")


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    our_own()
    try:
        made = cluster(3)
    except Missing as why:
        without(why)
    yield made
    made.end()


def signed_in(value: bytes) -> bytes:
    """The event, with the user who is signed in on its device."""
    event = json.loads(value)
    return json.dumps({**event, "userId": f"user of {event['anonymousId']}"}).encode()


async def insistent(work: Callable[[], Awaitable[T]]) -> T:
    """Until it succeeds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await work()
            except Unavailable:
                await asyncio.sleep(0.2)


async def new_app(brokers: Brokers, partitions: int) -> str:
    """An app and its input, as `streams topics apply` makes them."""
    app = topics.new_name()
    wanted = WantedTopics(app, [f"{app}.events"], partitions, create_inputs=True)
    made, _ = await insistent(lambda: applied(Cluster(brokers.bootstrap), wanted))
    assert {(3, "2")} == {(line.replicas, line.config["min.insync.replicas"]) for line in made.to_create}
    assert [] == made.warnings
    return app


async def leader(brokers: Brokers, topic: str) -> int:
    """Which of the brokers leads its first partition."""

    async def ask() -> int:
        async with admin(Cluster(brokers.bootstrap), "x") as client:
            (found,) = await client.describe_topics([topic])
            number: int = next(part["leader"] for part in found["partitions"] if part["partition"] == 0)
        if number < 1:
            raise Unavailable("there is none just now")
        return number - 1

    return await insistent(ask)


@asynccontextmanager
async def without_one(brokers: Brokers, number: int) -> AsyncIterator[None]:
    """That broker is dead for a while."""
    node = brokers.nodes[number]
    await asyncio.to_thread(node.kill)
    try:
        yield
    finally:
        node.start()
        await asyncio.to_thread(node.answering)


async def test_a_leader_is_killed_under_a_session(brokers: Brokers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session dies when its partition has no leader for longer than a commit may take.

    The next one finds that commit whole or not at all.
    """
    app = await new_app(brokers, 1)
    log = await insistent(lambda: KafkaLog.connect(Cluster(brokers.bootstrap), app, [f"{app}.events"]))
    session = await insistent(lambda: log.open(0))
    await session.commit(full_batch(b"1"))
    # Less than a new leader takes to be found.
    monkeypatch.setattr("streams.log.kafka.session.COMMIT_TIMEOUT_S", 1)
    async with without_one(brokers, await leader(brokers, f"{app}.state")):
        with pytest.raises(Unavailable):
            await session.commit(full_batch(b"2"))
        with pytest.raises(Unavailable):
            await session.commit(full_batch(b"3"))
        await session.close()
        monkeypatch.setattr("streams.log.kafka.session.COMMIT_TIMEOUT_S", 15)

        async def again() -> tuple[Restored, int]:
            session = await log.open(0)
            try:
                found = await restored(session)
                await session.commit(full_batch(b"4"))
            finally:
                await session.close()
            return found, len(await scanned(log, "transitions"))

        found, count = await insistent(again)
    assert found.checkpoint in (b"1", b"2", b"4")  # 4: a try whose answer was lost
    assert {b"counter": found.checkpoint} == found.state
    assert count >= 4
    assert 0 == count % 2
    await log.close()


async def in_sync(brokers: Brokers, app: str) -> None:
    """Returns when every broker has what the others have: until then no other may fail."""

    async def look() -> None:
        async with admin(Cluster(brokers.bootstrap), "x") as client:
            found = await client.describe_topics(
                [f"{app}.{name}" for name in ("state", "transitions")] + ["__transaction_state"]
            )
        if not all(len(part["isr"]) == len(brokers.nodes) for topic in found for part in topic["partitions"]):
            raise Unavailable("not yet")

    await insistent(look)


async def test_leaders_are_killed_one_after_the_other(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While agents read a shop's events, whose guests sign in: each time, those that cannot go on are opened
    anew, and in the end a recomputation finds all equal.
    """
    app, settings, read_by = (
        await new_app(brokers, PARTITIONS),
        Settings.model_validate({"batch": 200, "identity": {"on": True}}),
        rules.load_rules(shop.RULES.read_text("utf-8")),
    )
    log = await insistent(lambda: KafkaLog.connect(Cluster(brokers.bootstrap), app, [f"{app}.events"]))
    now = time.time_ns() // 1_000_000
    values = [signed_in(value) if n % SIGNED_IN == 0 else value for n, value in enumerate(shop.calls(EVENTS))]
    await log.append(
        [NewRecord(partition_of(key_of(value), PARTITIONS), None, value, now) for value in values]
    )

    agents: dict[int, PartitionAgent] = {}
    died = list[StreamsError]()

    async def step(number: int) -> int:
        """One batch of a partition, whatever it takes."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                agent = agents.get(number)
                try:
                    if agent is None:
                        agent = agents[number] = await PartitionAgent.open(log, number, settings, read_by)
                    return (await agent.step()).records
                except (Unavailable, Fenced) as error:
                    died.append(error)
                    monkeypatch.setattr("streams.log.kafka.session.COMMIT_TIMEOUT_S", 15)
                    agents.pop(number, None)
                    if agent is not None:
                        await agent.close()
                    await asyncio.sleep(0.2)

    for _ in range(KILLS):
        await asyncio.gather(*(step(number) for number in range(PARTITIONS)))
        await in_sync(brokers, app)
        before = len(died)
        # Less than a new leader takes to be found.
        monkeypatch.setattr("streams.log.kafka.session.COMMIT_TIMEOUT_S", 1)
        async with without_one(brokers, await leader(brokers, f"{app}.state")):
            await asyncio.gather(*(step(number) for number in range(PARTITIONS)))
            assert len(died) > before, "nobody noticed"
    ends = dict(enumerate(await insistent(lambda: input_ends(log))))
    assert sum(ends.values()) == len(values)
    for number in range(PARTITIONS):
        while number not in agents or agents[number].processor.checkpoint.offset < ends[number]:
            await step(number)

    gave = sum(agent.processor.checkpoint.counts.moves.get("given", 0) for agent in agents.values())
    assert gave, "guests signed in"
    verified = await insistent(lambda: verify(log, lambda done, total: None))
    assert (None, len(values)) == (verified.difference, verified.records)
    assert (PARTITIONS, {f"{app}.events": PARTITIONS}) == (
        await insistent(lambda: checked(log.cluster, app, [f"{app}.events"]))
    )[:2]
    await log.close()
