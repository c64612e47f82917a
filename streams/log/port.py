"""What an agent needs of a log: to read on from where the last commit stood, and to commit a batch as one.

Three adapters keep this contract (`memory`, `sqlite`, `kafka`), and one suite of tests (`tests/contract`)
holds them to it:

- **fencing**: `open` on a partition fences every session that was opened on it before: its next `commit`
  raises `Fenced` and writes nothing. Other partitions are not affected. On the embedded logs the next `read`
  of a fenced session raises `Fenced` too; a broker may not know by then.
- **restore**: a session starts from the last committed checkpoint: the bytes of the checkpoint, and the state
  records (the latest value per key, without tombstones).
- **sources**: a session reads one or more sources, each with a permanent name, `topic:partition`: partitions
  of the inputs and, last, one of the inbox topic, to which the sessions of all partitions write.
- **read order**: records of one source come in offset order from the position that was asked for, and none is
  left out. In the embedded logs offsets count from 0 without gaps. On a broker, markers of transactions take
  offsets too, and records that were deleted by age are gone: position 0 stands for the first record that
  still exists.
- **atomic commit**: outputs, state and checkpoint of a batch become visible together or not at all, and those
  of each topic in the order given. A commit that raises has written nothing, except `Unavailable`, which
  leaves it open: drop the session and open another.
- **following**: `tail` returns what has come since a position, in compacted topics too. A follower that may
  have missed what a compaction removed has to read anew.

Methods are coroutines because Kafka's are. The embedded adapters never wait (but a scan of SQLite yields to
others now and then).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import Batch, Fetched, HiddenOffsets, NewRecord, Output, Record, Source, StateRecord

# One read, as far as an adapter can bound it: large records make a read of fewer.
LOG_READ_BYTES = 8 << 20

Restoring = Callable[[int, int], None]  # (state records read, about how many there are)


class Extent(NamedTuple):
    """Which offsets a source holds at one moment."""

    first: int  # of the first record that still exists, or of the next one if none does
    end: int  # readers of what is committed come no further
    written: int  # of the next record; greater than `end` while a transaction is open that begins at `end`


class Session(Protocol):
    """What one agent holds while it owns a partition."""

    partition: int

    @property
    def sources(self) -> tuple[str, ...]:
        """What it reads, the inbox last."""
        ...

    @property
    def round_robin(self) -> bool:
        """True if some of its sources are read round-robin, so that most of their events belong to other
        partitions.
        """
        ...

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        """The last committed checkpoint (None at a first start) and the live state records."""
        ...

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        """Reads at most `limit` records and about LOG_READ_BYTES, but one record at least, of each source
        from its position on (0 if it has none). There are no chunks when there is nothing yet.
        """
        ...

    async def commit(self, batch: Batch) -> None:
        """Writes the batch as one; it is durable when this returns. An empty batch commits its checkpoint.

        Raises Fenced, having written nothing, if the partition was opened again since.
        """
        ...

    def lags(self) -> Mapping[str, int]:
        """How many records of each source were still to be read after the last read."""
        ...

    def hidden(self) -> Mapping[str, HiddenOffsets]:
        """What an open transaction hid of each source at the last read; sources without one are left out."""
        ...

    async def close(self) -> None:
        """Gives the partition back, without a commit."""
        ...


class Reader(Protocol):
    """The side of a log that fences nobody: for reports, verify, followers, and those who wait for the end of
    a finite input.
    """

    partitions: int
    # True where append-only topics lose their oldest records by age: a first offset above 0 is no damage.
    drops_old_records: bool

    def scan(
        self,
        topic: str,
        partition: int | None = None,
        key: bytes | None = None,
        *,
        since_ms: int | None = None,
    ) -> AsyncIterator[tuple[int, Record]]:
        """Committed records as (partition, record), of one partition or of all in turn, in offset order;
        those of a compacted topic in key order.

        With `key`, only the records of that key. With `since_ms`, an append-only topic may be read from its
        first record on that was appended then or later, if the log can find it: the caller looks at the times
        of the records. This is for readers, not for agents.
        """
        ...

    def scan_versions(self, topic: str, partition: int) -> AsyncIterator[Record]:
        """All committed records that a partition of a compacted topic still has, in the order in which they
        were written: those that others have superseded and tombstones, too.

        Unlike a tail it reaches everything that was committed before it began, and it keeps nothing.
        """
        ...

    def sources(self, partition: int) -> tuple[str, ...]:
        """What the session of this partition reads, the inbox last."""
        ...

    def scan_source(self, source: str, end: int | None = None) -> AsyncIterator[Record]:
        """Committed records of a source, in offset order; with `end`, those before this offset. This is for
        readers, as `scan` is.
        """
        ...

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        """Committed records from `position` on, which is the one that the last call returned (None: from the
        first record on), at most `limit` of them. For followers: see `streams.log.tail`.

        On a broker it waits a tenth of a second when there is nothing, and what was committed a moment ago
        may come with the next call.
        """
        ...

    async def end_positions(self, topic: str) -> list[TailPosition]:
        """By partition, the position from which a tail gives only what is committed from now on.

        A follower of an append-only topic that wants the newest records too may begin some offsets before.
        """
        ...

    async def first_offsets(self, topic: str) -> list[int]:
        """By partition, the offset of the first record that a topic still holds, or of the next one if it
        holds none. It never goes back.
        """
        ...

    async def ends(self) -> dict[str, int]:
        """The offset that the next record of each source will get. A session that has read up to it has
        caught up.
        """
        ...

    async def extents(self) -> dict[str, Extent]:
        """Which offsets each source holds now. It waits for no transaction."""
        ...

    async def checkpoints(self, partition: int | None = None) -> list[bytes | None]:
        """The last committed checkpoint of each partition, or of this one; None where nothing is committed
        yet.
        """
        ...

    async def close(self) -> None:
        """Frees what the log holds. Sessions that were opened on it end with it."""
        ...


class EmbeddedReader(Reader, Protocol):
    """A reader of an embedded log, in which every record can be got at by its offset."""

    async def read_at(self, topic: str, partition: int, offsets: Sequence[int]) -> Sequence[Record]:
        """The records of a topic at these offsets, which ascend. Of a compacted topic those are left out that
        a compaction has moved since.
        """
        ...


class Log(Reader, Protocol):
    """A log with one input topic of `partitions` partitions, and the topics of `streams.topology`."""

    async def open(self, partition: int) -> Session:
        """Takes the partition over and fences its former owner."""
        ...

    async def append(self, records: Sequence[NewRecord], source: Source | None = None) -> None:
        """Adds records to the input topic, all or none; they are durable when this returns.

        With `source`, the same transaction stores how far that file has been appended. It raises Fenced,
        having written nothing, if another process has appended from the file since: so a file that is read
        again after a crash is appended once.

        On a broker, collectors append. There this is for tests and tools; it takes no `source`, and a failure
        may leave some of the records.
        """
        ...

    async def send(self, messages: Sequence[Output]) -> None:
        """Adds messages to the inboxes of the partitions that they name; they are durable when this returns.
        It fences nobody.

        On a broker a failure may leave some of them.
        """
        ...

    async def position(self, name: str) -> int:
        """How many records of this file have been appended."""
        ...
