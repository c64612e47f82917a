"""The list of formats that a topic may hold: one file per source reads them.

The name and version of a format are recorded with what was read, so that a recomputation reads it in the same
way.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.formats import segment

__all__ = ["FORMATS", "Format", "Items"]

# (value, headers, the newest event time accepted in milliseconds) -> what the record holds. Never raises.
ReadRecord = Callable[[bytes | None, Sequence[tuple[str, bytes | None]], int], Event | Rejection | Items]


class Format(msgspec.Struct, frozen=True):
    """A way to read records."""

    name: str
    version: int  # goes up when the reader changes so that it may read some record in another way
    read: ReadRecord
    key_of: Callable[[bytes], bytes]  # the person's key, cheaply; b"" for nobody and for several people
    headers: tuple[str, ...] = ()  # names of the headers without which `read` would not give an event again


FORMATS: Mapping[str, Format] = {
    "segment": Format("segment", segment.READER_VERSION, segment.read, segment.key_of),
}
