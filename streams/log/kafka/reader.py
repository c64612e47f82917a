"""Reads what is committed, of a topic partition, up to an end that is known before reading begins.

The end is the last stable offset: the first record of the oldest open transaction, or the end of the partition. Just after a commit a broker may
still name the one before, for it marks the partitions after it has answered the writer. So a reader that must see all that was committed before
it asked takes the high watermark first, and waits until the last stable offset has come up to it: a few milliseconds, or, when a writer died
in mid-transaction, until the broker gives that transaction up.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence, Set
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.errors import Unavailable
from streams.log.kafka.client import (
    FETCH_WAIT_MS,
    OPEN_TIMEOUT_S,
    REQUEST_TIMEOUT_MS,
    TRANSACTION_TIMEOUT_MS,
    Cluster,
    start,
    stop,
    unavailable,
)
from streams.records import Record

SETTLE_POLL_S = 0.005  # between looks at an end that is about to move
SETTLE_S = (
    TRANSACTION_TIMEOUT_MS / 1000 + 12
)  # brokers look for transactions that have timed out every 10 s unless told otherwise
STUCK_S = 2 * REQUEST_TIMEOUT_MS / 1000  # without a step forward although there is more to read
LAST_STEP = 64  # records before the end that are looked at first for the last of a key


class Looker:
    """Asks for the ends of partitions, over two connections that stay open."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._consumers: tuple[AIOKafkaConsumer, AIOKafkaConsumer] | None = None
        self._starting = asyncio.Lock()

    async def settled(
        self, partitions: Sequence[TopicPartition], must: bool = False
    ) -> dict[TopicPartition, int]:
        """Where to read to, to see all that was committed before the call, in the order asked. While a transaction stays open, where it begins.

        `must`: raises Unavailable instead.
        """
        everything, committed = await self._open()
        async with unavailable("the end of a topic cannot be read", SETTLE_S + OPEN_TIMEOUT_S):
            for consumer in (everything, committed):
                await know(consumer, {tp.topic for tp in partitions})
            written: dict[TopicPartition, int] = await everything.end_offsets(partitions)
            deadline = asyncio.get_running_loop().time() + SETTLE_S
            while True:
                stable: dict[TopicPartition, int] = await committed.end_offsets(partitions)
                hanging = [tp for tp in partitions if stable[tp] < written[tp]]
                if not hanging:
                    break
                if asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(SETTLE_POLL_S)
        if must and hanging:
            raise Unavailable(f"a transaction in {hanging[0].topic} {hanging[0].partition} does not end")
        return {tp: stable[tp] for tp in partitions}

    async def close(self) -> None:
        consumers, self._consumers = self._consumers, None
        for consumer in consumers or ():
            await stop(consumer)

    async def _open(self) -> tuple[AIOKafkaConsumer, AIOKafkaConsumer]:
        async with self._starting:
            if self._consumers is None:
                everything = self._cluster.consumer("read_uncommitted")
                await start(everything, f"no answer from {self._cluster.bootstrap}")
                try:
                    committed = self._cluster.consumer()
                    await start(committed, f"no answer from {self._cluster.bootstrap}")
                except BaseException:
                    await stop(everything)
                    raise
                self._consumers = everything, committed
            return self._consumers


async def know(consumer: AIOKafkaConsumer, topics: Set[str]) -> None:
    """Lets a consumer ask where topics are, all at once. It finds out by itself too, but waits after each one that it did not know."""
    for topic in topics:
        await consumer._client.add_topic(topic)


async def chunks(
    cluster: Cluster, ends: dict[TopicPartition, int], last: int | None = None
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Committed records of the partitions, one partition after the other, each in offset order up to its end; only offsets of the last `last`.

    As many at once as one fetch brought: a generator's step per record would cost as much as reading it.
    """
    consumer = cluster.consumer()
    await start(consumer, f"no answer from {cluster.bootstrap}")
    try:
        async with unavailable("topics cannot be read", OPEN_TIMEOUT_S):
            await know(consumer, {tp.topic for tp in ends})
        for tp, end in ends.items():
            async with unavailable(f"{tp.topic} {tp.partition} cannot be read"):
                begin = (await consumer.beginning_offsets([tp]))[tp]
            first = begin if last is None else max(begin, end - last)
            if first >= end:
                continue
            consumer.assign([tp])
            consumer.seek(tp, first)
            async for chunk in _chunks(consumer, tp, end):
                yield tp, chunk
    finally:
        await stop(consumer)


async def _chunks(
    consumer: AIOKafkaConsumer, tp: TopicPartition, end: int
) -> AsyncIterator[list[ConsumerRecord]]:
    loop = asyncio.get_running_loop()
    at, moved = -1, loop.time()
    while True:
        async with unavailable(f"{tp.topic} {tp.partition} cannot be read"):
            found: list[ConsumerRecord] = (await consumer.getmany(tp, timeout_ms=FETCH_WAIT_MS)).get(tp, [])
            position: int = await consumer.position(tp)
        if found:
            yield found if found[-1].offset < end else [record for record in found if record.offset < end]
        if position >= end:  # the last offsets may be no records but marks of transactions
            return
        if position > at:
            at, moved = position, loop.time()
        elif loop.time() - moved > STUCK_S:
            raise Unavailable(f"{tp.topic} {tp.partition} cannot be read: no answer for {STUCK_S:.0f} s")


async def last_of(
    cluster: Cluster, ends: dict[TopicPartition, int], key: bytes
) -> dict[TopicPartition, bytes | None]:
    """Per partition the last committed value of a key. Quick when it was written not long ago, whatever the size of the topic."""
    found: dict[TopicPartition, bytes | None] = {}
    missing, step = {tp: end for tp, end in ends.items() if end > 0}, LAST_STEP
    while missing:
        async for tp, chunk in chunks(cluster, missing, step):
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
