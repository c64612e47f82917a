"""What goes in and out of a step: plain values, known to the pure core and to the log adapters alike."""

from collections.abc import Mapping, Sequence

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record read from a topic partition. In a compacted topic of an embedded log `offset` is -1: only the key counts there."""

    offset: int
    time_ms: int  # when it was appended, milliseconds since 1970 UTC; -1: not known
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """What a look at the sources of a partition found."""

    chunks: Sequence[
        tuple[str, list[Record]]
    ]  # (source, its records in offset order); each source at most once
    ended: frozenset[str]  # sources that this reads to their end, as far as is known
    reached: Mapping[
        str, int
    ] = {}  # where the next look at a source begins, if that is known: on a broker it may be some beyond its last record
    read_ms: int = -1  # the wall clock, where records bear times that their senders say: none came later than now; -1: not asked

    @classmethod
    def of(cls, source: str, records: list[Record]) -> "Fetched":
        """Of one source, to its end."""
        return cls([(source, records)] if records else [], frozenset([source]))

    @property
    def count(self) -> int:
        """How many records."""
        return sum([len(records) for _, records in self.chunks])


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write. In a compacted topic (which needs a key) the latest value of a key stays and None takes the key away."""

    topic: str  # one of streams.topology.OUTPUTS, by name
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None  # where to; None: the writer's own. Only what is handed over goes to another


class Batch(msgspec.Struct, frozen=True, gc=False):
    """All effects of one step of an agent, committed as one."""

    outputs: Sequence[Output]
    state: Sequence[tuple[bytes, bytes | None]]  # key -> value; None: a tombstone
    checkpoint: bytes


class Source(msgspec.Struct, frozen=True, gc=False):
    """Which records of a file an append holds: those numbered start .. end - 1, counted from 0."""

    name: str  # stands for the file
    start: int
    end: int
