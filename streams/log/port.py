"""The log as an agent sees it: read on from where the last commit stood, and commit a batch as one.

Three adapters keep this contract (`memory`, `sqlite`, later Kafka) and one suite of tests holds them to it:

- **fencing**: `open` on a partition makes every session opened on it before fail with `Fenced` at its next `commit` (and `read`),
  and nothing of it is written;
- **restore**: a session starts from the last committed checkpoint: its state records (latest value per key, tombstones gone) and checkpoint bytes;
- **read order**: records of one input partition come in offset order, without gaps, from the position asked for;
- **atomic commit**: outputs, state and checkpoint of a batch become visible together or not at all, and in the order given.

Methods are coroutines because Kafka's are; the embedded adapters just never wait.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record read from a topic partition."""

    offset: int
    time_ms: int  # when it was appended, milliseconds since 1970 UTC; -1: not known
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write. In a compacted topic the latest value of a key stays and None takes the key away."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Batch(msgspec.Struct, frozen=True, gc=False):
    """All effects of one step of an agent, committed as one."""

    outputs: Sequence[Output]
    state: Sequence[tuple[bytes, bytes | None]]  # key -> value; None: a tombstone
    checkpoint: bytes


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
        """Writes the batch as one. Raises Fenced, having written nothing, if the partition was opened again since."""
        ...

    async def close(self) -> None:
        """Gives the partition back. Does not commit."""
        ...


class Log(Protocol):
    """A log with one input topic of `partitions` partitions, and the topics of `streams.topology`."""

    partitions: int

    async def open(self, partition: int) -> Session:
        """Takes the partition over, fencing whoever has it."""
        ...

    async def append(self, records: Sequence[tuple[int, bytes | None, bytes, int, Headers]]) -> None:
        """Adds (partition, key, value, time_ms, headers) to the input topic, all or none, durable when it returns."""
        ...

    def scan(self, topic: str, partition: int | None = None, key: bytes | None = None) -> AsyncIterator[tuple[int, Record]]:
        """Committed records as (partition, record): of one partition or all of them in turn, in offset order (a compacted topic: in key order).

        With `key`, only that key's. For readers (tables, verify), not for agents.
        """
        ...

    async def close(self) -> None:
        """Frees what the log holds."""
        ...
