"""How long a person's story takes on a cluster while events come at a steady rate: the dashboard's way, from
the question to the story, with a worker that answers between its batches.
"""

import asyncio
import random
import sys
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

ASKED_EVERY_S = 0.02  # fifty questions a second
P99_MS = 30.0  # the goal


async def persons(bootstrap: str, logs: Path, seconds: float, people: int, partitions: int = 4) -> None:
    """Prints."""
    ground = Ground(bootstrap, logs, partitions)
    await ground.make()
    worker = ground.worker()
    count = int(RATE * (WARM_S + seconds))
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

    sender = ground.start(
        "sender",
        ["-m", "benchmarks.kafka.persons", bootstrap, ground.input, str(partitions), str(count), str(people)],
    )
    await ground.done(int(RATE * WARM_S / 2), worker)
    await stories.prepare()  # as the dashboard does at its start
    drawn, asked = random.Random(1), list[asyncio.Task[None]]()
    keys = [record.key.decode() for record in common(int(RATE * WARM_S / 4), people) if record.key]
    while sender.process.poll() is None:
        asked.append(asyncio.create_task(ask(f"u:{drawn.choice(keys)}")))
        await asyncio.sleep(ASKED_EVERY_S)
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


async def _send(bootstrap: str, topic: str, partitions: int, count: int, people: int) -> None:
    """Sends so many records at the steady rate."""
    records = common(count, people)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    await producer.start()
    began_s, done = time.monotonic(), 0
    while done < count:
        due = min(count, int((time.monotonic() - began_s) * RATE))
        for record in records[done:due]:
            to = partition_of(record.key or b"", partitions)
            await producer.send(topic, record.value, key=record.key, partition=to)
        done = due
        await asyncio.sleep(TICK_S)
    await producer.stop()


if __name__ == "__main__":  # a process of its own, so that it holds up no question
    bootstrap, topic, *numbers = sys.argv[1:]
    partitions, count, people = map(int, numbers)
    asyncio.run(_send(bootstrap, topic, partitions, count, people))
