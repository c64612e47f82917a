"""How long a person's story takes on a cluster while events come at a steady rate: the dashboard's way, from
the question to the story, with a worker that answers between its batches.
"""

import asyncio
import random
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from benchmarks.common import common
from benchmarks.kafka.ground import Ground
from benchmarks.kafka.latency import RATE, TICK_S, WARM_S
from benchmarks.kafka.measure import line, quantile
from streams.core.ingest.partition import partition_of
from streams.dashboard.stories import StoryUnavailable
from streams.dashboard.stories_on_kafka import StoriesOnKafka
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.worker_client import WorkerClient
from streams.records import Record

ASKED_EVERY_S = 0.02  # fifty questions a second
P99_MS = 30.0  # the goal


async def persons(bootstrap: str, logs: Path, seconds: float, people: int, partitions: int = 4) -> None:
    """Prints."""
    ground = Ground(bootstrap, logs, partitions)
    await ground.make()
    worker = ground.worker()
    records = common(int(RATE * (WARM_S + seconds)), people)
    await ground.ready(worker)
    log = await KafkaLog.connect(Cluster(bootstrap), ground.app, [ground.input])
    client = WorkerClient(None)
    stories = StoriesOnKafka(log, client)
    waits: list[float] = []
    others = {"unavailable": 0, "unknown": 0}

    async def ask(name: str) -> None:
        began_s = time.perf_counter()
        try:
            story = await stories.story(name, None, None)
        except StoryUnavailable:
            others["unavailable"] += 1
            return
        others["unknown"] += story is None
        waits.append(time.perf_counter() - began_s)

    sending = asyncio.create_task(_send(bootstrap, ground, records))
    await asyncio.sleep(WARM_S)
    drawn, asked = random.Random(1), list[asyncio.Task[None]]()
    keys = [record.key.decode() for record in records[: int(RATE * WARM_S / 2)] if record.key]
    while not sending.done():
        asked.append(asyncio.create_task(ask(f"u:{drawn.choice(keys)}")))
        await asyncio.sleep(ASKED_EVERY_S)
    await sending
    await asyncio.gather(*asked)
    await client.close()
    await log.close()
    await worker.end()
    waits.sort()
    p50, p95, p99 = (1000 * quantile(waits, part) for part in (0.5, 0.95, 0.99))
    print(f"\n{RATE:,} events a second, {partitions} partitions: {len(waits):,} stories of persons")
    line("p50 / p95 / p99, ms", f"{p50:.1f} / {p95:.1f} / {p99:.1f}", f"p99 <= {P99_MS:g}", p99 <= P99_MS)
    line("not answered; unknown", f"{others['unavailable']}; {others['unknown']}")
    await ground.drop()


async def _send(bootstrap: str, ground: Ground, records: list[Record]) -> None:
    """Sends the records at the steady rate."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    await producer.start()
    began_s, done = time.monotonic(), 0
    while done < len(records):
        due = min(len(records), int((time.monotonic() - began_s) * RATE))
        for record in records[done:due]:
            to = partition_of(record.key or b"", ground.partitions)
            await producer.send(ground.input, record.value, key=record.key, partition=to)
        done = due
        await asyncio.sleep(TICK_S)
    await producer.stop()
