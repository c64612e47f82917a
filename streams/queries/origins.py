"""Where the items of the late and rejected topics were read first."""

from array import array
from bisect import bisect_left
from itertools import pairwise

import msgspec

from streams.core.ingest.event import MAX_ITEMS
from streams.core.processing.dead_letters import LATE_LINK, is_canonical
from streams.log.port import Reader
from streams.records import Record
from streams.topology import LATE, source_name

_LEFT_OUT_BYTES = 500  # about what an item of which needs were left out takes
_INDEX_BITS = MAX_ITEMS.bit_length()  # an origin is one number: the offset, then the index in these bits


class Origin(msgspec.Struct, frozen=True):
    """Where an item was read first."""

    source: str
    offset: int
    index: int
    part: int = 0  # of the items that its dead letter was read as when it was redriven

    @property
    def letter(self) -> "Origin":
        """The dead letter of which it is a part."""
        return self if not self.part else Origin(self.source, self.offset, self.index)


class Origins:
    """A set of origins on 8 bytes each: there may be millions."""

    def __init__(self) -> None:
        self.count = 0
        self.first_offset = 0  # of the first record of the topic; above 0: retention took its beginning
        self.doubled: Origin | None = None  # one that stands in the topic twice
        # The needs that were left out of items which count in their other needs. (Few: only of profiles with
        # more needs than there are places.)
        self.left_out: dict[Origin, tuple[str, ...]] = {}
        self.links: set[Origin] = set()  # events that were late as links only
        self._places: dict[str, array[int]] = {}  # by source, sorted

    @classmethod
    async def load(cls, reader: Reader, topic: str, partition: int | None) -> "Origins":
        """The origins of all items in a partition of a topic of dead letters; None: in all partitions."""
        found = cls()
        async for number, record in reader.scan(topic, partition):
            if is_canonical(record):  # its item, if it is about one, ended otherwise
                if ("reason", LATE_LINK.encode()) in record.headers:
                    found.links.add(first_read_at(record))
                continue
            origin = origin_of(record, number)
            if not found.count:
                found.first_offset = record.offset
            found.count += 1
            if needs := left_out_of(record):
                found.left_out[origin] = needs
            found._places.setdefault(origin.source, array("q")).append(_place(origin))
        for source, places in found._places.items():
            ordered = found._places[source] = array("q", sorted(places))
            for before, place in pairwise(ordered):
                if before == place:
                    found.doubled = Origin(source, place >> _INDEX_BITS, place & (1 << _INDEX_BITS) - 1)
        return found

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 8 * self.count + _LEFT_OUT_BYTES * len(self.left_out)

    def __contains__(self, origin: Origin) -> bool:
        places = self._places.get(origin.source)
        if places is None:
            return False
        place = _place(origin)
        at = bisect_left(places, place)
        return at < len(places) and places[at] == place


def left_out_of(letter: Record) -> tuple[str, ...]:
    """The needs that were left out of an item which counts in its other needs; none: another dead letter."""
    for name, value in letter.headers:
        if name == "left_out":
            return msgspec.json.decode(value, type=tuple[str, ...])
    return ()


def origin_of(letter: Record, partition: int) -> Origin:
    """Where the item of a dead letter was read first. One in canonical form is read from there itself.

    `partition`: of the topic of dead letters.
    """
    if is_canonical(letter):
        return Origin(source_name(LATE.name, partition), letter.offset, 0)
    return first_read_at(letter)


def first_read_at(letter: Record) -> Origin:
    """Where the item was read first that a dead letter is about, if it says so."""
    headers = dict(letter.headers)
    source = source_name(headers["topic"].decode(), int(headers["partition"]))
    return Origin(source, int(headers["offset"]), int(headers["index"]))


def _place(origin: Origin) -> int:
    return origin.offset << _INDEX_BITS | origin.index
