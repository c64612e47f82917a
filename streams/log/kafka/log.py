"""The log on Apache Kafka: one transaction per batch, one transactional id per partition, the checkpoint in
the state topic as the authority.

Topics are named `<app>.<name>`; the input has a name of its own. All topics of the app have the same number
of partitions, and outputs of partition n go to partition n, whatever their key. So the state of a partition,
its checkpoint and its outputs are one transaction of one writer, and a reader who adds up partitions counts
nothing twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.clock import Clock
from streams.errors import ConfigError
from streams.log.grouping import COMPACTED, inbox_partitions
from streams.log.kafka.app_record import AppRecord
from streams.log.kafka.app_topic import RecordChange, change_app_record, read_app_record
from streams.log.kafka.app_topics import AppTopics
from streams.log.kafka.client import COMMIT_TIMEOUT_S, Cluster
from streams.log.kafka.commit_groups import CHECKPOINT
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.reader import (
    SETTLE_S,
    EndOffsets,
    last_values,
    latest_records,
    read_up_to,
    to_record,
)
from streams.log.kafka.record_quirks import Written
from streams.log.kafka.session import KafkaSession
from streams.log.kafka.stopped_inputs import StoppedInputs
from streams.log.kafka.tail import Tails
from streams.log.kafka.topics.cluster import checked
from streams.log.kafka.writer import Group, write
from streams.log.port import Extent, Restoring
from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import NewRecord, Output, Record, Source
from streams.topology import EVENTS, INBOX, SINGLE, STATE, is_inbox, split_source

if TYPE_CHECKING:
    from streams.log.kafka.registry.decoding import RecordDecoder  # its libraries are an extra

Scanning = Callable[[str, int, int], None]  # (topic, offsets passed, about how many there are)


class KafkaLog:
    """A `streams.log.port.Log` on a cluster. Made with `connect`, which checks the topics."""

    drops_old_records = True

    def __init__(
        self,
        cluster: Cluster,
        app: str,
        inputs: Mapping[str, int],
        partitions: int,
        warnings: Sequence[str] = (),
        *,
        deleted_inputs: Sequence[str] = (),
        settle_s: float = SETTLE_S,
    ) -> None:
        """Takes what `connect` or `open_existing_app` has checked.

        `inputs` are their numbers of partitions by name; `partitions` is that of every topic of the app;
        `warnings` say what is unwise; `deleted_inputs` are those that exist no more; `settle_s` is how long
        readers wait for a transaction to end.
        """
        self.cluster, self.app, self.partitions = cluster, app, partitions
        self.inputs, self.warnings = dict(inputs), tuple(warnings)
        self.deleted_inputs = tuple(deleted_inputs)
        self.topics = AppTopics(app, inputs, partitions)
        self.sessions: set[KafkaSession] = set()
        self.stopped = StoppedInputs()
        self.on_scan: Scanning | None = None  # called while a scan reads
        # Decodes records of inputs where they are read; None: there is no schema registry.
        self.decoder: RecordDecoder | None = None
        self._end_offsets = EndOffsets(cluster, settle_s)
        self._clock = Clock()
        self._tails = Tails(cluster, self._clock, hidden_key=CHECKPOINT)
        self._appender: AIOKafkaProducer | None = None
        self._appending = asyncio.Lock()

    @classmethod
    async def connect(
        cls, cluster: Cluster, app: str, inputs: Sequence[str], settle_s: float = SETTLE_S
    ) -> "KafkaLog":
        """`settle_s`: how long readers wait for a transaction to end.

        Raises ConfigError for a missing topic, Incompatible for a wrong number of partitions or cleanup
        policy, Refused, Unavailable.
        """
        if INBOX.name in inputs:
            raise ConfigError(
                f"an input cannot be called {INBOX.name}: that name stands for what partitions forward to "
                "each other"
            )
        partitions, counts, warnings = await checked(cluster, app, inputs)
        return cls(
            cluster, app, {name: counts[name] for name in inputs}, partitions, warnings, settle_s=settle_s
        )

    def sources(self, partition: int) -> tuple[str, ...]:
        return self.topics.sources(partition)

    def topic(self, name: str) -> str:
        """The topic's name on the cluster; `events` stands for the first input."""
        return self.topics.topic(name)

    async def open(self, partition: int) -> KafkaSession:
        assert 0 <= partition < self.partitions, partition
        session = KafkaSession(
            self.cluster,
            self.topics,
            partition,
            self._end_offsets,
            self.stopped,
            clock=self._clock,
            on_close=self.sessions.discard,
            decoder=self.decoder,
        )
        await session.start()
        self.sessions.add(session)
        return session

    async def append(self, records: Sequence[NewRecord], source: Source | None = None) -> None:
        """Appends to the first input, for tests and tools: on a broker, collectors append. The records are
        durable when it returns.

        What it refuses itself leaves nothing; a broker that fails in the middle leaves some. A transaction
        would not be better: its markers take offsets, which no collector's would.
        """
        assert source is None, "a file is appended once only to an embedded log"
        assert all(0 <= new.partition < self.partitions for new in records), "no such partition"
        groups: list[Group] = []
        # A batch holds either records with a time or records without: the format distinguishes them per
        # batch.
        for (partition, _), run in groupby(
            sorted(records, key=attrgetter("partition")), lambda new: (new.partition, new.time_ms < 0)
        ):
            tp = TopicPartition(self.topic(EVENTS.name), partition)
            groups.append((tp, [(new.key, new.value, new.headers, new.time_ms) for new in run]))
        await self._append(EVENTS.name, groups)

    async def send(self, messages: Sequence[Output]) -> None:
        """Outside of any transaction: each message stands for itself."""
        inboxes: dict[int, list[Written]] = {}
        numbers = inbox_partitions(messages, self.partitions)
        for number, message in zip(numbers, messages, strict=True):
            inboxes.setdefault(number, []).append((message.key, message.value, message.headers, None))
        groups: list[Group] = [
            (TopicPartition(self.topic(INBOX.name), number), written) for number, written in inboxes.items()
        ]
        await self._append(INBOX.name, groups)

    async def _append(self, topic: str, groups: Sequence[Group]) -> None:
        async with self._appending:
            if self._appender is None:
                producer = self.cluster.producer()
                await start(producer, self.cluster, f"no answer from {self.cluster.bootstrap}")
                self._appender = producer
            async with cluster_errors(f"{self.topic(topic)} cannot be written", COMMIT_TIMEOUT_S):
                await write(self._appender, groups)

    async def position(self, name: str) -> int:
        raise AssertionError("a file is appended once only to an embedded log")

    async def scan(
        self,
        topic: str,
        partition: int | None = None,
        key: bytes | None = None,
        *,
        since_ms: int | None = None,
    ) -> AsyncIterator[tuple[int, Record]]:
        which = range(self.partitions) if partition is None else (partition,)
        tps = [TopicPartition(self.topic(topic), number) for number in which]
        ends = await self._end_offsets.settled(tps)
        progress = {
            tp: self._progress(tp.topic, sum(ends[passed] for passed in tps[:n]), sum(ends.values()))
            for n, tp in enumerate(tps)
        }
        if topic in COMPACTED:
            for tp in tps:
                latest = await latest_records(self.cluster, {tp: ends[tp]}, key=key, on_progress=progress[tp])
                for found in sorted(latest):
                    if found != CHECKPOINT:
                        yield tp.partition, latest[found]
            return
        async with aclosing(read_up_to(self.cluster, ends, since_ms=since_ms)) as chunks:
            async for tp, chunk in chunks:
                if chunk:
                    progress[tp](chunk[-1].offset + 1, ends[tp])
                for record in chunk:
                    if key is None or record.key == key:
                        yield tp.partition, to_record(record)

    def _progress(self, topic: str, before: int, total: int) -> Restoring:
        """Reports how far a scan is that has read `before` offsets in other partitions, of `total`."""

        def on_progress(done: int, _: int) -> None:
            if self.on_scan is not None:
                self.on_scan(topic, before + done, total)

        return on_progress

    async def scan_versions(self, topic: str, partition: int) -> AsyncIterator[Record]:
        assert topic in COMPACTED, topic
        ends = await self._end_offsets.settled([TopicPartition(self.topic(topic), partition)])
        async with aclosing(read_up_to(self.cluster, ends)) as chunks:
            async for _, chunk in chunks:
                for record in chunk:
                    if record.key != CHECKPOINT:
                        yield to_record(record)

    async def scan_source(self, source: str, end: int | None = None) -> AsyncIterator[Record]:
        if not self._is_there(source):
            return
        ends = await self._end_offsets.settled([self.topics.topic_partition(source)], needed=end)
        if end is not None:
            ends = {tp: min(end, known) for tp, known in ends.items()}
        decoder = None if is_inbox(source) else self.decoder
        async with aclosing(read_up_to(self.cluster, ends)) as chunks:
            async for _, chunk in chunks:
                records = [to_record(record) for record in chunk]
                for found in records if decoder is None else await decoder.decoded(records):
                    yield found

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        assert limit > 0, limit
        tp = TopicPartition(self.topic(topic), partition)
        # Those of one partition are compacted, all of them.
        compacted = topic in COMPACTED or topic in SINGLE
        return await self._tails.tail(tp, position, limit, compacted=compacted)

    async def end_positions(self, topic: str) -> list[TailPosition]:
        now_ms = self._clock.wall_ms()
        return [TailPosition(extent.end, now_ms) for extent in await self._extents(topic)]

    async def first_offsets(self, topic: str) -> list[int]:
        return [extent.first for extent in await self._extents(topic)]

    async def _extents(self, topic: str) -> list[Extent]:
        partitions = 1 if topic in SINGLE else self.partitions
        tps = [TopicPartition(self.topic(topic), number) for number in range(partitions)]
        extents = await self._end_offsets.extents(tps)
        return [extents[tp] for tp in tps]

    async def ends(self) -> dict[str, int]:
        """The ends of what is committed: while a collector's transaction is open, the offset at which it
        begins.
        """
        tps = self._source_partitions()
        ends = await self._end_offsets.settled(list(tps.values()))
        return {source: ends[tp] for source, tp in tps.items()}

    async def extents(self) -> dict[str, Extent]:
        tps = self._source_partitions()
        extents = await self._end_offsets.extents(list(tps.values()))
        return {source: extents[tp] for source, tp in tps.items()}

    def _source_partitions(self) -> dict[str, TopicPartition]:
        return {
            source: self.topics.topic_partition(source)
            for number in range(self.partitions)
            for source in self.sources(number)
            if self._is_there(source)
        }

    def _is_there(self, source: str) -> bool:
        """False if its topic was deleted: what stands there now, if anything, is not what was read."""
        topic = split_source(source)[0]
        return topic not in self.deleted_inputs and topic not in self.stopped.reasons

    async def checkpoints(self, partition: int | None = None) -> list[bytes | None]:
        which = range(self.partitions) if partition is None else (partition,)
        tps = [TopicPartition(self.topic(STATE.name), number) for number in which]
        found = await last_values(self.cluster, await self._end_offsets.settled(tps), CHECKPOINT)
        return [found.get(tp) for tp in tps]

    async def app_record(self) -> AppRecord | None:
        """What the app runs under; None if no worker of it has ever been started."""
        return await read_app_record(self.cluster, self.app, self._end_offsets)

    async def change_app_record(self, change: RecordChange) -> AppRecord:
        """Changes what the app runs under. See `streams.log.kafka.app_topic`."""
        return await change_app_record(self.cluster, self.app, self._end_offsets, change)

    async def close(self) -> None:
        try:
            await asyncio.gather(*(session.close() for session in self.sessions))
        finally:
            appender, self._appender = self._appender, None
            others = () if appender is None else (appender,)
            await stop(*self._end_offsets.detach(), *self._tails.detach(), *others)
            if self.decoder is not None:
                await self.decoder.close()
