"""`<app>.funnel` on a real broker: it is the sum of the tallies, whoever writes it and whoever dies."""

import asyncio
import os
import signal
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import orjson
import pytest
from aiokafka import TopicPartition
from structlog import get_logger

from schemas import FunnelTotal, Tally
from streams.clock import Clock
from streams.core.funnels.cells import MEASURE_TRANSITIONS, counter_code
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import ALL_TIME, BY_MINUTE, Cell
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.core.processing.tally_text import TallyText
from streams.errors import Fenced
from streams.log.kafka.client import Cluster
from streams.log.kafka.funnel import FunnelWriter
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.reader import EndOffsets, latest_records
from streams.log.memory import MemoryLog
from streams.log.port import Reader
from streams.records import Batch, NewRecord
from streams.runtime.funnel import keep_funnel
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from streams.telemetry.meters import Meters
from streams.topology import FUNNEL, TALLIES, own_topic
from tests.cli.running import TIMEOUT_S, process
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports
from tests.kafka.waiting import WAIT_S, eventually_async

PARTITIONS = 2
MOVE = counter_code(MEASURE_TRANSITIONS, 2, 0, 1)
STEPS = ("Product Viewed", "Store Located", "Product Added", "Order Completed")


async def published(app: str) -> dict[str, FunnelTotal]:
    """What the topic holds, by cell."""
    cluster = Cluster(bootstrap())
    ends = EndOffsets(cluster)
    try:
        end = await ends.settled([TopicPartition(own_topic(app, FUNNEL), 0)])
        records = await latest_records(cluster, end)
    finally:
        for consumer in ends.detach():
            await consumer.stop()
    totals = [
        msgspec.json.decode(record.value, type=FunnelTotal)
        for record in records.values()
        if record.value is not None
    ]
    return {total.cell: total for total in totals}


async def summed(log: Reader, window: str | None = None) -> Counter[str]:
    """The tallies of all partitions, added up; `window`: only these, without zeros."""
    sums: Counter[str] = Counter()
    async for _, record in log.scan(TALLIES.name):
        if record.value is not None:
            tally = msgspec.json.decode(record.value, type=Tally)
            if window is None or (tally.window == window and tally.count):
                sums[tally.cell] += tally.count
    return sums


async def tell(log: KafkaLog, partition: int, rev: int, *counters: tuple[Cell, int | None]) -> None:
    """A partition publishes these counters."""
    session = await log.open(partition)
    outputs = TallyText(partition, Dimensions()).outputs(counters, rev)
    await session.commit(Batch(outputs, [], b"checkpoint"))
    await session.close()


async def caught_up(writer: FunnelWriter) -> None:
    """The writer reads all that there is, and writes."""
    while not await writer.step():
        pass


async def for_ever(writer: FunnelWriter) -> None:
    """The writer goes on until it is fenced."""
    async with asyncio.timeout(WAIT_S):
        while True:
            await writer.step()


async def test_one_writer_after_another() -> None:
    """Each goes on from what the last one wrote; a zombie is fenced, and what it had read is not lost."""
    log = topics.log(topics.new_app(PARTITIONS), PARTITIONS)
    moves, minute = (ALL_TIME, 0, MOVE), (BY_MINUTE, 29_000_000, MOVE)
    await tell(log, 0, 1, (moves, 3), (minute, 3))
    await tell(log, 1, 7, (moves, 4), (minute, 1))
    first, second = FunnelWriter(log, Clock()), FunnelWriter(log, Clock())
    try:
        await first.open()
        await caught_up(first)
        assert [(4, 8), (7, 8)] == sorted((t.count, t.rev) for t in (await published(log.app)).values())
        await second.open()
        await tell(log, 1, 8, (moves, 5), (minute, None))
        with pytest.raises(Fenced):
            await for_ever(first)
        await caught_up(second)
        totals = await published(log.app)
        assert [("all", 8), ("minute", 4)] == sorted((t.window, t.count) for t in totals.values())
        await tell(log, 0, 2, (minute, None))
        await caught_up(second)
        assert ["all"] == [total.window for total in (await published(log.app)).values()]
    finally:
        await first.close()
        await second.close()
        await log.close()


