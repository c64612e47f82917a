"""What goes in and out of a step: plain values, known to the pure core and to the log adapters alike."""

from collections.abc import Mapping, Sequence

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record read from a topic partition, or one item of a record that holds several."""

    offset: int  # in a compacted topic of an embedded log -1: only the key counts there
    time_ms: int  # when it was appended, milliseconds since 1970 UTC; -1: not known
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    index: int = 0  # of the item in its record


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
    # The sources that this reads to their end, as far as is known.
    ended: frozenset[str]
    # Where the next read of a source begins, if that is known: on a broker it may be some offsets
    # beyond the last record.
    reached: Mapping[str, int] = {}
    # The wall clock, where records bear times that their senders chose: none came later than now. -1:
    # not asked.
    read_ms: int = -1

    @classmethod
    def of(cls, source: str, records: list[Record]) -> "Fetched":
        """One source, read to its end."""
        return cls([(source, records)] if records else [], frozenset([source]))

    @property
    def count(self) -> int:
        """How many records."""
        return sum([len(records) for _, records in self.chunks])


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write. In a compacted topic (which needs a key) the latest value of a key stays; None takes
    it away.
    """

    topic: str  # one of streams.topology.OUTPUTS or INBOX, by name
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None  # None: the writer's own. Only messages to an inbox go to another


class Batch(msgspec.Struct, frozen=True, gc=False):
    """All effects of one step of a partition agent, committed as one."""

    outputs: Sequence[Output]
    state: Sequence[StateRecord]
    checkpoint: bytes


class Source(msgspec.Struct, frozen=True, gc=False):
    """Which records of a file an append holds: those numbered start .. end - 1, counted from 0."""

    name: str  # stands for the file
    start: int
    end: int
