"""The formats of records that a topic may hold: one file per source, and this list of them.

A format is chosen by name in the settings, and is recorded with what was read: whoever recomputes must read a record as it was read then.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.formats import segment

__all__ = ["FORMATS", "Format", "Items"]


Read = Callable[[bytes | None, Sequence[tuple[str, bytes | None]], int], Event | Rejection | Items]
"""(value, headers, newest event time accepted in milliseconds since 1970 UTC) -> what the record holds. Never raises."""


class Format(msgspec.Struct, frozen=True):
    """One way to read records."""

    name: str
    version: int  # of the reader: another version may read a record in another way
    read: Read
    key_of: Callable[
        [bytes], bytes
    ]  # whose record it is, by a cheap look; b"" if it is nobody's or of many people
    headers: tuple[str, ...] = ()  # names of the headers that `read` needs for an event


FORMATS: Mapping[str, Format] = {
    "segment": Format("segment", segment.VERSION, segment.read, segment.key_of),
}