async def test_metrics_say_whether_it_is_written() -> None:
    """A worker's writer shows its counters, and when it last had written them, until another takes over."""
    log = topics.log(topics.new_app(PARTITIONS), PARTITIONS)
    await tell(log, 0, 1, ((ALL_TIME, 0, MOVE), 3))
    await tell(log, 1, 1, ((ALL_TIME, 0, MOVE), 4))
    clock, meters, successor = Clock(), Meters(), FunnelWriter(log, Clock())
    began_s = clock.wall_ms() / 1000

    def shown() -> tuple[float | None, ...]:
        names = ("writer", "cells", "written_timestamp_seconds")
        return tuple(meters.registry.get_sample_value(f"streams_funnel_{name}") for name in names)

    async def is_written() -> bool:
        written_s = shown()[2]
        return written_s is not None and written_s >= began_s

    async def has_failed() -> bool:
        return shown()[:2] == (0, None)

    keeping = asyncio.create_task(keep_funnel(log, meters, get_logger(), clock, lambda: False))
    try:
        await eventually_async(is_written, "it was written")
        assert (1, 1) == shown()[:2]
        await successor.open()
        await tell(log, 1, 2, ((ALL_TIME, 0, MOVE), 5))
        await eventually_async(has_failed, "the writer was fenced, and says so")
        assert await is_written()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await successor.close()
        await log.close()
    assert (0, None) == shown()[:2]


def clicks(people: range) -> list[NewRecord]:
    """People of whom each goes a step further than the one before; just now, so that nobody stalls."""
    began, found = datetime.now(UTC) - timedelta(minutes=30), []
    for number in people:
        who = f"person-{number}"
        for n, step in enumerate(STEPS[: number % len(STEPS) + 1]):
            at = (began + timedelta(seconds=number + 60 * n)).isoformat(timespec="milliseconds")
            value = {
                "type": "track",
                "messageId": f"{number}-{n}",
                "userId": who,
                "event": step,
                "timestamp": at.replace("+00:00", "Z"),
            }
            key = who.encode()
            found.append(NewRecord(partition_of(key, PARTITIONS), key, orjson.dumps(value), -1))
    return found


async def embedded(records: list[NewRecord]) -> Counter[str]:
    """The funnel of the same events in an embedded log."""
    log, settings = MemoryLog(1), load_settings()
    now_ms = time.time_ns() // 1_000_000
    await log.append([NewRecord(0, record.key, record.value, now_ms) for record in records])
    agent = await PartitionAgent.open(log, 0, settings, default_rules())
    await agent.catch_up()
    return await summed(log, "all")


async def test_the_funnel_survives_its_writer(tmp_path: Path) -> None:
    """Two workers; the one that writes is killed with SIGKILL. The funnel is the sum of the tallies, and that
    of the same events in an embedded log.
    """
    app = topics.new_app(PARTITIONS)
    log = topics.log(app, PARTITIONS)
    arguments = ["run", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events"]
    running: dict[Path, subprocess.Popen[bytes]] = {}
    for name in ("a", "b"):
        file = tmp_path / name
        given = {**os.environ, "STREAMS_WEB__PORT": str(free_ports(1)[0])}
        with file.open("wb") as output:
            running[file] = process(*arguments, cwd=tmp_path, env=given, stdout=output, stderr=output)
    records = clicks(range(60))
    try:
        await log.append(records[: len(records) // 2])

        async def is_sum(of: list[NewRecord]) -> bool:
            sums, totals = await summed(log), await published(app)
            whole = {
                cell: total.count for cell, total in totals.items() if total.window == "all" and total.count
            }
            return dict(sums) == {
                cell: total.count for cell, total in totals.items()
            } and whole == await embedded(of)

        await eventually_async(lambda: is_sum(records[: len(records) // 2]), "the funnel is the sum")
        writing = [file for file in running if b"funnel_written" in file.read_bytes()]
        assert 1 == len(writing), "one worker writes"
        killed = running.pop(writing[0])
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=TIMEOUT_S)
        await log.append(records[len(records) // 2 :])
        await eventually_async(lambda: is_sum(records), "the funnel is the sum again")
    finally:
        for one in running.values():
            one.send_signal(signal.SIGTERM)
        for file, one in running.items():
            assert 0 == one.wait(timeout=TIMEOUT_S), file.read_text()[-3_000:]
        await log.close()
