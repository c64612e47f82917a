"""Follows partitions of a cluster for `KafkaLog.tail`, over one connection that stays open.

A broker removes a tombstone no earlier than `delete.retention.ms` after it was first compacted (before Apache
Kafka 3.1: after it was written). So a follower that was at the end less than that long ago has missed none,
and any other reads anew. A position carries the time when its follower was last at the end, by the follower's
own clock: no broker tells its time. A tenth of the retention is left for clocks that go wrong and for the
fetch itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.clock import Clock
from streams.errors import Refused, Unavailable
from streams.log.kafka import quirks
from streams.log.kafka.client import FETCH_WAIT_MS, Cluster
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start
from streams.log.kafka.offsets import first_offsets
from streams.log.kafka.reader import STUCK_S, to_record
from streams.log.kafka.topics.cluster import topic_setting
from streams.log.tail import Tail, TailPosition
from streams.records import Record

RETENTION = "delete.retention.ms"
DEFAULT_RETENTION_MS = 24 * 60 * 60 * 1_000  # Kafka's own, where we may not see the setting
LEAST_RETENTION_MS = 60 * 1_000  # with less, a follower would read anew again and again
SAFE_SHARE = 0.9
RETENTION_EVERY_S = 600.0  # between looks at the setting


class Tails:
    """The one consumer through which all followers of a log read."""

    def __init__(self, cluster: Cluster, clock: Clock, hidden_key: bytes) -> None:
        """Records with `hidden_key` are the log's own and are left out."""
        self._cluster, self._clock, self._hidden_key = cluster, clock, hidden_key
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._following: defaultdict[TopicPartition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[TopicPartition, int] = {}  # the offset that the consumer reads next
        self._retention: dict[str, tuple[float, int]] = {}  # topic -> when it was looked at, milliseconds

    async def tail(
        self, tp: TopicPartition, position: TailPosition | None, limit: int, *, compacted: bool
    ) -> Tail:
        """See `streams.log.port.Reader.tail`. Raises Unavailable, Refused."""
        async with self._following[tp], cluster_errors(f"{tp.topic} {tp.partition} cannot be followed"):
            consumer = await self._started()
            now_ms = self._clock.wall_ms()
            anew = position is not None and compacted and await self._too_long_ago(tp.topic, position, now_ms)
            if position is None or anew:
                position = TailPosition(await self._first(consumer, tp), now_ms)
            self._seek(consumer, tp, position.offset)
            deadline_s = self._clock.monotonic_s() + STUCK_S
            while self._clock.monotonic_s() < deadline_s:
                try:
                    found = await consumer.getmany(tp, timeout_ms=FETCH_WAIT_MS, max_records=limit)
                except OffsetOutOfRangeError:  # deleted by age, or the topic was made anew
                    anew, position = True, TailPosition(await self._first(consumer, tp), now_ms)
                    self._seek(consumer, tp, position.offset)
                    continue
                if records := found.get(tp):
                    # Set before the next await: if that is cancelled, the next call knows that the consumer
                    # has moved on, and seeks back.
                    self._next[tp] = records[-1].offset + 1
                reached: int = await consumer.position(tp)
                self._next[tp] = reached
                answered_ms = consumer.last_poll_timestamp(tp) or 0
                stable = consumer.last_stable_offset(tp)
                at_end = answered_ms >= now_ms and stable is not None and reached >= stable
                if records or at_end:
                    position = TailPosition(reached, answered_ms if at_end else position.current_ms)
                    return Tail(self._visible(records or ()), position, anew, at_end)
        raise Unavailable(f"{tp.topic} {tp.partition} cannot be followed: no answer for {STUCK_S:.0f} s")

    def detach(self) -> tuple[AIOKafkaConsumer, ...]:
        """Gives the consumer away, as a tuple of none or one: the caller stops it."""
        consumer, self._consumer = self._consumer, None
        self._next = {}
        return () if consumer is None else (consumer,)

    def _visible(self, found: Sequence[ConsumerRecord]) -> list[Record]:
        return [to_record(record) for record in found if record.key != self._hidden_key]

    async def _started(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._consumer is None:
                consumer = self._cluster.consumer()
                await start(consumer, self._cluster, f"no answer from {self._cluster.bootstrap}")
                self._consumer = consumer
            return self._consumer

    async def _first(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
        await quirks.know_topic(consumer, tp.topic)
        return (await first_offsets(consumer, [tp]))[tp]

    def _seek(self, consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> None:
        """Makes the next read begin at this offset."""
        # No await here, or another task could see an assigned partition without a position.
        if tp not in self._next:
            self._next[tp] = offset
            consumer.assign(list(self._next))
            for assigned, position in self._next.items():  # `assign` forgets them
                consumer.seek(assigned, position)
        elif self._next[tp] != offset:
            consumer.seek(tp, offset)
            self._next[tp] = offset

    async def _too_long_ago(self, topic: str, position: TailPosition, now_ms: int) -> bool:
        looked_s, retention_ms = self._retention.get(topic, (float("-inf"), 0))
        now_s = self._clock.monotonic_s()
        if now_s - looked_s > RETENTION_EVERY_S:
            setting = await topic_setting(self._cluster, topic, RETENTION)
            retention_ms = DEFAULT_RETENTION_MS if setting is None else int(setting)
            if retention_ms < LEAST_RETENTION_MS:
                raise Refused(
                    f"{topic} cannot be followed: it has {RETENTION}={retention_ms}, so that followers miss "
                    f"what is removed; set at least {LEAST_RETENTION_MS}"
                )
            self._retention[topic] = now_s, retention_ms
        return now_ms - position.current_ms > SAFE_SHARE * retention_ms
