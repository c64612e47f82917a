"""Nothing of a worker stays open when it ends while its clients for agents are still starting."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams.host.application import App
from streams.host.consumer import AgentConsumer
from streams.host.serve import run_app
from streams.settings.kafka import KafkaSettings
from tests.host.hosting import KAFKA, app
from tests.log.kafka.silent import Kind, SilentBroker, silent_broker

SOON_S = 12.0  # closing a client takes three seconds at most; requests to this broker are given up after 16
ANSWERED = [
    (),
    (Kind.VERSIONS,),
    (Kind.VERSIONS, Kind.METADATA),
    (Kind.VERSIONS, Kind.METADATA, Kind.COORDINATOR),
]


@asynccontextmanager
async def silent(answered: tuple[Kind, ...]) -> AsyncIterator[tuple[SilentBroker, App]]:
    """An app with an agent whose broker falls silent. In the end nothing of the app is left."""
    threads = set(threading.enumerate())
    async with silent_broker(*answered) as broker:
        kafka = {**KAFKA.model_dump(), "bootstrap": broker.address, "grace": "60s"}
        made = app(kafka=KafkaSettings(**kafka))

        @made.agent(made.outputs["transitions"], name="idle")
        async def idle(steps: object) -> None:
            raise AssertionError("no record comes")

        yield broker, made
        async with asyncio.timeout(SOON_S):
            while broker.connections or set(threading.enumerate()) - threads:
                await asyncio.sleep(0.01)
    del made, idle
    gc.collect()  # a ResourceWarning about anything that was left fails this test and no other


@pytest.mark.parametrize("answered", ANSWERED, ids=len)
async def test_a_worker_that_ends_while_agents_start_leaves_nothing_open(answered: tuple[Kind, ...]) -> None:
    """Its connections are closed and its threads are over, and it did not wait for the broker."""
    async with silent(answered) as (broker, made):
        life = asyncio.create_task(run_app(made))
        await asyncio.wait_for(broker.silenced.wait(), SOON_S)
        began_s = time.monotonic()
        made.process.end()
        assert await life
        assert time.monotonic() - began_s < SOON_S
        assert made.process.failure is None


@pytest.mark.parametrize("answered", ANSWERED, ids=len)
async def test_a_consumer_that_is_stopped_while_it_starts_leaves_nothing_open(
    answered: tuple[Kind, ...],
) -> None:
    """Its client is in a thread, which ends too."""
    async with silent(answered) as (broker, made):
        made.finalize()
        consumer = made.consumer
        assert isinstance(consumer, AgentConsumer)
        starting = asyncio.create_task(consumer.start())
        if len(answered) < 2:
            await asyncio.wait_for(broker.silenced.wait(), SOON_S)
        else:
            await asyncio.wait_for(starting, SOON_S)
        starting.cancel()
        await asyncio.wait({starting})
        began_s = time.monotonic()
        await consumer.stop()
        assert time.monotonic() - began_s < SOON_S
