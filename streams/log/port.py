"""The log as an agent sees it: read on from where the last commit stood, and commit a batch as one.

Three adapters keep this contract (`memory`, `sqlite`, `kafka`) and one suite of tests (`tests/contract`) holds them to it:

- **fencing**: `open` on a partition makes every session opened on it before fail with `Fenced` at its next `commit`, and nothing of it is
  written. Other partitions are left alone. The embedded logs tell a fenced session at its next `read` too; a broker may not know by then.
- **restore**: a session starts from the last committed checkpoint: its state records (latest value per key, tombstones gone) and checkpoint bytes;
- **read order**: records of one input partition come in offset order from the position asked for, none left out. In the embedded logs offsets
  count from 0 without gaps; on a broker marks of transactions take offsets too, and what age has deleted is gone: 0 stands for the first there is;
- **atomic commit**: outputs, state and checkpoint of a batch become visible together or not at all, and each topic's in the order given.
  A commit that raises has written nothing, unless it raises `Unavailable`, which leaves it open: drop the session and open anew.

Methods are coroutines because Kafka's are; the embedded adapters just never wait (a scan of SQLite gives way now and then).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from streams.records import Batch, Headers, Record, Source


class Session(Protocol):
    """What one agent holds while it owns a partition."""

    partition: int

    async def restore(self) -> tuple[bytes | None, AsyncIterator[tuple[bytes, bytes]]]:
        """The last committed checkpoint (None: a first start) and the live state records."""
        ...

    async def read(self, offset: int, limit: int) -> list[Record]:
        """At most `limit` records of this partition's input from `offset` on; empty when there is nothing yet."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Writes the batch as one; durable when it returns. Raises Fenced, having written nothing, if the partition was opened again since.

        An empty batch commits its checkpoint.
        """
        ...

    async def close(self) -> None:
        """Gives the partition back. Does not commit."""
        ...


class Reader(Protocol):
    """The side of a log that fences nobody: for tables, verify and whoever waits for the end of a finite input."""

    partitions: int

    def scan(self, topic: str, partition: int | None = None, key: bytes | None = None) -> AsyncIterator[tuple[int, Record]]:
        """Committed records as (partition, record): of one partition or all of them in turn, in offset order (a compacted topic: in key order).

        With `key`, only that key's. For readers (tables, verify), not for agents.
        """
        ...

    async def ends(self) -> list[int]:
        """Per partition of the input: the offset that the next record will get. A session that has read up to it has caught up."""
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

    async def append(self, records: Sequence[tuple[int, bytes | None, bytes, int, Headers]], source: Source | None = None) -> None:
        """Adds (partition, key, value, time_ms, headers) to the input topic, all or none, durable when it returns.

        On a broker it is collectors who append; there this is for tests and tools, takes no `source`, and a failure may leave some.

        With `source`, notes in the same transaction how far that file has been appended; raises Fenced, having written nothing, when
        somebody else has appended from it since: a file that is read again after a crash is appended once.
        """
        ...

    async def position(self, name: str) -> int:
        """How many records of this source have been appended."""
        ...
