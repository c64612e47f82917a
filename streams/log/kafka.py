"""The log on Apache Kafka: one transaction per batch, one transactional id per partition, the checkpoint in the state topic as the authority.

Topics are named `<app>.<name>`; the input has a name of its own. All of them have the input's number of partitions, and an agent writes all that it
says to the partition of its own number, named explicitly: whatever the key, what partition 3 said is in partition 3. So the state of a
partition, its checkpoint and its outputs are one transaction of one writer, and a reader who adds up partitions counts nothing twice.

- *Opening* starts a producer under the id `<app>-<partition>`. That fences its former owner and ends that one's transaction, so what is restored
  after it is final. Asked for before, both the state and its end were stale now and then.
- *The checkpoint* is the last record of every commit, in the state topic, under a key that no state record may have. Groups and their committed
  offsets have no say in where to continue.
- *A commit* waits for every batch by itself: aiokafka's own commit succeeds also when one of them has failed.
- *An error* ends the session, whichever it was: nothing is tried again in place. Close it, open another.
- *A session that has nothing to say* notices only at its next commit that it was replaced, and goes on reading until then.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalOperation, KafkaError, OffsetOutOfRangeError

from streams.errors import ConfigError, Fenced, Incompatible, Unavailable
from streams.log.grouping import COMPACTED, NAMES, by_topic
from streams.log.kafka_client import (
    CLOSE_TIMEOUT_S,
    COMMIT_TIMEOUT_S,
    FETCH_WAIT_MS,
    OPEN_TIMEOUT_S,
    Cluster,
    described,
    start,
    stop,
    unavailable,
)
from streams.log.kafka_reader import STUCK_S, Looker, chunks, last_of, to_record
from streams.log.kafka_writer import FENCED, Group, Written, write
from streams.records import Batch, Headers, Record, Source
from streams.topology import EVENTS, OUTPUTS, STATE

CHECKPOINT = b"\0checkpoint"  # its key in the state topic; state keys begin with a letter



class KafkaSession:
    """One agent's hold on a partition: a producer that fences, and a consumer of the input that is told where to read."""

    def __init__(self, log: "KafkaLog", partition: int) -> None:
        self.partition = partition
        self._log = log
        self._input = TopicPartition(log.input, partition)
        self._producer: AIOKafkaProducer = log.cluster.producer(f"{log.app}-{partition}")
        self._consumer: AIOKafkaConsumer = log.cluster.consumer()
        self._next = -1  # the offset that the consumer reads next
        self._writing = False
        self._dead: str | None = None
        self._fenced = False

    async def start(self) -> None:
        """Takes the partition over. Raises Unavailable; the session is closed then."""
        try:
            await start(self._producer, f"partition {self.partition} cannot be taken over")
            await start(self._consumer, f"partition {self.partition} cannot be read")
        except BaseException:
            await self.close()
            raise
        self._consumer.assign([self._input])

    async def restore(self) -> tuple[bytes | None, AsyncIterator[tuple[bytes, bytes]]]:
        self._check()
        try:
            state = await self._log.latest(STATE.name, self.partition, must=True)
        except Unavailable as error:
            raise self._died(str(error)) from error
        checkpoint = state.pop(CHECKPOINT, None)
        return None if checkpoint is None else checkpoint.value, _pairs(state)

    async def read(self, offset: int, limit: int) -> list[Record]:
        """Waits for a tenth of a second when there is nothing. Raises Unavailable when records were deleted before they were read.

        Offset 0 is the first record that there still is: a first start begins where the topic does.
        """
        assert offset >= 0, offset
        assert limit > 0, limit
        self._check()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STUCK_S
        try:
            async with unavailable(f"{self._input.topic} {self.partition} cannot be read"):
                if offset != self._next:
                    self._consumer.seek(self._input, offset)
                    self._next = offset
                while loop.time() < deadline:
                    try:
                        found = (await self._consumer.getmany(self._input, timeout_ms=FETCH_WAIT_MS, max_records=limit)).get(self._input)
                    except OffsetOutOfRangeError:
                        await self._find(offset)
                        found = None
                    if found:
                        self._next = found[-1].offset + 1
                        return [to_record(record) for record in found]
                    end = (await self._consumer.end_offsets([self._input]))[self._input]
                    if await self._consumer.position(self._input) >= end:
                        return []
        except Unavailable as error:
            raise self._died(str(error)) from error
        raise self._died(f"{self._input.topic} {self.partition} cannot be read: no answer for {STUCK_S:.0f} s")

    async def _find(self, offset: int) -> None:
        """The position is not in the topic: before it (deleted by age), or after it (nothing there yet)."""
        first = (await self._consumer.beginning_offsets([self._input]))[self._input]
        if offset == 0:
            self._consumer.seek(self._input, first)
        elif offset < first:
            raise Unavailable(
                f"{self._input.topic} {self.partition} begins at offset {first}, but only what is before {offset} was processed: what lies between"
                " was deleted by the topic's retention. Start a new app id and replay what there is"
            )
        else:
            await asyncio.sleep(FETCH_WAIT_MS / 1000)

    async def commit(self, batch: Batch) -> None:
        groups: dict[str, list[Written]] = {
            topic: [(output.key, output.value, output.headers, None) for output in outputs] for topic, outputs in by_topic(batch.outputs).items()
        }
        assert all(key != CHECKPOINT for key, _ in batch.state), "the checkpoint's key is not a state key"
        groups[STATE.name] = [*((key, value, (), None) for key, value in batch.state), (CHECKPOINT, batch.checkpoint, (), None)]
        self._check()
        wrote = False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._producer.begin_transaction()
                self._writing = True
                await write(self._producer, [(TopicPartition(self._log.topic(name), self.partition), group) for name, group in groups.items()])
                wrote = True
                await self._producer.commit_transaction()
                self._writing = False
        except FENCED as error:
            if wrote:  # the answer to an earlier try may have got lost, and the next owner have come since
                raise self._died("taken over by another worker during a commit: whether it was written is open") from error
            raise self._died("taken over by another worker, or given up by the broker; nothing of the open batch was written", fenced=True) from error
        except (KafkaError, IllegalOperation, OSError, TimeoutError) as error:
            raise self._died(f"cannot be written: {described(error)}") from error
        except BaseException as error:  # cancelled in mid-transaction, say
            self._died(f"was left in a commit: {described(error)}")
            raise

    async def close(self) -> None:
        """Takes no longer than a few seconds, also when no broker answers."""
        self._log.sessions.discard(self)
        if self._writing and not self._fenced:
            with suppress(Exception):  # a courtesy to readers: the next owner ends this transaction anyway
                await asyncio.wait_for(self._producer.abort_transaction(), CLOSE_TIMEOUT_S)
        self._dead = self._dead or "is closed"
        await asyncio.gather(stop(self._producer), stop(self._consumer))

    def _check(self) -> None:
        if self._dead is not None:
            raise self._died(self._dead, self._fenced)

    def _died(self, why: str, fenced: bool = False) -> Fenced | Unavailable:
        self._dead, self._fenced = why, fenced
        return (Fenced if fenced else Unavailable)(f"partition {self.partition}: {why}")


