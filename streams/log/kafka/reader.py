"""Reads what is committed of a topic partition, up to an end that is known before reading begins.

The end is the last stable offset: the first record of the oldest open transaction, or the end of the
partition. Just after a commit a broker may still report the one before, because it marks the partitions after
it has answered the writer. So a reader that must see everything that was committed before it asked takes the
high watermark first, and waits until the last stable offset has reached it. That takes a few milliseconds or,
when a writer died in mid-transaction, until the broker aborts that transaction.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import aclosing
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.errors import Unavailable
from streams.log.kafka import quirks
from streams.log.kafka.client import (
    FETCH_WAIT_MS,
    OPEN_TIMEOUT_S,
    REQUEST_TIMEOUT_MS,
    TRANSACTION_TIMEOUT_MS,
    Cluster,
    Isolation,
)
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.offsets import first_offsets, next_offsets, offset_at
from streams.log.port import Extent, Restoring
from streams.records import Record

SETTLE_POLL_S = 0.005  # between looks at an end that is about to move
# Brokers look for transactions that have timed out every 10 s by default.
SETTLE_S = TRANSACTION_TIMEOUT_MS / 1000 + 12
# A transaction that is about to end does so by then: who only wants to know which are open waits no longer.
TRANSACTION_WAIT_S = 0.5
STUCK_S = 2 * REQUEST_TIMEOUT_MS / 1000  # without a step forward although there is more to read
# What is read up to an end that is known is there: a broker need not wait for more, while the next partition
# waits for its answer.
KNOWN_WAIT_MS = 10
LAST_STEP = 64  # how many records before the end are read first in search of the last of a key


class EndOffsets:
    """Asks for the ends of partitions, over two connections that stay open."""

    def __init__(self, cluster: Cluster, settle_s: float = SETTLE_S) -> None:
        """`settle_s`: how long to wait for the end of a transaction that is open."""
        self._cluster, self._settle_s = cluster, settle_s
        self._consumers: tuple[AIOKafkaConsumer, ...] = ()
        self._starting = asyncio.Lock()

    async def settled(
        self, partitions: Sequence[TopicPartition], *, final: bool = False, needed: int | None = None
    ) -> dict[TopicPartition, int]:
        """Where to read to, to see everything that was committed before the call, in the order asked.

        While a transaction stays open, that is where it begins; with `final`, Unavailable is raised instead.
        Nobody waits for a transaction that begins at the offset `needed` or later.
        """
        stable, written = await self._ends(partitions, self._settle_s, needed)
        hidden = [tp for tp in partitions if stable[tp] < written[tp]]
        if final and hidden:
            raise Unavailable(f"a transaction in {hidden[0].topic} {hidden[0].partition} does not end")
        return {tp: stable[tp] for tp in partitions}

    async def extents(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Extent]:
        """Which offsets these partitions hold. It waits for no transaction but one that is about to end."""
        stable, written = await self._ends(partitions, min(self._settle_s, TRANSACTION_WAIT_S))
        everything, _ = await self._opened()
        async with cluster_errors("the beginning of a topic cannot be read", OPEN_TIMEOUT_S):
            first = await first_offsets(everything, partitions)
        return {tp: Extent(first[tp], stable[tp], max(stable[tp], written[tp])) for tp in partitions}

    async def _ends(
        self, partitions: Sequence[TopicPartition], settle_s: float, needed: int | None = None
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """The last stable offsets, and the high watermarks that they had to reach."""
        everything, committed = await self._opened()
        clock = asyncio.get_running_loop().time
        async with cluster_errors("the end of a topic cannot be read", settle_s + OPEN_TIMEOUT_S):
            for consumer in (everything, committed):
                await _know_topics(consumer, {tp.topic for tp in partitions})
            written = await next_offsets(everything, partitions)
            wanted = {tp: end if needed is None else min(end, needed) for tp, end in written.items()}
            deadline_s = clock() + settle_s
            while True:
                stable = await next_offsets(committed, partitions)
                if all(stable[tp] >= wanted[tp] for tp in partitions) or clock() > deadline_s:
                    return stable, written
                await asyncio.sleep(SETTLE_POLL_S)

    def detach(self) -> tuple[AIOKafkaConsumer, ...]:
        """The consumers, which the caller stops."""
        consumers, self._consumers = self._consumers, ()
        return consumers

    async def _opened(self) -> tuple[AIOKafkaConsumer, ...]:
        async with self._starting:
            if not self._consumers:
                what = f"no answer from {self._cluster.bootstrap}"
                everything = self._cluster.consumer("read_uncommitted")
                await start(everything, self._cluster, what)
                committed = self._cluster.consumer()
                try:
                    await start(committed, self._cluster, what)
                except BaseException:
                    await stop(everything)
                    raise
                self._consumers = everything, committed
            return self._consumers


async def _know_topics(consumer: AIOKafkaConsumer, topics: Set[str]) -> None:
    for topic in topics:
        await quirks.know_topic(consumer, topic)


async def read_up_to(
    cluster: Cluster,
    ends: Mapping[TopicPartition, int],
    last: int | None = None,
    isolation: Isolation = "read_committed",
    since_ms: int | None = None,
) -> AsyncGenerator[tuple[TopicPartition, list[ConsumerRecord]], None]:
    """Records of the partitions, one partition after the other, each in offset order up to its end; `last`:
    only its last so many offsets; `since_ms`: from the first record on whose own time is not before that.

    Each item holds as many records as one fetch brought: a generator's step per record would cost as much as
    reading it.
    """
    consumer = cluster.consumer(isolation, KNOWN_WAIT_MS)
    await start(consumer, cluster, f"no answer from {cluster.bootstrap}")
    try:
        async with cluster_errors("topics cannot be read", OPEN_TIMEOUT_S):
            await _know_topics(consumer, {tp.topic for tp in ends})
        for tp, end in ends.items():
            async with cluster_errors(f"{tp.topic} {tp.partition} cannot be read"):
                begin = await _begin(consumer, tp, end, since_ms)
            first = begin if last is None else max(begin, end - last)
            if first >= end:
                continue
            consumer.assign([tp])
            consumer.seek(tp, first)
            async with aclosing(_chunks(consumer, tp, end)) as chunks:
                async for chunk in chunks:
                    yield tp, chunk
    finally:
        await stop(consumer)


async def _begin(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int, since_ms: int | None) -> int:
    """The offset to read from; the end if all records were written before `since_ms`."""
    if since_ms is None:
        return (await first_offsets(consumer, [tp]))[tp]
    found = await offset_at(consumer, tp, since_ms)
    return end if found is None else found


async def _chunks(
    consumer: AIOKafkaConsumer, tp: TopicPartition, end: int
) -> AsyncGenerator[list[ConsumerRecord], None]:
    loop = asyncio.get_running_loop()
    at, moved_s = -1, loop.time()
    while True:
        async with cluster_errors(f"{tp.topic} {tp.partition} cannot be read"):
            found: list[ConsumerRecord] = (await consumer.getmany(tp, timeout_ms=FETCH_WAIT_MS)).get(tp, [])
            position: int = await consumer.position(tp)
        if found:
            yield found if found[-1].offset < end else [record for record in found if record.offset < end]
        if position >= end:  # the last offsets may belong to markers of transactions
            return
        if position > at:
            at, moved_s = position, loop.time()
        elif loop.time() - moved_s > STUCK_S:
            raise Unavailable(f"{tp.topic} {tp.partition} cannot be read: no answer for {STUCK_S:.0f} s")


async def latest_records(
    cluster: Cluster,
    ends: Mapping[TopicPartition, int],
    *,
    key: bytes | None = None,
    on_progress: Restoring | None = None,
) -> dict[bytes, Record]:
    """The last record of each key (or of `key` only), in no order: what a compaction would leave, whenever
    the broker does it.
    """
    latest: dict[bytes, Record] = {}
    async with aclosing(read_up_to(cluster, ends)) as chunks:
        async for tp, chunk in chunks:
            if on_progress is not None and chunk:
                on_progress(chunk[-1].offset + 1, ends[tp])
            for record in chunk:
                if key is not None and record.key != key:
                    continue
                if record.value is None:
                    latest.pop(record.key, None)
                else:
                    latest[record.key] = to_record(record)
    return latest


async def last_values(
    cluster: Cluster, ends: Mapping[TopicPartition, int], key: bytes
) -> dict[TopicPartition, bytes | None]:
    """Per partition the last committed value of a key. It is found quickly if it was written recently,
    whatever the size of the topic.
    """
    found: dict[TopicPartition, bytes | None] = {}
    missing, step = {tp: end for tp, end in ends.items() if end > 0}, LAST_STEP
    while missing:
        async with aclosing(read_up_to(cluster, missing, step)) as chunks:
            async for tp, chunk in chunks:
                for record in chunk:
                    if record.key == key:
                        found[tp] = record.value
        missing = {tp: end for tp, end in missing.items() if tp not in found and step < end}
        step *= 8
    return found


def to_record(record: Any) -> Record:
    """A record in our own form. A header without a value has an empty one."""
    headers = record.headers
    return Record(
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple([(name, value or b"") for name, value in headers]) if headers else (),
    )
