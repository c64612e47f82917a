"""Apps with agents of users on a real broker, and transitions for them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust import current_event
from faust.types import StreamT

from schemas import Transition
from streams.host.application import App
from streams.log.kafka.client import Cluster
from streams.settings.kafka import KafkaSettings
from tests.host import hosting
from tests.kafka.broker import bootstrap

PARTITIONS = 2
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
EXAMPLE = json.loads((EXAMPLES / "transitions.json").read_text())[0]
CURRENT = json.dumps(json.loads((EXAMPLES / "current.json").read_text())[0]).encode()
SOON_S = 180.0  # some seconds as a rule; the machine may be busy

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
