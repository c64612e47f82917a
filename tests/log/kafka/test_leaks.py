"""Whatever becomes of a start or a stop, no connection and no task of a client stays behind."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from streams.errors import Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.lifecycle import refusal, start, stop
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import admin
from tests.log.kafka.silent import Kind, SilentBroker, silent_broker

GONE_S = 5.0  # a socket that was closed shows at the other end after a turn or two of the loop


async def _started(cluster: Cluster, client: Any) -> None:
    await start(client, cluster, "")
    await stop(client)


async def _consumer(cluster: Cluster) -> None:
    await _started(cluster, cluster.consumer())


async def _producer(cluster: Cluster) -> None:
    await _started(cluster, cluster.producer())


async def _fencing_producer(cluster: Cluster) -> None:
    await _started(cluster, cluster.producer("id"))


async def _admin(cluster: Cluster) -> None:
    async with admin(cluster, "") as client:
        await client.describe_topics(["topic"])


async def _refusal(cluster: Cluster) -> None:
    await refusal(cluster)


async def _session(cluster: Cluster) -> None:
    await KafkaLog(cluster, "app", {"input": 1}, 1).open(0)


async def _ends(cluster: Cluster) -> None:
    log = KafkaLog(cluster, "app", {"input": 1}, 1)
    try:
        await log.ends()
    finally:
        await log.close()


async def _scan(cluster: Cluster) -> None:
    log = KafkaLog(cluster, "app", {"input": 1}, 1)
    try:
        async for _ in log.scan("transitions"):
            pass
    finally:
        await log.close()


OPENERS: dict[str, Callable[[Cluster], Coroutine[Any, Any, None]]] = {
    "consumer": _consumer,
    "producer": _producer,
    "fencing producer": _fencing_producer,
    "admin client": _admin,
    "refusal": _refusal,
    "session": _session,
    "ends": _ends,
    "scan": _scan,
}
SILENCES: dict[str, tuple[Kind, ...]] = {
    "at once": (),
    "after its versions": (Kind.VERSIONS,),
    "after its metadata": (Kind.VERSIONS, Kind.METADATA),
    "after the coordinator": (Kind.VERSIONS, Kind.METADATA, Kind.COORDINATOR),
}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No warning about something that was not closed, then or when the garbage is collected."""
    with _warned() as found:
        yield
        gc.collect()
    assert found == []


@contextmanager
def _warned() -> Iterator[list[str]]:
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
        caught.clear()
        yield found
        found += [str(warning.message) for warning in caught]


async def _all_gone(broker: SilentBroker, before: set["asyncio.Task[Any]"]) -> None:
    async with asyncio.timeout(GONE_S):
        while broker.connections:
            await asyncio.sleep(0.001)
    left = [task for task in asyncio.all_tasks() - before if "SilentBroker" not in repr(task)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [task for task in left if not task.done()] == []


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.parametrize("opener", OPENERS)
async def test_a_start_that_is_cancelled_leaves_nothing(opener: str, silence: str, times: int) -> None:
    """Whoever waits for a broker that has fallen silent may be cancelled, and again while it closes."""
    async with silent_broker(*SILENCES[silence]) as broker:
        before = asyncio.all_tasks()
        opening = asyncio.create_task(OPENERS[opener](Cluster(broker.address)))
        waiting = asyncio.create_task(broker.silenced.wait())
        await asyncio.wait({opening, waiting}, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for _ in range(times):
            opening.cancel()
            await asyncio.sleep(0)
        await asyncio.wait({opening})
        if not opening.cancelled():
            opening.exception()
        await _all_gone(broker, before)


@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.parametrize("opener", sorted(OPENERS.keys() - {"refusal"}))
async def test_a_start_that_takes_too_long_leaves_nothing(
    opener: str, silence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a start is over while the broker is silent."""
    monkeypatch.setattr("streams.log.kafka.lifecycle.OPEN_TIMEOUT_S", 0.1)
    monkeypatch.setattr("streams.log.kafka.client.REQUEST_TIMEOUT_MS", 200)
    monkeypatch.setattr("streams.log.kafka.reader.OPEN_TIMEOUT_S", 0.1)
    monkeypatch.setattr("streams.log.kafka.reader.SETTLE_S", 0.1)
    async with silent_broker(*SILENCES[silence]) as broker:
        before = asyncio.all_tasks()
        with suppress(Unavailable):  # some get along without what is not answered
            await OPENERS[opener](Cluster(broker.address))
        await _all_gone(broker, before)


@pytest.fixture
async def broker() -> AsyncIterator[SilentBroker]:
    async with silent_broker(Kind.VERSIONS, Kind.METADATA) as one:
        yield one


async def test_a_stop_that_is_cancelled_leaves_nothing(broker: SilentBroker) -> None:
    """The client is hung up on the spot."""
    before = asyncio.all_tasks()
    cluster = Cluster(broker.address)
    consumer = cluster.consumer()
    await start(consumer, cluster, "")
    stopping = asyncio.create_task(stop(consumer))
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping})
    await _all_gone(broker, before)
