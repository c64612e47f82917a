"""Reads the embedded log beside whoever writes it: for reports, verify and followers.

The reading connection sees what is committed and nothing else.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from pathlib import Path

from streams.log.embedded_sources import embedded_sources
from streams.log.grouping import COMPACTED, NAMES
from streams.log.port import Extent
from streams.log.sqlite import chunks, database, tables
from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import Record
from streams.topology import EVENTS, INBOX, source_name, split_source


class SqliteReader:
    """A `streams.log.port.Reader` of a data directory. Fences nobody and works while a writer runs.

    A scan sees the log as it was when the scan began; with `frozen`, everything is seen as it was when the
    reader was made. While a scan is unfinished, or a frozen reader open, the WAL file grows.
    """

    drops_old_records = False

    def __init__(self, data_dir: Path | str, frozen: bool = False) -> None:
        self._file = Path(data_dir) / database.FILE
        self._reader = database.connect_to_read(self._file)
        self._frozen = frozen
        try:
            with database.plain_errors(self._file):
                if frozen:
                    self._reader.execute("BEGIN")  # the first query below fixes what all others see
                self.partitions = database.partition_count(self._reader)
                self._places = database.places(self._reader)
        except BaseException:
            self._reader.close()
            raise

    async def scan(
        self,
        topic: str,
        partition: int | None = None,
        key: bytes | None = None,
        *,
        since_ms: int | None = None,
    ) -> AsyncGenerator[tuple[int, Record], None]:
        assert topic in NAMES, topic
        records = _compacted if topic in COMPACTED else chunks.read_chunks
        with database.plain_errors(self._file), self._scanning() as con:
            for number in range(self.partitions) if partition is None else (partition,):
                place = self._places.get((topic, number))
                if place is None:  # a topic that this version added and no writer has met yet
                    continue
                with closing(records(con, place)) as found:
                    for chunk in found:
                        for record in chunk:
                            if key is None or record.key == key:
                                yield number, record
                        await asyncio.sleep(0)  # a long scan yields to others

    async def scan_versions(self, topic: str, partition: int) -> AsyncIterator[Record]:
        assert topic in COMPACTED, topic
        place = self._places.get((topic, partition))
        if place is None:  # as in `scan`
            return
        with (
            database.plain_errors(self._file),
            self._scanning() as con,
            closing(chunks.read_chunks(con, place, compacted=True)) as found,
        ):
            for chunk in found:
                for record in chunk:
                    yield record
                await asyncio.sleep(0)  # as in `scan`

    @contextmanager
    def _scanning(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the log as it is now, however long it is used."""
        if self._frozen:
            yield self._reader
            return
        with closing(database.connect_to_read(self._file)) as con:
            con.execute("BEGIN")
            yield con

    def sources(self, partition: int) -> tuple[str, ...]:
        return embedded_sources(partition)

    async def scan_source(self, source: str, end: int | None = None) -> AsyncIterator[Record]:
        topic, partition = split_source(source)
        async with aclosing(self.scan(topic, partition)) as found:
            async for _, record in found:
                if end is not None and record.offset >= end:
                    return
                yield record

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        assert topic in NAMES, topic
        assert limit > 0, limit
        place = self._places.get((topic, partition))
        if place is None:  # as in `scan`
            return Tail([], position or TailPosition(0), anew=False, at_end=True)
        records: list[Record] = []
        with database.plain_errors(self._file), self._one_moment() as con:
            held = tables.read_place(con, place)
            first, end = held.first, held.next
            anew = position is not None and not first <= position.offset <= end
            offset = first if position is None or anew else position.offset
            with closing(chunks.read_chunks(con, place, offset, compacted=topic in COMPACTED)) as found:
                for chunk in found:
                    records += chunk[: limit - len(records)]
                    if len(records) == limit:
                        break
        reached = offset + len(records)
        return Tail(records, TailPosition(reached), anew, reached == end)

    async def read_at(self, topic: str, partition: int, offsets: Sequence[int]) -> Sequence[Record]:
        assert topic in NAMES, topic
        place = self._places.get((topic, partition))
        if place is None:  # as in `scan`
            return []
        with database.plain_errors(self._file), self._one_moment() as con:
            return list(chunks.records_at(con, place, offsets, compacted=topic in COMPACTED))

    async def end_positions(self, topic: str) -> list[TailPosition]:
        return [TailPosition(0 if place is None else place.next) for place in self._held(topic)]

    def _held(self, topic: str) -> list[tables.ChunkPlace | None]:
        """Which records each partition of a topic holds; None: no writer has met the topic yet."""
        assert topic in NAMES, topic
        places = [self._places.get((topic, number)) for number in range(self.partitions)]
        with database.plain_errors(self._file), self._one_moment() as con:
            return [None if place is None else tables.read_place(con, place) for place in places]

    @contextmanager
    def _one_moment(self) -> Iterator[sqlite3.Connection]:
        """The reading connection, for several queries that must see the same. Nothing may await meanwhile."""
        if self._frozen:
            yield self._reader
            return
        self._reader.execute("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.execute("COMMIT")

    async def ends(self) -> dict[str, int]:
        with database.plain_errors(self._file):
            places = [tables.ChunkPlace(*row) for row in tables.read_all(self._reader, "places")]
        ends = [place for place in places if place.topic in (EVENTS.name, INBOX.name)]
        ends.sort(key=lambda place: (place.topic, place.partition))
        return {source_name(place.topic, place.partition): place.next for place in ends}

    async def first_offsets(self, topic: str) -> list[int]:
        return [0 if place is None else place.first for place in self._held(topic)]

    async def extents(self) -> dict[str, Extent]:
        return {source: Extent(0, end, end) for source, end in (await self.ends()).items()}

    async def checkpoints(self, partition: int | None = None) -> list[bytes | None]:
        which = range(self.partitions) if partition is None else (partition,)
        with database.plain_errors(self._file):
            return [tables.read_known(self._reader, "partitions", number)[2] for number in which]

    async def close(self) -> None:
        self._reader.close()


def _compacted(con: sqlite3.Connection, place: int) -> Generator[list[Record], None, None]:
    yield [
        Record(-1, -1, key, value, headers)
        for key, (value, headers) in sorted(chunks.live(con, place).items())
    ]
