"""One agent's hold on a partition of a cluster: a producer that fences, and a consumer of the partition's
sources.

- *Opening* starts a producer under the id `<app>-<partition>`. That fences the former owner and ends its
  transaction, so what is restored afterwards is final. Reading the state before fencing sometimes returned
  stale data (measured).
- *The checkpoint* is the last record of every commit, in the state topic, under a key that no state record
  may have. Groups and their committed offsets do not decide where to continue.
- *A commit* waits for every batch by itself: aiokafka's own commit succeeds even if one of them has failed.
- *An error* ends the session, whichever it was: nothing is retried in place. Close it and open another.
- *An input that was made anew* is stopped: the session goes on with its other sources.
- *A session with nothing to commit* notices only at its next commit that it was replaced, and goes on reading
  until then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from streams.clock import Clock
from streams.errors import Fenced, Incompatible, StreamsError, Unavailable
from streams.log.kafka.app_topics import AppTopics
from streams.log.kafka.client import CLOSE_TIMEOUT_S, COMMIT_TIMEOUT_S, FETCH_WAIT_MS, Cluster
from streams.log.kafka.commit_groups import CHECKPOINT, groups_of
from streams.log.kafka.errors import cluster_errors, failure
from streams.log.kafka.input_doubts import InputDoubts
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.offsets import first_offsets, next_offsets
from streams.log.kafka.reader import STUCK_S, EndOffsets, latest_records, to_record
from streams.log.kafka.stopped_inputs import StoppedInputs
from streams.log.kafka.writer import FENCED, write
from streams.log.port import Restoring
from streams.records import Batch, Fetched, HiddenOffsets, Record, StateRecord
from streams.topology import STATE, is_inbox, partition_transaction

if TYPE_CHECKING:
    from streams.log.kafka.registry.decoding import RecordDecoder  # its libraries are an extra

FRESH_WAIT_MS = 10  # a fetch of what is there takes one or two
# As consumers do by default. These offsets are for tools that show lag; nobody starts from them, and each
# write costs two requests.
GROUP_OFFSETS_EVERY_S = 5.0


class KafkaSession:
    """A `streams.log.port.Session` on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        topics: AppTopics,
        partition: int,
        end_offsets: EndOffsets,
        stopped: StoppedInputs,
        *,
        clock: Clock,
        on_close: Callable[["KafkaSession"], None],
        decoder: "RecordDecoder | None" = None,
    ) -> None:
        self.partition = partition
        self.sources = topics.sources(partition)
        self.round_robin = bool(topics.round_robin)
        self._cluster, self._topics = cluster, topics
        self._end_offsets, self._clock, self._on_close = end_offsets, clock, on_close
        self._decoder = decoder
        # What is read: all sources but those of stopped inputs.
        self._partitions = {source: topics.topic_partition(source) for source in self.sources}
        self._sources = {tp: source for source, tp in self._partitions.items()}
        self._stopped = stopped
        self._left: list[str] = []  # the sources of stopped inputs
        self._unreadable = f"partition {partition} of {', '.join(topics.inputs)} cannot be read"
        self._consumer: AIOKafkaConsumer = cluster.consumer()
        self._doubts = InputDoubts(self._consumer, topics.inputs, stopped)
        self._producer: AIOKafkaProducer = cluster.producer(partition_transaction(topics.app, partition))
        self._next: dict[TopicPartition, int] = {}  # the offset that the consumer reads next
        self._resting = False  # the consumer fetches nothing until the next read
        self._lags: dict[str, int] = {}
        self._hidden: dict[str, HiddenOffsets] = {}
        self._group_offsets_s = -GROUP_OFFSETS_EVERY_S  # when the group's offsets were written last
        self._writing = False
        self._ended: StreamsError | None = None  # why no more can be done with it

    async def start(self) -> None:
        """Takes the partition over. Raises Refused or Unavailable; the session is closed then."""
        cluster, what = self._cluster, f"partition {self.partition} cannot be"
        try:
            # The consumer first: once the former owner is fenced, nobody works on the partition.
            await start(self._consumer, cluster, f"{what} read")
            self._doubts.begin()
            await start(self._producer, cluster, f"{what} taken over")
        except BaseException:
            await self.close()
            raise

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        self._check()
        try:
            state_partition = TopicPartition(self._topics.topic(STATE.name), self.partition)
            ends = await self._end_offsets.settled([state_partition], final=True)
            state = await latest_records(self._cluster, ends, on_progress=on_progress)
        except StreamsError as error:
            raise self._end(str(error), type(error)) from error
        checkpoint = state.pop(CHECKPOINT, None)
        return None if checkpoint is None else checkpoint.value, _pairs(state)

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        """Waits for a tenth of a second when there is nothing. Position 0 is the first record that still
        exists: a first start begins there.

        An input whose end lies before the position is stopped. Raises Unavailable when records were deleted
        before they were read.
        """
        assert limit > 0, limit
        self._check()
        self._leave_stopped()
        loop = asyncio.get_running_loop()
        began_ms, deadline_s = self._clock.wall_ms(), loop.time() + STUCK_S
        try:
            async with cluster_errors(self._unreadable):
                self._seek(positions)
                while loop.time() < deadline_s:
                    found = await self._fetch(limit)
                    if found and await self._doubts.find_made_anew(found):
                        self._leave_stopped()
                        self._seek(positions)
                        continue
                    if found is not None and (found or await self._nothing_since(began_ms)):
                        return await self._fetched(found)
        except StreamsError as error:
            raise self._end(str(error), type(error)) from error
        raise self._end(f"{self._unreadable}: no answer for {STUCK_S:.0f} s")

    def _leave_stopped(self) -> None:
        """Reads no more of the inputs that were stopped since the last read."""
        left = [source for source, tp in self._partitions.items() if tp.topic in self._stopped.reasons]
        if not left:
            return
        self._left += left
        for source in left:
            del self._sources[self._partitions.pop(source)]
            self._lags.pop(source, None)  # nobody knows how much of it there is
            self._hidden.pop(source, None)
        self._next.clear()

    def _seek(self, positions: Mapping[str, int]) -> None:
        # No await here: aiokafka's own tasks take an assigned partition without a position for an error.
        if not self._next:
            self._consumer.assign(list(self._sources))
            self._resting = False
        for source, tp in self._partitions.items():
            position = positions.get(source, 0)
            assert position >= 0, position
            if position != self._next.get(tp):
                self._consumer.seek(tp, position)
                self._next[tp] = position

    async def _fetch(self, limit: int) -> dict[TopicPartition, list[ConsumerRecord]] | None:
        """At most so many records; None: a position was not in its topic and has been put right."""
        try:
            if self._resting:
                self._consumer.resume(*self._sources)
                self._resting = False
            # What was fetched after the last read, while the last batch was folded.
            found = await self._consumer.getmany(timeout_ms=0, max_records=limit)
            is_fresh = not found
            if is_fresh:
                found = await self._consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=limit)
        except OffsetOutOfRangeError as error:
            positions = {source: self._next[tp] for source, tp in self._partitions.items()}
            for tp in error.args[0]:
                if tp in self._sources:  # aiokafka may still have an error of a partition that was left
                    await self._reposition(tp)
            self._leave_stopped()
            self._seek(positions)
            return None
        self._advance(found)
        missing = limit - sum(map(len, found.values()))
        if found and missing > 0 and not is_fresh:
            # What has come since is worth a moment.
            with suppress(OffsetOutOfRangeError):  # from another source: the next read meets it again
                more = await self._consumer.getmany(timeout_ms=FRESH_WAIT_MS, max_records=missing)
                self._advance(more)
                for tp, records in more.items():
                    found.setdefault(tp, []).extend(records)
        return dict(found)

    def _advance(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        for tp, records in found.items():
            self._next[tp] = records[-1].offset + 1

    async def _fetched(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> Fetched:
        chunks = [
            (self._sources[tp], [to_record(record) for record in records]) for tp, records in found.items()
        ]
        reached = {source: await self._consumer.position(tp) for source, tp in self._partitions.items()}
        self._next.update((self._partitions[source], offset) for source, offset in reached.items())
        ended = self._at_end(reached)
        if found and ended.issuperset(self._partitions):
            # Until the next read: the consumer would fetch the very next record alone, and the records behind
            # it by another request.
            self._consumer.pause(*self._sources)
            self._resting = True
        fetched = Fetched(chunks, ended, reached, self._clock.wall_ms())
        return fetched if self._decoder is None else await self._decoded(fetched, self._decoder)

    async def _decoded(self, fetched: Fetched, decoder: "RecordDecoder") -> Fetched:
        chunks = [
            (source, records if is_inbox(source) else await decoder.decoded(records))
            for source, records in fetched.chunks
        ]
        return msgspec.structs.replace(fetched, chunks=chunks)

    async def _nothing_since(self, began_ms: int) -> bool:
        """True if the broker has answered for every source since then, and reported no committed record that
        is still to be read.
        """
        for tp in self._sources:
            if (self._consumer.last_poll_timestamp(tp) or 0) < began_ms:
                return False
            if await self._consumer.position(tp) < (self._consumer.last_stable_offset(tp) or 0):
                return False
        return True

    def _at_end(self, reached: Mapping[str, int]) -> frozenset[str]:
        """The sources that have been read to their end, by the broker's last answer, and those of stopped
        inputs, for which nobody is to wait.
        """
        for source, tp in self._partitions.items():
            if (end := self._consumer.highwater(tp)) is not None:
                self._lags[source] = max(0, end - reached[source])
                stable = self._consumer.last_stable_offset(tp)
                if stable is not None and stable < end:
                    self._hidden[source] = HiddenOffsets(stable, end - stable)
                else:
                    self._hidden.pop(source, None)
        return frozenset([*(source for source, lag in self._lags.items() if not lag), *self._left])

    def lags(self) -> dict[str, int]:
        """Per source: the offsets that were still to be read after the last read, by the broker's answer."""
        return self._lags

    def hidden(self) -> dict[str, HiddenOffsets]:
        """What open transactions hide, by the broker's last answer."""
        return self._hidden

    async def _reposition(self, tp: TopicPartition) -> None:
        """The position is not in the topic: it lies before the first record (the others were deleted by age),
        or beyond the end. An input that ends before it is stopped.
        """
        wanted = self._next[tp]
        first = (await first_offsets(self._consumer, [tp]))[tp]
        if wanted == 0:
            self._consumer.seek(tp, first)
        elif wanted < first:
            raise Unavailable(
                f"{tp.topic} {tp.partition} begins at offset {first}, but it was processed only up to "
                f"{wanted}: what lies between was deleted by the topic's retention. Start a new app id and "
                "replay what there is"
            )
        else:
            end = (await next_offsets(self._consumer, [tp]))[tp]
            if wanted <= end:
                self._consumer.seek(tp, wanted)
                return
            reason = f"partition {tp.partition} ends at offset {end}, but it was processed up to {wanted}"
            if tp.topic not in self._topics.inputs:
                raise Incompatible(
                    f"{tp.topic}: {reason}: the topic was made anew, or a broker lost its end. Start a new "
                    "app id and replay what there is"
                )
            self._stopped.stop(tp.topic, f"{reason}: it was made anew, or a broker lost its end")

    async def commit(self, batch: Batch) -> None:
        groups = groups_of(batch, self._topics, self.partition)
        self._check()
        now_s = asyncio.get_running_loop().time()
        wrote = False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._producer.begin_transaction()
                self._writing = True
                await write(self._producer, groups)
                # Sent after the batches, never at the same time.
                if now_s - self._group_offsets_s >= GROUP_OFFSETS_EVERY_S:
                    read = {
                        tp: OffsetAndMetadata(offset, "") for tp, offset in self._next.items() if offset > 0
                    }
                    if read:
                        await self._producer.send_offsets_to_transaction(read, self._topics.app)
                    self._group_offsets_s = now_s
                wrote = True
                await self._producer.commit_transaction()
                self._writing = False
        except FENCED as error:
            if wrote:  # the answer to an earlier try may have been lost, and the next owner have come since
                raise self._end(
                    "taken over by another worker during a commit: whether it was written is open"
                ) from error
            raise self._end(
                "taken over by another worker, or given up by the broker; nothing of the open batch was "
                "written",
                Fenced,
            ) from error
        except (KafkaError, IllegalOperation, OSError, TimeoutError) as error:
            found = failure("cannot be written", error)
            raise self._end(str(found), type(found)) from error
        except BaseException as error:  # cancelled in mid-transaction, for example
            self._end(f"was left in a commit: {type(error).__name__}")
            raise

    async def close(self) -> None:
        """Takes no longer than a few seconds, also when no broker answers."""
        self._on_close(self)
        fenced = isinstance(self._ended, Fenced)
        self._ended = self._ended or Unavailable(f"partition {self.partition}: is closed")
        try:
            if self._writing and not fenced:
                # This spares readers the wait; the next owner ends the transaction anyway.
                with suppress(Exception):
                    await asyncio.wait_for(self._producer.abort_transaction(), CLOSE_TIMEOUT_S)
        finally:
            await stop(self._producer, self._consumer)

    def _check(self) -> None:
        if self._ended is not None:
            raise type(self._ended)(str(self._ended))

    def _end(self, why: str, kind: type[StreamsError] = Unavailable) -> StreamsError:
        self._ended = kind(f"partition {self.partition}: {why}")
        return self._ended


async def _pairs(state: dict[bytes, Record]) -> AsyncIterator[StateRecord]:
    for key, record in state.items():
        if record.value is not None:
            yield StateRecord(key, record.value)
