"""The log as an agent sees it: read on from where the last commit stood, and commit a batch as one.

Three adapters keep this contract (`memory`, `sqlite`, `kafka`) and one suite of tests (`tests/contract`)
holds them to it:

- **fencing**: `open` on a partition makes every session opened on it before fail with `Fenced` at its next
  `commit`, and nothing of it is written. Other partitions are left alone. The embedded logs tell a fenced
  session at its next `read` too; a broker may not know by then.
- **restore**: a session starts from the last committed checkpoint: its state records (latest value per key,
  tombstones gone) and checkpoint bytes;
- **sources**: what a session reads are one or more sources, each with a name for ever, `topic:partition`:
  partitions of the input, and last the one of the `handover` topic, to which the sessions of all partitions
  write;
- **read order**: records of one source come in offset order from the position asked for, none left out. In
  the embedded logs offsets count from 0 without gaps; on a broker marks of transactions take offsets too, and
  what age has deleted is gone: 0 stands for the first there is;
- **atomic commit**: outputs, state and checkpoint of a batch become visible together or not at all, and each
  topic's in the order given. A commit that raises has written nothing, unless it raises `Unavailable`, which
  leaves it open: drop the session and open anew.
- **following**: `tail` gives what has come since a position, compacted topics included; a follower that may
  have missed what a compaction removed is told to read anew.

Methods are coroutines because Kafka's are; the embedded adapters just never wait (a scan of SQLite gives way
now and then).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import Batch, Fetched, NewRecord, Record, Source, StateRecord

Restoring = Callable[[int, int], None]  # (state records read, about how many there are)


class Session(Protocol):
    """What one agent holds while it owns a partition."""

    partition: int

    @property
    def sources(self) -> tuple[str, ...]:
        """What it reads, the handover last."""
        ...

    @property
    def round_robin(self) -> bool:
        """Whether it is known that some of the sources have been dealt out without regard to who
        lives where.
        """
        ...

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        """The last committed checkpoint (None: a first start) and the live state records."""
        ...

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        """At most `limit` records, of each source from its position on (0 if it has none); no chunks when
        there is nothing yet.
        """
        ...

    async def commit(self, batch: Batch) -> None:
        """Writes the batch as one; durable when it returns. Raises Fenced, having written nothing, if the
        partition was opened again since.

        An empty batch commits its checkpoint.
        """
        ...

    def lags(self) -> Mapping[str, int]:
        """Per source: the records that were still to be read after the last read."""
        ...

    async def close(self) -> None:
        """Gives the partition back. Does not commit."""
        ...


class Reader(Protocol):
    """The side of a log that fences nobody: for tables, verify and whoever waits for the end of a finite
    input.
    """

    partitions: int

    def scan(
        self, topic: str, partition: int | None = None, key: bytes | None = None
    ) -> AsyncIterator[tuple[int, Record]]:
        """Committed records as (partition, record): of one partition or all of them in turn, in offset order
        (a compacted topic: in key order).

        With `key`, only that key's. For readers (tables, verify), not for agents.
        """
        ...

    def sources(self, partition: int) -> tuple[str, ...]:
        """What the session of this partition reads, the handover last."""
        ...

    def scan_source(self, source: str) -> AsyncIterator[Record]:
        """Committed records of a source, in offset order. For readers, as `scan`."""
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

    async def ends(self) -> dict[str, int]:
        """Per source: the offset that its next record will get. A session that has read up to it has caught
        up.
        """
        ...

    async def checkpoints(self) -> list[bytes | None]:
        """Per partition: the last committed checkpoint (None: nothing committed yet)."""
        ...

    async def close(self) -> None:
        """Frees what the log holds. Sessions opened on it end with it."""
        ...


class Log(Reader, Protocol):
    """A log with one input topic of `partitions` partitions, and the topics of `streams.topology`."""

    async def open(self, partition: int) -> Session:
        """Takes the partition over, fencing whoever has it."""
        ...

    async def append(self, records: Sequence[NewRecord], source: Source | None = None) -> None:
        """Adds records to the input topic, all or none, durable when it returns.

        On a broker it is collectors who append; there this is for tests and tools, takes no `source`, and a
        failure may leave some.

        With `source`, notes in the same transaction how far that file has been appended; raises Fenced,
        having written nothing, when somebody else has appended from it since: a file that is read again after
        a crash is appended once.
        """
        ...

    async def position(self, name: str) -> int:
        """How many records of this source have been appended."""
        ...
