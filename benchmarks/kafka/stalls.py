"""How long a partition stands still when its worker is killed, leaves, or gets company; and what
others notice of a transaction that hangs.

A stall is the longest time between two commits of a partition around
the event, while events come all the time.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

from aiokafka import AIOKafkaProducer

from benchmarks.common import common
from benchmarks.kafka.ground import Commit, Ground
from benchmarks.kafka.measure import Watched, line
from streams.core.ingest.partition import partition_of
from streams.records import Record

PARTITIONS = 8
RATE = 1_000  # events a second
STEADY_S, AFTER_S = 4.0, 12.0
TAKEOVER_S, STALL_MS = 10.0, 300.0  # the goals
HANG_S = 5.0  # shorter than a session: nobody is replaced meanwhile

Deed = Callable[[Ground, list[Watched]], Awaitable[None] | None]


async def stalls(bootstrap: str, logs: Path, people: int) -> None:
    """Prints."""
    print(
        f"\ntwo workers, {PARTITIONS} partitions, {RATE:,} events a second: the longest time without a "
        "commit of a partition"
    )
    killed = await _stall(bootstrap, logs, people, _kill)
    moved, stayed = killed
    line(
        "kill -9: partitions of the killed, s",
        f"{max(moved):.1f}",
        f"<= {TAKEOVER_S:g}",
        max(moved) <= TAKEOVER_S,
    )
    line("  of the survivor, ms", f"{1000 * max(stayed):.0f}")
    for what, deed in (("SIGTERM", _term), ("a third worker joins", _join)):
        moved, stayed = await _stall(bootstrap, logs, people, deed)
        ms = 1000 * max(moved, default=0.0)
        line(
            f"{what}: partitions that moved ({len(moved)}), ms",
            f"{ms:.0f}",
            f"<= {STALL_MS:g}",
            ms <= STALL_MS,
        )
        line("  partitions that stayed, ms", f"{1000 * max(stayed, default=0.0):.0f}")
    _, stayed = await _stall(bootstrap, logs, people, _freeze)
    line(
        f"frozen for {HANG_S:g} s: partitions of the other worker, ms",
        f"{1000 * max(stayed, default=0.0):.0f}",
    )
    _, stayed = await _stall(bootstrap, logs, people, _hang, unkeyed=True)
    line(f"a handover that hangs for {HANG_S:g} s: all partitions, ms", f"{1000 * max(stayed):.0f}")


async def _stall(
    bootstrap: str, logs: Path, people: int, deed: Deed, unkeyed: bool = False
) -> tuple[list[float], list[float]]:
    """Seconds, of the partitions that the deed moved to another worker (or froze), and of the others."""
    ground = Ground(bootstrap, logs, PARTITIONS)
    await ground.make()
    workers = [ground.worker(), ground.worker()]
    records = common(int(RATE * (STEADY_S + AFTER_S)), people)
    await ground.ready(*workers)
    sending = asyncio.create_task(_send(ground, records, unkeyed))
    await asyncio.sleep(STEADY_S)
    at_s = time.time()
    before = [worker.opened() for worker in workers]
    doing = deed(ground, workers)
    if doing is not None:
        await doing
    await sending
    if deed in (_freeze, _kill):
        moved = before[0]
    else:
        now = [worker.opened() for worker in workers]
        moved = {p for was, held in zip(before, now, strict=False) for p in held ^ was}
    commits = await ground.commits()
    for worker in workers:
        await worker.end()
    await ground.drop()
    gaps = [_gap(partition, at_s) for partition in commits]
    return [gap for p, gap in enumerate(gaps) if p in moved], [
        gap for p, gap in enumerate(gaps) if p not in moved
    ]


def _gap(partition: list[Commit], at_s: float) -> float:
    """The longest time between two commits around and after an instant, while events came."""
    near = [commit.at_s for commit in partition if at_s - 1 <= commit.at_s <= at_s + AFTER_S - 1]
    return max((after - before for before, after in pairwise(near)), default=AFTER_S)


async def _send(ground: Ground, records: list[Record], unkeyed: bool) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all", linger_ms=5)
    await producer.start()
    began, done = time.time(), 0
    while done < len(records):
        due = min(len(records), int((time.time() - began) * RATE))
        for n, record in enumerate(records[done:due], done):
            number = n // 10 % PARTITIONS if unkeyed else partition_of(record.key or b"", PARTITIONS)
            await producer.send(
                ground.input, record.value, key=None if unkeyed else record.key, partition=number
            )
        done = due
        await asyncio.sleep(0.01)
    await producer.stop()


def _kill(ground: Ground, workers: list[Watched]) -> None:
    workers[0].process.kill()


def _term(ground: Ground, workers: list[Watched]) -> None:
    workers[0].process.terminate()


def _join(ground: Ground, workers: list[Watched]) -> None:
    workers.append(ground.worker())


def _freeze(ground: Ground, workers: list[Watched]) -> None:
    workers[0].process.send_signal(signal.SIGSTOP)
    asyncio.get_running_loop().call_later(HANG_S, workers[0].process.send_signal, signal.SIGCONT)


async def _hang(ground: Ground, workers: list[Watched]) -> None:
    """A transaction that has written to every partition of the handover, and does not end for a while."""
    producer = AIOKafkaProducer(
        bootstrap_servers=ground.bootstrap,
        transactional_id=f"{ground.app}-hangs",
        transaction_timeout_ms=10_000,
    )
    await producer.start()
    await producer.begin_transaction()
    for number in range(PARTITIONS):
        await producer.send_and_wait(f"{ground.app}.handover", b"", partition=number)
    await asyncio.sleep(HANG_S)
    await producer.abort_transaction()
    await producer.stop()
