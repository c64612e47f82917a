"""Where events were read, in the six bytes of a signal: the code of a source, and an offset in it.

A code counts through a list of sources that the checkpoint of the partition holds. An event that came from
another partition has a place, too: that partition sends the name of the source.
"""

from streams.core.journeys.signal import NO_PLACE

OFFSET_BITS = 37  # 137 billion records of a source
# 11 bits, and code 0 is of no source. The place of an event of a further source is not known.
MAX_SOURCE_CODES = 2_047
NO_CODE = 0
MAX_OFFSET = (1 << OFFSET_BITS) - 1  # of a record with a higher one the place is not known


def source_code(sources: list[str], source: str) -> int:
    """The code of a source; one that is not known is added to `sources`. NO_CODE: there are too many."""
    if source in sources:
        return sources.index(source) + 1
    if len(sources) == MAX_SOURCE_CODES:
        return NO_CODE
    sources.append(source)
    return len(sources)


def place_at(code: int, offset: int) -> bytes:
    """The place of the events of a record. `code`: of its source."""
    if code and 0 <= offset <= MAX_OFFSET:
        return (code << OFFSET_BITS | offset).to_bytes(len(NO_PLACE), "big")
    return NO_PLACE


def source_of_place(sources: list[str], place: bytes) -> tuple[str, int] | None:
    """The source of a place, and the offset in it; None: it is not known."""
    number = int.from_bytes(place, "big")
    code = number >> OFFSET_BITS
    return (sources[code - 1], number & MAX_OFFSET) if code else None
