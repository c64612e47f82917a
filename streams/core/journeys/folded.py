"""The folded signals of a profile: in the base already, and kept so that a copy of one is known as a copy.

A busy profile has thousands of them, and each event that comes must be looked for among them all. So they
lie in segments, which come and go at the ends without a copy of the rest, and an index finds an id at once. A
profile with few of them has no index: to look through a few hundred bytes is as quick, and takes no memory.
"""

import msgspec

from streams.core.journeys.signal import RECORD

INDEXED = 8  # folded segments from which on there is an index


class Folded(msgspec.Struct, gc=False):
    """Folded segments, in order. `first`: the number of the first one among all that the profile ever had."""

    first: int
    segments: list[bytes]
    # Ref of an event -> number of the last segment that it is in; None: not indexed.
    index: dict[bytes, int] | None = None


def knows_id(folded: Folded, ref: bytes) -> bool:
    """False if no folded signal has this event id. True is not certain where there is no index."""
    if folded.index is not None:
        return ref in folded.index
    return any(ref in segment for segment in folded.segments)


def fold_in(folded: Folded, segment: bytes) -> None:
    """Adds the next segment."""
    folded.segments.append(segment)
    if folded.index is not None:
        _index(folded.index, segment, folded.first + len(folded.segments) - 1)
    elif len(folded.segments) >= INDEXED:
        folded.index = {}
        for n, held in enumerate(folded.segments, folded.first):
            _index(folded.index, held, n)


def drop_first(folded: Folded) -> bytes:
    """Takes the first segment away, and returns it."""
    gone = folded.segments.pop(0)
    if folded.index is not None:
        for _, ref, *_ in RECORD.iter_unpack(gone):
            if folded.index.get(ref) == folded.first:
                del folded.index[ref]
    folded.first += 1
    return gone


def _index(index: dict[bytes, int], segment: bytes, number: int) -> None:
    for _, ref, *_ in RECORD.iter_unpack(segment):
        index[ref] = number
