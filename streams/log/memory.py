"""The log in memory: for tests, and for a simulator that crashes it at any point.

Nothing here reads a clock or draws a random number, so a run can be repeated exactly. `faults` is called with
the name of a point before and after each effect (`open`, `append`, `commit`) and before each look (`read`,
`restore`); an exception that it raises is the crash. `commit.write` comes once per write of a commit, before
any of them can be seen. A crash at `commit.after` is the nasty one: everything is written and the writer does
not know. The object itself is the disk: after a crash, `open` again.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from streams.errors import Fenced
from streams.log.grouping import COMPACTED, NAMES, by_topic, inbox_partitions
from streams.log.port import Extent, Restoring
from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import (
    Batch,
    Fetched,
    Headers,
    HiddenOffsets,
    NewRecord,
    Output,
    Record,
    Source,
    StateRecord,
)
from streams.topology import EVENTS, INBOX, STATE, source_name, split_source

Faults = Callable[[str], None]

# A compacted topic is compacted when it holds more superseded records than this and twice its keys.
COMPACT_RECORDS = 1_000


class _Partition:
    """What is stored of one partition."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self.epoch = 0
        self.checkpoint: bytes | None = None
        self.appended: dict[str, list[Record]] = {name: [] for name in (NAMES - COMPACTED).union(inputs)}
        self.compacted: dict[str, _CompactedTopic] = {name: _CompactedTopic() for name in COMPACTED}
        self.latest = {name: topic.latest for name, topic in self.compacted.items()}

    def append(
        self, topic: str, time_ms: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        records = self.appended[topic]
        records.append(Record(len(records), time_ms, key, value, headers))


class _CompactedTopic:
    """One partition of a compacted topic: its records since the last compaction, and the last one of each
    key.
    """

    def __init__(self) -> None:
        self.latest: dict[bytes, Record] = {}
        self.first = 0  # the offset of the first record
        self.records: list[Record] = []

    @property
    def next(self) -> int:
        """The offset that the next record gets."""
        return self.first + len(self.records)

    def put(self, key: bytes, value: bytes | None, headers: Headers) -> None:
        self.records.append(Record(self.next, -1, key, value, headers))
        if value is None:
            self.latest.pop(key, None)
        else:
            self.latest[key] = Record(-1, -1, key, value, headers)
        if len(self.records) > COMPACT_RECORDS + 2 * len(self.latest):
            self.compact()

    def compact(self) -> None:
        """Keeps the last record of each key, under new offsets, as the SQLite log does. Tombstones go."""
        self.first, self.records = self.next, []
        for record in self.latest.values():
            self.records.append(Record(self.next, -1, record.key, record.value, record.headers))


class MemorySession:
    """One agent's hold on a partition of a MemoryLog."""

    def __init__(
        self,
        partition: int,
        every: Sequence[_Partition],
        faults: Faults,
        sources: tuple[str, ...],
        round_robin: bool,
    ) -> None:
        self.partition = partition
        self.round_robin = round_robin
        self.sources = sources
        self._all, self._stored = every, every[partition]
        self._epoch = self._stored.epoch
        self._faults = faults
        self._lags: dict[str, int] = {}

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        self._faults("restore.before")
        self._check()
        pairs = [
            StateRecord(key, record.value)
            for key, record in self._stored.latest[STATE.name].items()
            if record.value is not None
        ]
        return self._stored.checkpoint, _each(pairs)

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        assert limit > 0, limit
        self._faults("read.before")
        self._check()
        chunks: list[tuple[str, list[Record]]] = []
        ended = set()
        for source in self.sources:
            position, stored = positions.get(source, 0), self._stored.appended[split_source(source)[0]]
            assert position >= 0, position
            if limit and (records := stored[position : position + limit]):
                chunks.append((source, records))
                position, limit = position + len(records), limit - len(records)
            self._lags[source] = len(stored) - position
            if position >= len(stored):
                ended.add(source)
        return Fetched(chunks, frozenset(ended))

    def lags(self) -> dict[str, int]:
        return self._lags

    def hidden(self) -> dict[str, HiddenOffsets]:
        return {}

    async def commit(self, batch: Batch) -> None:
        groups = by_topic(batch.outputs)
        self._faults("commit.before")
        self._check()
        for _ in range(len(batch.outputs) + len(batch.state) + 1):
            self._faults("commit.write")
        for topic, outputs in groups.items():
            for output in outputs:
                if topic in COMPACTED:
                    assert output.key is not None  # by_topic has checked it
                    self._stored.compacted[topic].put(output.key, output.value, output.headers)
                else:
                    to = self._stored if output.partition is None else self._all[output.partition]
                    to.append(topic, -1, output.key, output.value, output.headers)
        for record in batch.state:
            self._stored.compacted[STATE.name].put(record.key, record.value, ())
        self._stored.checkpoint = batch.checkpoint
        self._faults("commit.after")

    async def close(self) -> None:
        """There is nothing to free: a session that is not used any more is gone."""

    def _check(self) -> None:
        if self._epoch != self._stored.epoch:
            raise Fenced(
                f"partition {self.partition} was taken over by another worker; nothing of the open batch was "
                "written"
            )


class MemoryLog:
    """A `streams.log.port.Log` that lives as long as the object."""

    def __init__(
        self,
        partitions: int = 1,
        faults: Faults | None = None,
        round_robin: bool = False,
        inputs: Sequence[str] = (EVENTS.name,),
    ) -> None:
        """`round_robin`: its input is appended without regard to whom the events belong to. `inputs`: the
        topics that every partition reads; `append` is for the first.
        """
        assert partitions > 0, partitions
        self.drops_old_records = False
        self.round_robin = round_robin
        self.partitions = partitions
        self._inputs = tuple(inputs)
        self._stored = [_Partition(inputs) for _ in range(partitions)]
        self._positions: dict[str, int] = {}
        self._faults = faults or _no_faults

    async def open(self, partition: int) -> MemorySession:
        assert 0 <= partition < self.partitions, partition
        self._faults("open.before")
        self._stored[partition].epoch += 1
        self._faults("open.after")
        return MemorySession(partition, self._stored, self._faults, self.sources(partition), self.round_robin)

    async def append(self, records: Sequence[NewRecord], source: Source | None = None) -> None:
        assert all(0 <= record.partition < self.partitions for record in records), "no such partition"
        self._faults("append.before")
        if source is not None:
            if self._positions.get(source.name, 0) != source.start:
                raise Fenced(f"{source.name} is being read by another process too; nothing was written")
            self._positions[source.name] = source.end
        for new in records:
            self._stored[new.partition].append(self._inputs[0], new.time_ms, new.key, new.value, new.headers)
        self._faults("append.after")

    async def send(self, messages: Sequence[Output]) -> None:
        numbers = inbox_partitions(messages, self.partitions)
        self._faults("append.before")
        for number, message in zip(numbers, messages, strict=True):
            self._stored[number].append(INBOX.name, -1, message.key, message.value, message.headers)
        self._faults("append.after")

    async def position(self, name: str) -> int:
        return self._positions.get(name, 0)

    async def scan(
        self,
        topic: str,
        partition: int | None = None,
        key: bytes | None = None,
        *,
        since_ms: int | None = None,
    ) -> AsyncIterator[tuple[int, Record]]:
        assert topic in NAMES, topic
        which = range(self.partitions) if partition is None else (partition,)
        found = [
            (number, record)
            for number in which
            for record in self._records(number, topic)
            if key is None or record.key == key
        ]
        for pair in found:
            yield pair

    async def scan_versions(self, topic: str, partition: int) -> AsyncIterator[Record]:
        assert topic in COMPACTED, topic
        for record in list(self._stored[partition].compacted[topic].records):
            yield record

    def sources(self, partition: int) -> tuple[str, ...]:
        return tuple(source_name(topic, partition) for topic in (*self._inputs, INBOX.name))

    async def scan_source(self, source: str, end: int | None = None) -> AsyncIterator[Record]:
        topic, partition = split_source(source)
        for record in list(self._stored[partition].appended[topic]):
            if end is not None and record.offset >= end:
                return
            yield record

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        assert limit > 0, limit
        stored = self._stored[partition]
        if topic in COMPACTED:
            first, records = stored.compacted[topic].first, stored.compacted[topic].records
        else:
            first, records = 0, stored.appended[topic]
        end = first + len(records)
        anew = position is not None and not first <= position.offset <= end
        offset = first if position is None or anew else position.offset
        found = records[offset - first : offset - first + limit]
        reached = offset + len(found)
        return Tail(found, TailPosition(reached), anew, reached == end)

    async def read_at(self, topic: str, partition: int, offsets: Sequence[int]) -> Sequence[Record]:
        stored = self._stored[partition]
        if topic in COMPACTED:
            held = stored.compacted[topic]
            return [held.records[offset - held.first] for offset in offsets if offset >= held.first]
        records = stored.appended[topic]
        return [records[offset] for offset in offsets]

    async def end_positions(self, topic: str) -> list[TailPosition]:
        if topic in COMPACTED:
            return [TailPosition(stored.compacted[topic].next) for stored in self._stored]
        return [TailPosition(len(stored.appended[topic])) for stored in self._stored]

    def compact(self, topic: str, partition: int) -> None:
        """Compacts a topic partition now. It also happens by itself, when most records are superseded."""
        self._stored[partition].compacted[topic].compact()

    async def first_offsets(self, topic: str) -> list[int]:
        if topic in COMPACTED:
            return [stored.compacted[topic].first for stored in self._stored]
        # Tests take the oldest records away.
        topics = [stored.appended[topic] for stored in self._stored]
        return [records[0].offset if records else 0 for records in topics]

    async def ends(self) -> dict[str, int]:
        # The last record says it: tests take the oldest ones away, as age does on a broker.
        return {
            source: records[-1].offset + 1 if (records := stored.appended[split_source(source)[0]]) else 0
            for n, stored in enumerate(self._stored)
            for source in self.sources(n)
        }

    async def extents(self) -> dict[str, Extent]:
        return {source: Extent(0, end, end) for source, end in (await self.ends()).items()}

    async def checkpoints(self, partition: int | None = None) -> list[bytes | None]:
        which = self._stored if partition is None else [self._stored[partition]]
        return [stored.checkpoint for stored in which]

    async def close(self) -> None:
        """There is nothing to free; the records stay, as on a disk."""

    def _records(self, partition: int, topic: str) -> Sequence[Record]:
        if topic in COMPACTED:
            return [record for _, record in sorted(self._stored[partition].latest[topic].items())]
        return self._stored[partition].appended[topic]


async def _each(pairs: list[StateRecord]) -> AsyncIterator[StateRecord]:
    for pair in pairs:
        yield pair


def _no_faults(point: str) -> None:
    """The default: nothing goes wrong."""
