"""`streams generate`: puts made-up shoppers into an input topic, for trying a deployment out."""

import asyncio
from contextlib import suppress
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.cluster import silence_client
from streams.cli.incident_option import IncidentOption, incidents_of
from streams.cli.options import KafkaOption, checked_text, settings_of
from streams.cli.progress import Work
from streams.cli.screen import plural
from streams.cli.stopping import StopRequest
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.kafka.client import Cluster
    from streams.log.kafka.record_quirks import Written
    from streams.settings.tables import Settings
    from streams.sources.generator import Shop

WRITE_INTERVAL_S = 0.1  # between two writes: a collector's batch
MAX_RATE = 20_000  # one process makes some 70,000 a second, but it has to write them too
MAX_PEOPLE = 10_000_000


def generate_command(
    ctx: typer.Context,
    *,
    kafka: KafkaOption = None,
    topic: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="TOPIC",
            callback=checked_text,
            help="The topic to write to. [default: the setting]",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.1, max=MAX_RATE, help="Events per second.")
    ] = 200,
    events: Annotated[
        int | None,
        typer.Option(
            "--events",
            metavar="N",
            min=1,
            help="How many events to write, then stop. [default: no end]",
            show_default=False,
        ),
    ] = None,
    people: Annotated[
        int, typer.Option("--people", metavar="N", min=1, max=MAX_PEOPLE, help="How many shoppers there are.")
    ] = 20_000,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="The same seed gives the same events, but for their times. [default: a new one]",
            show_default=False,
        ),
    ] = None,
    rhythm: Annotated[
        bool,
        typer.Option(
            "--rhythm",
            help="Many events in the evening and few at night, by the shoppers' own clocks; --rate is the "
            "mean of a week.",
        ),
    ] = False,
    incident: IncidentOption = None,
) -> None:
    """Writes clicks of made-up shoppers into a topic, with present times, until it is stopped.

    Records are keyed by the person's id and partitioned as Java clients do it. Some copies, late events and
    broken records are among them. Two runs with one seed write the same event ids, so the second is one big
    duplicate.

    An --incident changes what becomes of what shoppers do, and nothing else: the events dated outside of it
    are those that the seed gives without it, but for refunds of what was not bought.
    """
    settings = settings_of(ctx, kafka={"bootstrap": kafka, "inputs": None if topic is None else [topic]})
    if not settings.kafka.inputs:
        raise ConfigError(
            "kafka.inputs is missing (the topic to write to): give --input TOPIC or set STREAMS_KAFKA__INPUTS"
        )
    now_ms = Clock().wall_ms()
    seed = now_ms if seed is None else seed
    incidents = incidents_of(incident, now_ms, now_ms)
    from streams.sources.generator import Shop
    from streams.sources.rhythm import Rhythm

    shop = Shop(seed, rate, people, incidents, Rhythm() if rhythm else None)
    asyncio.run(_generate(settings, shop, rate, events, f"seed {seed}"))


async def _generate(settings: "Settings", shop: "Shop", rate: float, events: int | None, about: str) -> None:
    from aiokafka import TopicPartition

    from streams.log.kafka.connection import cluster
    from streams.log.kafka.errors import cluster_errors
    from streams.log.kafka.lifecycle import start, stop
    from streams.log.kafka.writer import write

    silence_client()
    topic, where = settings.kafka.inputs[0], cluster(settings.kafka)
    partitions = await _partitions(where, topic)
    made, written, clock = 0, 0, ShopClock(shop)
    producer = where.producer()
    await start(producer, where, f"no answer from {where.bootstrap}")
    try:
        with StopRequest() as stop_request, Work("generate") as work:
            typer.echo(
                f"writing {rate:g} events/s into {topic} ({plural(partitions, 'partition')}), {about}; "
                "Ctrl-C stops",
                err=True,
            )
            while events is None or made < events:
                count = due(clock.passed_s(work.seconds), rate, made, events)
                groups = _records(shop, count, partitions)
                async with cluster_errors(f"{topic} cannot be written"):
                    await write(producer, [(TopicPartition(topic, n), group) for n, group in groups.items()])
                made += count
                written += sum(map(len, groups.values()))
                work.update(written, made, events or 0)
                stop_request.check(f"{plural(written, 'event')} written into {topic}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop_request.event.wait(), WRITE_INTERVAL_S)
    finally:
        await stop(producer)
    typer.echo(f"{plural(written, 'event')} written into {topic}", err=True)


class ShopClock:
    """The time that has passed in a shop: with a rhythm, more in a busy hour and less at night."""

    def __init__(self, shop: "Shop") -> None:
        self._shop, self._clock, self._last_s, self._passed_s = shop, Clock(), 0.0, 0.0

    def passed_s(self, seconds: float) -> float:
        """The time in the shop when so much has passed by the clock."""
        self._passed_s += (seconds - self._last_s) * self._shop.busy(self._clock.wall_ms())
        self._last_s = seconds
        return self._passed_s


def due(elapsed_s: float, rate: float, written: int, events: int | None) -> int:
    """How many events to write now, so that `rate` per second were written since the beginning.

    After a hold-up it catches up in steps of one second's events.
    """
    count = min(ceil(elapsed_s * rate) - written, ceil(rate))
    return max(0, count if events is None else min(count, events - written))


def _records(shop: "Shop", count: int, partitions: int) -> "dict[int, list[Written]]":
    """What the shop sends next, by partition: `count` records, more or fewer in an incident."""
    from streams.core.ingest.partition import partition_of

    now_ms = Clock().wall_ms()
    groups: dict[int, list[Written]] = {}
    for key, value in chain.from_iterable(shop.sends(now_ms) for _ in range(count)):
        groups.setdefault(partition_of(key, partitions), []).append((key or None, value, (), None))
    return groups


async def _partitions(cluster: "Cluster", topic: str) -> int:
    """The number of partitions of a topic. Raises ConfigError if there is no such topic."""
    from streams.log.kafka.topics.cluster import admin

    async with admin(cluster, f"no answer from {cluster.bootstrap}") as client:
        (found,) = await client.describe_topics([topic])
    if found["error_code"]:
        raise ConfigError(f"there is no topic {topic} on {cluster.bootstrap}: create it, or name another one")
    return len(found["partitions"])