class KafkaLog:
    """A `streams.log.port.Log` on a cluster. Made with `connect`, which looks whether the topics are there."""

    def __init__(self, cluster: Cluster, app: str, input: str, partitions: int) -> None:
        """`partitions`: of the input and of every topic of the app, known to be right."""
        assert partitions > 0, partitions
        self.cluster, self.app, self.input, self.partitions = cluster, app, input, partitions
        self.sessions: set[KafkaSession] = set()
        self._looker = Looker(cluster)
        self._appender: AIOKafkaProducer | None = None
        self._appending = asyncio.Lock()

    @classmethod
    async def connect(cls, cluster: Cluster, app: str, input: str) -> "KafkaLog":
        """Raises ConfigError for a topic that is missing, Incompatible for another number of partitions than the input's, Unavailable."""
        admin = AIOKafkaAdminClient(**cluster.common())
        names = [input, *(f"{app}.{topic.name}" for topic in (*OUTPUTS, STATE))]
        try:
            async with unavailable(f"no answer from {cluster.bootstrap}", OPEN_TIMEOUT_S):
                await admin.start()
                found: list[dict[str, Any]] = await admin.describe_topics(names)
        finally:
            with suppress(Exception):
                await asyncio.wait_for(admin.close(), CLOSE_TIMEOUT_S)
        counts = {topic["topic"]: len(topic["partitions"]) for topic in found if topic["error_code"] == 0}
        if missing := [name for name in names if not counts.get(name)]:
            raise ConfigError(f"there is no topic {', '.join(missing)} on {cluster.bootstrap}")
        if wrong := [f"{name} has {counts[name]}" for name in names if counts[name] != counts[input]]:
            raise Incompatible(f"all topics of an app have as many partitions as its input; {input} has {counts[input]}, but {', '.join(wrong)}")
        return cls(cluster, app, input, counts[input])

    def topic(self, name: str) -> str:
        """What the topic is called on the cluster."""
        assert name in NAMES, name
        return self.input if name == EVENTS.name else f"{self.app}.{name}"

    async def open(self, partition: int) -> KafkaSession:
        assert 0 <= partition < self.partitions, partition
        session = KafkaSession(self, partition)
        await session.start()
        self.sessions.add(session)
        return session

    async def append(self, records: Sequence[tuple[int, bytes | None, bytes, int, Headers]], source: Source | None = None) -> None:
        """For tests and tools: on a broker it is collectors who append. Durable when it returns, but all or none only for what it refuses itself:

        a broker that fails in the middle leaves some. A transaction would not be better: its marks take offsets, as no collector's would.
        """
        assert source is None, "a file is appended once only to an embedded log"
        assert all(0 <= record[0] < self.partitions for record in records), "no such partition"
        groups: list[Group] = []
        # A batch is of records with a time or of such without: the format knows the two apart by the batch.
        for (partition, _), run in groupby(sorted(records, key=itemgetter(0)), lambda record: (record[0], record[3] < 0)):
            groups.append((TopicPartition(self.input, partition), [(key, value, headers, time_ms) for _, key, value, time_ms, headers in run]))
        async with self._appending:
            if self._appender is None:
                producer = self.cluster.producer()
                await start(producer, f"no answer from {self.cluster.bootstrap}")
                self._appender = producer
            async with unavailable(f"{self.input} cannot be written", COMMIT_TIMEOUT_S):
                await write(self._appender, groups)

    async def position(self, name: str) -> int:
        raise AssertionError("a file is appended once only to an embedded log")

    async def scan(self, topic: str, partition: int | None = None, key: bytes | None = None) -> AsyncIterator[tuple[int, Record]]:
        name = self.topic(topic)
        which = range(self.partitions) if partition is None else (partition,)
        if topic in COMPACTED:
            for number in which:
                latest = await self.latest(topic, number, key)
                for found in sorted(latest):
                    if found != CHECKPOINT:
                        yield number, latest[found]
            return
        ends = await self._looker.settled([TopicPartition(name, number) for number in which])
        async for tp, chunk in chunks(self.cluster, ends):
            for record in chunk:
                if key is None or record.key == key:
                    yield tp.partition, to_record(record)

    async def latest(self, topic: str, partition: int, key: bytes | None = None, must: bool = False) -> dict[bytes, Record]:
        """The last record of each key (or of that key only), in no order. The broker compacts when it likes; this is what is left when it has.

        `must`: raises Unavailable when an open transaction hides the end.
        """
        latest: dict[bytes, Record] = {}
        ends = await self._looker.settled([TopicPartition(self.topic(topic), partition)], must)
        async for _, chunk in chunks(self.cluster, ends):
            for record in chunk:
                if key is not None and record.key != key:
                    continue
                if record.value is None:
                    latest.pop(record.key, None)
                else:
                    latest[record.key] = to_record(record)
        return latest

    async def ends(self) -> list[int]:
        """Of what is committed: while a collector's transaction is open, the offset where it begins."""
        partitions = [TopicPartition(self.input, number) for number in range(self.partitions)]
        ends = await self._looker.settled(partitions)
        return [ends[tp] for tp in partitions]

    async def checkpoints(self) -> list[bytes | None]:
        partitions = [TopicPartition(self.topic(STATE.name), number) for number in range(self.partitions)]
        found = await last_of(self.cluster, await self._looker.settled(partitions), CHECKPOINT)
        return [found.get(tp) for tp in partitions]

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self.sessions), self._looker.close())
        appender, self._appender = self._appender, None
        if appender is not None:
            await stop(appender)


async def _pairs(state: dict[bytes, Record]) -> AsyncIterator[tuple[bytes, bytes]]:
    for key, record in state.items():
        if record.value is not None:
            yield key, record.value
