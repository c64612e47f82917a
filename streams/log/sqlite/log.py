"""The embedded log: everything in one SQLite file, one transaction per batch.

A second opener of a partition, in this process or another, fences the first: the epoch of the partition is in
the database, `open` raises it, and `commit` checks it in its own transaction. So a process that hangs can be
replaced without being found and killed first. Nothing awaits in mid-transaction, so a cancellation cannot
interrupt it; an exception (Ctrl-C) rolls back.

There is one writing connection per log, whatever the number of partitions: SQLite has one writer at a time.
Calls are made in place and not in a thread: each return from SQLite would wait until the fold releases the
interpreter, and the whole was slower by 4 to 11 % when measured so.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from streams.clock import Clock
from streams.errors import Fenced, Unavailable
from streams.log.embedded_sources import embedded_sources
from streams.log.grouping import COMPACTED, NAMES, by_partition, by_topic, inbox_partitions
from streams.log.port import LOG_READ_BYTES, Restoring
from streams.log.sqlite import chunks, database, tables
from streams.log.sqlite.reader import SqliteReader
from streams.records import Batch, Fetched, HiddenOffsets, NewRecord, Output, Record, Source, StateRecord
from streams.topology import EVENTS, INBOX, STATE, split_source


class SqliteLog(SqliteReader):
    """A `streams.log.port.Log` in a data directory, which is made if it does not exist.

    `partitions` and `app`: what the directory must have been made with; None: whatever it was (a new one: 1
    partition, app `streams`). Raises Incompatible if it was made with others or has another format,
    InputError if its file is no log, Unavailable if it cannot be written.
    """

    def __init__(self, data_dir: Path | str, partitions: int | None = None, app: str | None = None) -> None:
        self._clock = Clock()
        self._epochs: dict[int, int] = {}  # of the partitions opened through this log
        self._writer = database.connect_to_write(Path(data_dir) / database.FILE, partitions, app, NAMES)
        try:
            super().__init__(data_dir)
        except BaseException:
            self._writer.close()
            raise

    @staticmethod
    def read_only(data_dir: Path | str, frozen: bool = False) -> SqliteReader:
        """A reader for reports and verify. With `frozen`, it sees one moment. Raises InputError if there is
        no log in the directory.
        """
        return SqliteReader(data_dir, frozen)

    async def open(self, partition: int) -> "SqliteSession":
        assert 0 <= partition < self.partitions, partition
        (session,) = self._open([partition])
        return session

    async def open_all(self) -> list["SqliteSession"]:
        """Takes all partitions over at once: if two processes do so at the same time, one gets everything,
        never each a part.
        """
        return self._open(range(self.partitions))

    def _open(self, partitions: Sequence[int]) -> list["SqliteSession"]:
        with self._transaction() as con:
            for partition in partitions:
                _, epoch, checkpoint = tables.read_known(con, "partitions", partition)
                tables.update(con, "partitions", (partition, epoch + 1, checkpoint))
                self._epochs[partition] = epoch + 1
        return [SqliteSession(self, partition, self._epochs[partition]) for partition in partitions]

    async def append(self, records: Sequence[NewRecord], source: Source | None = None) -> None:
        rows: dict[int, list[chunks.Row]] = {}
        for new in records:
            assert 0 <= new.partition < self.partitions, new.partition
            rows.setdefault(new.partition, []).append((new.time_ms, new.key, new.value, new.headers))
        packed = [
            (self._places[EVENTS.name, partition], chunks.pack(group)) for partition, group in rows.items()
        ]
        with self._transaction() as con:
            if source is not None:
                self._note(con, source)
            for place, bodies in packed:
                chunks.append(con, place, bodies)

    async def send(self, messages: Sequence[Output]) -> None:
        now_ms, rows = self._clock.wall_ms(), dict[int, list[chunks.Row]]()
        numbers = inbox_partitions(messages, self.partitions)
        for number, message in zip(numbers, messages, strict=True):
            rows.setdefault(number, []).append((now_ms, message.key, message.value, message.headers))
        packed = [(self._places[INBOX.name, number], chunks.pack(group)) for number, group in rows.items()]
        with self._transaction() as con:
            for place, bodies in packed:
                chunks.append(con, place, bodies)

    async def position(self, name: str) -> int:
        with database.plain_errors(self._file):
            known = tables.read_one(self._reader, "sources", name)
            return int(known[1]) if known else 0

    async def positions(self, prefix: str) -> dict[str, int]:
        """The positions of all input files whose names begin so."""
        with database.plain_errors(self._file):
            rows = tables.read_all(self._reader, "sources")
            return {str(name): int(end) for name, end in rows if str(name).startswith(prefix)}

    def _note(self, con: sqlite3.Connection, source: Source) -> None:
        """Stores how far a file has been appended.

        If two processes read the same file, the one that opened the partitions last goes on; the other must
        not append any more, and Fenced is raised.
        """
        for partition, epoch in self._epochs.items():
            if _epoch(con, partition) != epoch:
                raise Fenced(taken_over(partition, self._file))
        known = tables.read_one(con, "sources", source.name)
        if (known[1] if known else 0) != source.start:
            raise Fenced(
                f"Another process is reading the same file into {self._file.parent}. Nothing was written. "
                "Let one process at a time work on a data directory."
            )
        if known:
            tables.update(con, "sources", (source.name, source.end))
            return
        _, count = tables.read_known(con, "meta", "sources")
        tables.insert(con, "sources", (source.name, source.end))
        tables.update(con, "meta", ("sources", count + 1))

    async def close(self) -> None:
        await super().close()
        self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits everything that is done inside as one, or rolls it back if anything at all is raised."""
        con = self._writer
        with database.plain_errors(self._file):
            if con.in_transaction:  # an interrupt struck between two lines of a roll-back
                con.execute("ROLLBACK")
            try:
                database.begin(con)
                yield con
                con.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
                    con.execute("ROLLBACK")
                raise


