"""What goes into a step and comes out of it: plain values, which the pure core and the logs share."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record read from a topic partition, or one item of a record that holds several."""

    offset: int  # -1 in a compacted topic of an embedded log, where only the key counts
    time_ms: int  # when it was appended, milliseconds since 1970 UTC; -1: not known
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    index: int = 0  # of the item in its record


class DecodedRecord(Record, frozen=True, gc=False):
    """A record whose value was decoded where it was read: dead letters get what it was."""

    original: bytes = b""


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to append to the input."""

    partition: int
    key: bytes | None
    value: bytes
    time_ms: int  # milliseconds since 1970 UTC; -1: not known
    headers: Headers = ()


class StateRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of the state topic."""

    key: bytes
    value: bytes | None  # None: a tombstone


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """What one read of the sources of a partition found."""

    # (source, its records in offset order); each source at most once.
    chunks: Sequence[tuple[str, list[Record]]]
    # The sources of which nothing is left to read after this, as far as is known.
    ended: frozenset[str]
    # Where the next read of a source begins, if that is known. On a broker it may be some offsets beyond the
    # last record.
    reached: Mapping[str, int] = {}
    # The wall clock at the read, for records whose times their senders chose: none was sent later than this.
    # -1: not asked for.
    read_ms: int = -1

    @classmethod
    def of(cls, source: str, records: list[Record]) -> "Fetched":
        """One source, read to its end."""
        return cls([(source, records)] if records else [], frozenset([source]))

    @property
    def count(self) -> int:
        """How many records it holds."""
        return sum([len(records) for _, records in self.chunks])


class HiddenOffsets(NamedTuple):
    """What an open transaction hides from readers of a source."""

    first: int  # the offset at which it begins
    offsets: int  # from there to the end of the source


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write.

    In a compacted topic it needs a key, whose latest value stays; the value None deletes the key.
    """

    topic: str  # the name of one of streams.topology.OUTPUTS, or of INBOX
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None  # None: the writer's own; only messages to an inbox name another


class Batch(msgspec.Struct, frozen=True, gc=False):
    """All effects of one step of a partition agent, committed as one."""

    outputs: Sequence[Output]
    state: Sequence[StateRecord]
    checkpoint: bytes


class Source(msgspec.Struct, frozen=True, gc=False):
    """Which records of an input file an append holds: numbers `start` to `end - 1`, counted from 0."""

    name: str  # a permanent name of the file
    start: int
    end: int
