"""From an event's sending to the moment a consumer of committed
transitions has it in hand, at a steady rate.
"""

import asyncio
import re
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.common import common
from benchmarks.kafka.ground import Ground
from benchmarks.kafka.measure import line, quantile
from benchmarks.sampling import sampled
from streams.core.ingest.partition import partition_of

RATE = 2_000  # events a second
WARM_S = 4.0  # not measured
P99_MS, CORES = 50.0, 0.35  # the goals
TICK_S = 0.005
MESSAGE, EVENT = re.compile(rb'"messageId":"([^"]+)"'), re.compile(rb'"event":"([^"]+)"')


async def latency(
    bootstrap: str,
    logs: Path,
    seconds: float,
    people: int,
    profile: bool = False,
    partitions: int = 4,
    rate: int = RATE,
) -> None:
    """Prints. `profile`: also how the worker spends its time, which costs a part of it."""
    ground = Ground(bootstrap, logs, partitions)
    await ground.make()
    worker = ground.worker(profile=profile)
    records = common(int(rate * (WARM_S + seconds)), people)
    sent: dict[bytes, float] = {}
    waits: list[float] = []
    consumer = AIOKafkaConsumer(
        f"{ground.app}.transitions", bootstrap_servers=bootstrap, isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest", fetch_max_wait_ms=100,
    )  # fmt: skip
    await consumer.start()

    async def listen() -> None:
        while True:
            for found in (await consumer.getmany(timeout_ms=100)).values():
                now = time.time()
                for record in found:
                    event = EVENT.search(record.value)
                    if event is not None and (sent_s := sent.pop(event[1], 0.0)) >= measured_s:
                        waits.append(now - sent_s)

    measured_s = float("inf")
    listening = asyncio.create_task(listen())
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    await producer.start()
    await asyncio.sleep(5)  # the worker starts
    began = time.time()
    measured_s = began + WARM_S
    done = 0
    while done < len(records):
        due = min(len(records), int((time.time() - began) * rate))
        for record in records[done:due]:
            named = MESSAGE.search(record.value or b"")
            assert named is not None
            sent[named[1]] = time.time()
            await producer.send(
                ground.input,
                record.value,
                key=record.key,
                partition=partition_of(record.key or b"", partitions),
            )
        done = due
        await asyncio.sleep(TICK_S)
    ended = time.time()
    await asyncio.sleep(2)
    cores = worker.cpu_s(measured_s, ended) / (ended - measured_s)
    mib = worker.peak_mib()
    listening.cancel()
    await asyncio.gather(producer.stop(), consumer.stop(), worker.end())
    waits.sort()
    p50, p95, p99 = (1000 * quantile(waits, part) for part in (0.5, 0.95, 0.99))
    print(
        f"\n{rate:,} events a second for {seconds:.0f} s, {partitions} partitions: from sent to read as "
        f"committed, {len(waits):,} transitions"
    )
    line("p50 / p95 / p99, ms", f"{p50:.0f} / {p95:.0f} / {p99:.0f}", f"p99 <= {P99_MS:g}", p99 <= P99_MS)
    line("cores of the worker", f"{cores:.2f}", f"<= {CORES:g}", cores <= CORES)
    line("its most memory, MiB", f"{mib:,.0f}")
    commits = [c for partition in await ground.commits() for c in partition if measured_s <= c.at_s <= ended]
    line(
        "commits a second, events in each",
        f"{len(commits) / (ended - measured_s):.0f}, "
        f"{rate * (ended - measured_s) / max(len(commits), 1):.0f}",
    )
    if profile:
        print("\n".join(sampled(worker.log.read_text())))
    await ground.drop()
