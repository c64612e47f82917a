"""The headers of a transition that say where the item was read first whose event has caused it.

They are a help for people and tools, and no content: a step that comes out of a fold again has none.
"""

from functools import lru_cache

from streams.records import Headers, Record
from streams.topology import split_source

MAX_SOURCES = 4_096  # sources whose headers are remembered: inputs times partitions are far fewer
NO_HEADERS: Headers = ()

Pair = tuple[str, bytes]
SourcePlace = tuple[Pair, Pair]  # the headers that all items of a source have: its topic and its partition

_OFFSET, _INDEX = "source-offset", "source-index"
_FIRST: Pair = (_INDEX, b"0")  # of nearly every item


@lru_cache(MAX_SOURCES)
def source_place(source: str) -> SourcePlace:
    """The headers that all items of a source have."""
    topic, partition = split_source(source)
    return ("source-topic", topic.encode()), ("source-partition", b"%d" % partition)


def source_headers(place: SourcePlace, item: Record) -> Headers:
    """The headers that name an item. `place`: those of its source."""
    index = (_INDEX, b"%d" % item.index) if item.index else _FIRST
    return *place_headers(place, item.offset), index


def place_headers(place: SourcePlace, offset: int) -> Headers:
    """The headers that name a record of a source, where it is not known which item of it is meant."""
    topic, partition = place
    return topic, partition, (_OFFSET, b"%d" % offset)