class SqliteSession:
    """One agent's hold on a partition of a SqliteLog."""

    round_robin = False  # events are appended to the partitions that own their people

    def __init__(self, log: SqliteLog, partition: int, epoch: int) -> None:
        self.partition = partition
        self.sources = embedded_sources(partition)
        self._log = log
        self._epoch = epoch
        self._lags: dict[str, int] = {}
        # By source: the rest of one chunk, which was decoded with the last read and not asked for yet.
        self._ahead: dict[str, list[Record]] = {}
        self._dead = False

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        with database.plain_errors(self._log._file), self._log._one_moment() as con:
            self._check(con)
            checkpoint = tables.read_known(con, "partitions", self.partition)[2]
            live = chunks.live(con, self._log._places[STATE.name, self.partition])
        return checkpoint, _drained(live)

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        assert limit > 0, limit
        found: list[tuple[str, list[Record]]] = []
        ended = set()
        with database.plain_errors(self._log._file):
            self._check(self._log._reader)
            for source in self.sources:
                position = positions.get(source, 0)
                assert position >= 0, position
                if limit and (records := self._read(source, position, limit)):
                    found.append((source, records))
                    position, limit = position + len(records), limit - len(records)
                end = tables.read_place(self._log._reader, self._place(source)).next
                self._lags[source] = end - position
                if position >= end:
                    ended.add(source)
        return Fetched(found, frozenset(ended))

    def lags(self) -> dict[str, int]:
        return self._lags

    def hidden(self) -> dict[str, HiddenOffsets]:
        return {}

    def _read(self, source: str, offset: int, limit: int) -> list[Record]:
        ahead = self._ahead.get(source)
        records = ahead if ahead and ahead[0].offset == offset else []
        size = _size(records)
        if len(records) < limit and size < LOG_READ_BYTES:
            with closing(
                chunks.read_chunks(self._log._reader, self._place(source), offset + len(records))
            ) as found:
                for chunk in found:
                    records = records + chunk if records else chunk
                    size += _size(chunk)
                    if len(records) >= limit or size >= LOG_READ_BYTES:
                        break
        self._ahead[source] = records[limit:]
        return records[:limit]

    def _place(self, source: str) -> int:
        return self._log._places[split_source(source)]

    async def commit(self, batch: Batch) -> None:
        if self._dead:
            raise Unavailable(
                f"This hold on partition {self.partition} has ended, after an error or by closing. Open the "
                "partition again."
            )
        places, now_ms = self._log._places, self._log._clock.wall_ms()
        packed = [
            (
                topic,
                places[topic, self.partition if partition is None else partition],
                chunks.pack(_stored(topic, group, now_ms)),
            )
            for topic, outputs in by_topic(batch.outputs).items()
            for partition, group in by_partition(outputs).items()
        ]
        packed.append(
            (
                STATE.name,
                places[STATE.name, self.partition],
                chunks.pack([(record.key, record.value, ()) for record in batch.state]),
            )
        )
        try:
            with self._log._transaction() as con:
                self._check(con)
                for topic, place, bodies in packed:
                    chunks.append(con, place, bodies)
                    if topic in COMPACTED:
                        chunks.compact_if_due(con, place)
                tables.update(con, "partitions", (self.partition, self._epoch, batch.checkpoint))
        except Unavailable:
            self._dead = True  # whether it was written is open: only a new session can tell
            raise

    async def close(self) -> None:
        self._dead = True
        self._ahead = {}

    def _check(self, con: sqlite3.Connection) -> None:
        if _epoch(con, self.partition) != self._epoch:
            raise Fenced(taken_over(self.partition, self._log._file))


def _size(records: Sequence[Record]) -> int:
    return sum([len(record.value or b"") for record in records])


def taken_over(partition: int, file: Path) -> str:
    """The message for the session that lost a partition."""
    return (
        f"Partition {partition} of {file.parent} was taken over by another worker. Nothing of the open batch "
        "was written. Let one process at a time work on a data directory."
    )


def _epoch(con: sqlite3.Connection, partition: int) -> int:
    return int(tables.read_known(con, "partitions", partition)[1])


def _stored(topic: str, outputs: Sequence[Output], now_ms: int) -> list[chunks.Row] | list[chunks.Entry]:
    if topic in COMPACTED:
        # No key is None, since by_topic has checked it: this is for the type checker.
        return [(output.key, output.value, output.headers) for output in outputs if output.key is not None]
    return [(now_ms, output.key, output.value, output.headers) for output in outputs]


async def _drained(live: chunks.Live) -> AsyncIterator[StateRecord]:
    """Removes each record as it yields it: the state is in memory once, not twice."""
    while live:
        key, (value, _) = live.popitem()
        yield StateRecord(key, value)
