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
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from streams.errors import ConfigError, Fenced, Incompatible, StreamsError, Unavailable
from streams.log.grouping import COMPACTED, NAMES, by_partition, by_topic
from streams.log.kafka.client import (
    CLOSE_TIMEOUT_S,
    COMMIT_TIMEOUT_S,
    FETCH_WAIT_MS,
    Cluster,
    start,
    stop,
    unavailable,
)
from streams.log.kafka.errors import failure
from streams.log.kafka.reader import STUCK_S, Looker, chunks, last_of, to_record
from streams.log.kafka.topics.cluster import checked
from streams.log.kafka.writer import FENCED, Group, Written, write
from streams.log.port import Restoring
from streams.log.source_names import source_of, split
from streams.records import Batch, Fetched, Headers, Record, Source
from streams.topology import EVENTS, INBOX, STATE

FRESH_WAIT_MS = 10  # a fetch of what is there takes one or two
GROUP_OFFSETS_EVERY_S = 5.0  # as consumers do by default: they are for tools that show lag, nobody starts from them; each time costs two requests
CHECKPOINT = b"\0checkpoint"  # its key in the state topic; state keys begin with a letter


class KafkaSession:
    """One agent's hold on a partition: a producer that fences, and a consumer of its sources that is told where to read."""

    def __init__(self, log: "KafkaLog", partition: int) -> None:
        self.partition = partition
        self.sources = log.sources(partition)
        self.round_robin = bool(log.routed)
        self._log = log
        self._places = {source: log.place(source) for source in self.sources}
        self._names = {place: source for source, place in self._places.items()}
        self._producer: AIOKafkaProducer = log.cluster.producer(f"{log.app}-{partition}")
        self._consumer: AIOKafkaConsumer = log.cluster.consumer()
        self._next: dict[TopicPartition, int] = {}  # the offset that the consumer reads next
        self._lags: dict[str, int] = {}
        self._told_s = -GROUP_OFFSETS_EVERY_S  # when the group's offsets were written last
        self._writing = False
        self._dead: StreamsError | None = None  # what it died of

    async def start(self) -> None:
        """Takes the partition over. Raises Unavailable; the session is closed then."""
        try:
            await start(
                self._consumer, f"partition {self.partition} cannot be read"
            )  # first: nobody works on the partition from the fence on
            await start(self._producer, f"partition {self.partition} cannot be taken over")
        except BaseException:
            await self.close()
            raise
        self._consumer.assign(list(self._names))

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[tuple[bytes, bytes]]]:
        self._check()
        try:
            state = await self._log.latest(STATE.name, self.partition, must=True, on_progress=on_progress)
        except StreamsError as error:
            raise self._died(str(error), type(error)) from error
        checkpoint = state.pop(CHECKPOINT, None)
        return None if checkpoint is None else checkpoint.value, _pairs(state)

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        """Waits for a tenth of a second when there is nothing. Position 0 is the first record that there still is: a first start begins there.

        Raises Unavailable when records were deleted before they were read, Incompatible when a position lies beyond the end of its topic.
        """
        assert limit > 0, limit
        self._check()
        loop = asyncio.get_running_loop()
        began_ms, deadline = time.time_ns() // 1_000_000, loop.time() + STUCK_S
        try:
            async with unavailable(
                f"partition {self.partition} of {', '.join(self._log.inputs)} cannot be read"
            ):
                for source, place in self._places.items():
                    position = positions.get(source, 0)
                    assert position >= 0, position
                    if position != self._next.get(place):
                        self._consumer.seek(place, position)
                        self._next[place] = position
                while loop.time() < deadline:
                    try:
                        found = await self._consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=limit)
                    except OffsetOutOfRangeError as error:
                        for place in error.args[0]:
                            await self._find(place)
                        continue
                    self._has_read(found)
                    missing = limit - sum(map(len, found.values()))
                    if (
                        found and missing > 0
                    ):  # that was fetched after the last read, a while ago: what has come since is worth a moment
                        with suppress(
                            OffsetOutOfRangeError
                        ):  # of another source: the next read meets it again
                            more = await self._consumer.getmany(timeout_ms=FRESH_WAIT_MS, max_records=missing)
                            self._has_read(more)
                            for place, records in more.items():
                                found.setdefault(place, []).extend(records)
                    if found or await self._nothing_since(began_ms):
                        chunks = [
                            (self._names[place], [to_record(record) for record in records])
                            for place, records in found.items()
                        ]
                        reached = {
                            source: await self._consumer.position(place)
                            for source, place in self._places.items()
                        }
                        self._next.update(
                            (self._places[source], offset) for source, offset in reached.items()
                        )
                        return Fetched(chunks, self._ended(reached), reached, time.time_ns() // 1_000_000)
        except StreamsError as error:
            raise self._died(str(error), type(error)) from error
        raise self._died(
            f"{', '.join(self._log.inputs)} {self.partition} cannot be read: no answer for {STUCK_S:.0f} s"
        )

    def _has_read(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        for place, records in found.items():
            self._next[place] = records[-1].offset + 1

    async def _nothing_since(self, began_ms: int) -> bool:
        """Whether the broker has answered for every source since then, and told of no committed record that is not read yet."""
        for place in self._names:
            if (self._consumer.last_poll_timestamp(place) or 0) < began_ms:
                return False
            if await self._consumer.position(place) < (self._consumer.last_stable_offset(place) or 0):
                return False
        return True

    def _ended(self, reached: Mapping[str, int]) -> frozenset[str]:
        """The sources that have been read to their end, by the broker's last answer."""
        for source, place in self._places.items():
            if (end := self._consumer.highwater(place)) is not None:
                self._lags[source] = max(0, end - reached[source])
        return frozenset([source for source, lag in self._lags.items() if not lag])

    def lags(self) -> dict[str, int]:
        """Per source: the offsets that were still to be read after the last look, by the broker's answer."""
        return self._lags

    async def _find(self, place: TopicPartition) -> None:
        """The position is not in the topic: before it (deleted by age), or beyond it."""
        wanted = self._next[place]
        first = (await self._consumer.beginning_offsets([place]))[place]
        if wanted == 0:
            self._consumer.seek(place, first)
        elif wanted < first:
            raise Unavailable(
                f"{place.topic} {place.partition} begins at offset {first}, but only what is before {wanted} was processed: what lies between"
                " was deleted by the topic's retention. Start a new app id and replay what there is"
            )
        else:
            end = (await self._consumer.end_offsets([place]))[place]
            if wanted > end:
                raise Incompatible(
                    f"{place.topic} {place.partition} ends at offset {end}, and {wanted} was processed already: the topic was made anew, or a broker"
                    " lost its end. Start a new app id and replay what there is"
                )
            self._consumer.seek(place, wanted)

    async def commit(self, batch: Batch) -> None:
        groups: list[Group] = [
            (
                TopicPartition(self._log.topic(topic), self.partition if partition is None else partition),
                [(output.key, output.value, output.headers, None) for output in part],
            )
            for topic, outputs in by_topic(batch.outputs).items()
            for partition, part in by_partition(outputs).items()
        ]
        assert all(key != CHECKPOINT for key, _ in batch.state), "the checkpoint's key is not a state key"
        state: list[Written] = [
            *((key, value, (), None) for key, value in batch.state),
            (CHECKPOINT, batch.checkpoint, (), None),
        ]
        groups.append((TopicPartition(self._log.topic(STATE.name), self.partition), state))
        self._check()
        now_s = asyncio.get_running_loop().time()
        wrote = False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._producer.begin_transaction()
                self._writing = True
                await write(self._producer, groups)
                if now_s - self._told_s >= GROUP_OFFSETS_EVERY_S:  # after the batches, never beside them
                    read = {
                        place: OffsetAndMetadata(offset, "")
                        for place, offset in self._next.items()
                        if offset > 0
                    }
                    if read:
                        await self._producer.send_offsets_to_transaction(read, self._log.app)
                    self._told_s = now_s
                wrote = True
                await self._producer.commit_transaction()
                self._writing = False
        except FENCED as error:
            if wrote:  # the answer to an earlier try may have got lost, and the next owner have come since
                raise self._died(
                    "taken over by another worker during a commit: whether it was written is open"
                ) from error
            raise self._died(
                "taken over by another worker, or given up by the broker; nothing of the open batch was written",
                Fenced,
            ) from error
        except (KafkaError, IllegalOperation, OSError, TimeoutError) as error:
            found = failure("cannot be written", error)
            raise self._died(str(found), type(found)) from error
        except BaseException as error:  # cancelled in mid-transaction, say
            self._died(f"was left in a commit: {type(error).__name__}")
            raise

    async def close(self) -> None:
        """Takes no longer than a few seconds, also when no broker answers."""
        self._log.sessions.discard(self)
        if self._writing and not isinstance(self._dead, Fenced):
            with suppress(Exception):  # a courtesy to readers: the next owner ends this transaction anyway
                await asyncio.wait_for(self._producer.abort_transaction(), CLOSE_TIMEOUT_S)
        self._dead = self._dead or Unavailable(f"partition {self.partition}: is closed")
        await asyncio.gather(stop(self._producer), stop(self._consumer))

    def _check(self) -> None:
        if self._dead is not None:
            raise type(self._dead)(str(self._dead))

    def _died(self, why: str, of: type[StreamsError] = Unavailable) -> StreamsError:
        self._dead = of(f"partition {self.partition}: {why}")
        return self._dead


class KafkaLog:
    """A `streams.log.port.Log` on a cluster. Made with `connect`, which looks whether the topics are there."""

    def __init__(
        self,
        cluster: Cluster,
        app: str,
        inputs: Mapping[str, int],
        partitions: int,
        warnings: Sequence[str] = (),
    ) -> None:
        """`inputs`: name -> number of partitions; `partitions`: of every topic of the app. Both known to be right. `warnings`: what is unwise."""
        assert partitions > 0, partitions
        assert inputs, "an app reads something"
        self.cluster, self.app, self.partitions = cluster, app, partitions
        self.inputs, self.warnings = dict(inputs), tuple(warnings)
        self.co_read = tuple(
            name for name, count in inputs.items() if count == partitions
        )  # partition p of them is read by agent p
        self.routed = tuple(
            name for name, count in inputs.items() if count != partitions
        )  # theirs are dealt out, and most events handed over
        self.sessions: set[KafkaSession] = set()
        self._looker = Looker(cluster)
        self._appender: AIOKafkaProducer | None = None
        self._appending = asyncio.Lock()

    @classmethod
    async def connect(cls, cluster: Cluster, app: str, inputs: Sequence[str]) -> "KafkaLog":
        """Raises ConfigError for a topic that is missing, Incompatible for a wrong number of partitions or clean-up, Refused, Unavailable."""
        if INBOX.name in inputs:
            raise ConfigError(
                f"an input cannot be called {INBOX.name}: that name stands for what partitions hand over to each other"
            )
        partitions, counts, warnings = await checked(cluster, app, inputs)
        return cls(cluster, app, {name: counts[name] for name in inputs}, partitions, warnings)

    def sources(self, partition: int) -> tuple[str, ...]:
        round_robin = (
            source_of(name, n)
            for name in self.routed
            for n in range(partition, self.inputs[name], self.partitions)
        )
        return (
            *(source_of(name, partition) for name in self.co_read),
            *round_robin,
            source_of(INBOX.name, partition),
        )

    def place(self, source: str) -> TopicPartition:
        """Where a source is on the cluster."""
        topic, partition = split(source)
        return TopicPartition(self.topic(topic) if topic == INBOX.name else topic, partition)

    async def scan_source(self, source: str) -> AsyncIterator[Record]:
        ends = await self._looker.settled([self.place(source)])
        async for _, chunk in chunks(self.cluster, ends):
            for record in chunk:
                yield to_record(record)

    def topic(self, name: str) -> str:
        """What the topic is called on the cluster; `events` stands for the first input."""
        assert name in NAMES, name
        return next(iter(self.inputs)) if name == EVENTS.name else f"{self.app}.{name}"

    async def open(self, partition: int) -> KafkaSession:
        assert 0 <= partition < self.partitions, partition
        session = KafkaSession(self, partition)
        await session.start()
        self.sessions.add(session)
        return session

    async def append(
        self, records: Sequence[tuple[int, bytes | None, bytes, int, Headers]], source: Source | None = None
    ) -> None:
        """For tests and tools: on a broker it is collectors who append. Durable when it returns, but all or none only for what it refuses itself:

        a broker that fails in the middle leaves some. A transaction would not be better: its marks take offsets, as no collector's would.
        """
        assert source is None, "a file is appended once only to an embedded log"
        assert all(0 <= record[0] < self.partitions for record in records), "no such partition"
        groups: list[Group] = []
        # A batch is of records with a time or of such without: the format knows the two apart by the batch.
        for (partition, _), run in groupby(
            sorted(records, key=itemgetter(0)), lambda record: (record[0], record[3] < 0)
        ):
            place = TopicPartition(self.topic(EVENTS.name), partition)
            groups.append(
                (place, [(key, value, headers, time_ms) for _, key, value, time_ms, headers in run])
            )
        async with self._appending:
            if self._appender is None:
                producer = self.cluster.producer()
                await start(producer, f"no answer from {self.cluster.bootstrap}")
                self._appender = producer
            async with unavailable(f"{self.topic(EVENTS.name)} cannot be written", COMMIT_TIMEOUT_S):
                await write(self._appender, groups)

    async def position(self, name: str) -> int:
        raise AssertionError("a file is appended once only to an embedded log")

    async def scan(
        self, topic: str, partition: int | None = None, key: bytes | None = None
    ) -> AsyncIterator[tuple[int, Record]]:
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

    async def latest(
        self,
        topic: str,
        partition: int,
        key: bytes | None = None,
        must: bool = False,
        on_progress: Restoring | None = None,
    ) -> dict[bytes, Record]:
        """The last record of each key (or of that key only), in no order. The broker compacts when it likes; this is what is left when it has.

        `must`: raises Unavailable when an open transaction hides the end.
        """
        latest: dict[bytes, Record] = {}
        ends = await self._looker.settled([TopicPartition(self.topic(topic), partition)], must)
        async for place, chunk in chunks(self.cluster, ends):
            if on_progress is not None and chunk:
                on_progress(chunk[-1].offset + 1, ends[place])
            for record in chunk:
                if key is not None and record.key != key:
                    continue
                if record.value is None:
                    latest.pop(record.key, None)
                else:
                    latest[record.key] = to_record(record)
        return latest

    async def ends(self) -> dict[str, int]:
        """Of what is committed: while a collector's transaction is open, the offset where it begins."""
        places = {
            source: self.place(source) for number in range(self.partitions) for source in self.sources(number)
        }
        ends = await self._looker.settled(list(places.values()))
        return {source: ends[place] for source, place in places.items()}

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
