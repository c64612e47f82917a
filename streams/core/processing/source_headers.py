"""The headers of a transition that say where the item was read first whose event has caused it.

They are a help for people and tools, and no content: a step that comes out of a fold again has none.
"""

from functools import lru_cache

from streams.records import Headers, Record
from streams.topology import split_source

MAX_SOURCES = 4_096  # sources whose pieces are remembered: inputs times partitions are far fewer

NO_HEADERS: Headers = ()

_INDEX = "source-index"
_FIRST = (_INDEX, b"0")  # of nearly every item


@lru_cache(MAX_SOURCES)
def _place(source: str) -> Headers:
    topic, partition = split_source(source)
    return ("source-topic", topic.encode()), ("source-partition", b"%d" % partition)


def source_headers(source: str, item: Record) -> Headers:
    """The headers that name an item of this source."""
    topic, partition = _place(source)
    index = (_INDEX, b"%d" % item.index) if item.index else _FIRST
    return topic, partition, ("source-offset", b"%d" % item.offset), index
