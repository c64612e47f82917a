"""What goes in and out of a step: plain values, known to the pure core and to the log adapters alike."""

from collections.abc import Sequence

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record read from a topic partition. In a compacted topic of an embedded log `offset` is -1: only the key counts there."""

    offset: int
    time_ms: int  # when it was appended, milliseconds since 1970 UTC; -1: not known
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to write. In a compacted topic (which needs a key) the latest value of a key stays and None takes the key away."""

    topic: str  # one of streams.topology.OUTPUTS, by name
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


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
