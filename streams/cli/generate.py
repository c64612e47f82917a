"""`streams generate`: puts shoppers who do not exist into an input topic, for trying a deployment out."""

import asyncio
import logging
import time
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import options
from streams.cli.progress import Work
from streams.cli.screen import some
from streams.cli.stopping import Stopping
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.kafka.client import Cluster
    from streams.settings.tables import Settings

TICK_S = 0.1  # between two writes: a collector's batch
MAX_RATE = 20_000  # one process makes some 70,000 a second and still has to write them
MAX_PEOPLE = 10_000_000


Topic = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="TOPIC",
        callback=options.is_text,
        help="Where to. [default: the setting]",
        show_default=False,
    ),
]
Events = Annotated[
    int | None,
    typer.Option(
        "--events", metavar="N", min=1, help="Stop after so many. [default: never]", show_default=False
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="The same seed, the same events but for their times. [default: new]",
        show_default=False,
    ),
]


def generate(
    ctx: typer.Context,
    kafka: options.Bootstrap = None,
    input: Topic = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.1, max=MAX_RATE, help="Events per second.")
    ] = 200,
    events: Events = None,
    people: Annotated[
        int, typer.Option("--people", metavar="N", min=1, max=MAX_PEOPLE, help="How many there are.")
    ] = 20_000,
    seed: Seed = None,
) -> None:
    """Writes clicks of made-up shoppers into a topic, with present times, until stopped. For trying things out.

    Keyed by the person's id and partitioned as Java clients do. Some copies, late events and broken records are among them. Two runs with one
    seed have the same event ids: the second is one big duplicate.
    """
    settings = options.settings(ctx, kafka={"bootstrap": kafka, "inputs": None if input is None else [input]})
    if not settings.kafka.inputs:
        raise ConfigError(
            "kafka.inputs is missing, the topic to write to: say --input TOPIC, or set STREAMS_KAFKA__INPUTS"
        )
    asyncio.run(_generate(settings, rate, events, people, time.time_ns() if seed is None else seed))


async def _generate(settings: "Settings", rate: float, events: int | None, people: int, seed: int) -> None:
    from aiokafka import TopicPartition

    from streams.core.ingest.partition import partition_of
    from streams.log.kafka.client import start, stop, unavailable
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.writer import Written, write
    from streams.sources.generator import Shop

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says of brokers, our own messages say
    topic, where = settings.kafka.inputs[0], cluster(settings.kafka)
    partitions = await _partitions(where, topic)
    shop, sent = Shop(seed, rate, people), 0
    producer = where.producer()
    await start(producer, f"no answer from {where.bootstrap}")
    try:
        with Stopping() as stopping, Work("generate") as work:
            typer.echo(
                f"writing {rate:g} events/s into {topic} ({some(partitions, 'partition')}), seed {seed}; Ctrl-C stops",
                err=True,
            )
            while events is None or sent < events:
                groups: dict[int, list[Written]] = {}
                now_ms, count = time.time_ns() // 1_000_000, due(work.seconds, rate, sent, events)
                for _ in range(count):
                    key, value = shop.next(now_ms)
                    groups.setdefault(partition_of(key, partitions), []).append(
                        (key or None, value, (), None)
                    )
                async with unavailable(f"{topic} cannot be written"):
                    await write(
                        producer, [(TopicPartition(topic, number), group) for number, group in groups.items()]
                    )
                sent += count
                work.update(sent, sent, events or 0)
                stopping.check(f"{some(sent, 'event')} written into {topic}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.event.wait(), TICK_S)
    finally:
        await stop(producer)
    typer.echo(f"{some(sent, 'event')} written into {topic}", err=True)


def due(elapsed_s: float, rate: float, sent: int, events: int | None) -> int:
    """How many to write now, to have written `rate` a second since the beginning. What was held up is made good a second's worth at once."""
    count = min(ceil(elapsed_s * rate) - sent, ceil(rate))
    return max(0, count if events is None else min(count, events - sent))


async def _partitions(cluster: "Cluster", topic: str) -> int:
    """Raises ConfigError when there is no such topic."""
    from aiokafka.admin import AIOKafkaAdminClient

    from streams.log.kafka.client import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, unavailable

    admin = AIOKafkaAdminClient(**cluster.common())
    try:
        async with unavailable(f"no answer from {cluster.bootstrap}", OPEN_TIMEOUT_S):
            await admin.start()
            (found,) = await admin.describe_topics([topic])
    finally:
        with suppress(Exception):
            await asyncio.wait_for(admin.close(), CLOSE_TIMEOUT_S)
    if found["error_code"]:
        raise ConfigError(f"there is no topic {topic} on {cluster.bootstrap}: make it, or name another")
    return len(found["partitions"])
