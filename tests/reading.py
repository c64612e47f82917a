"""Reads records as an input does for which nothing is set."""

from collections.abc import Sequence

from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.reading import RecordReader

NEVER_MS = 1 << 60  # a limit that no accepted time reaches
DOOR = door_of(0, orders=("properties.order_id",))
READER = RecordReader(DOOR, "clicks")


def read_record(
    value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = (), limit_ms: int = NEVER_MS
) -> Event | Rejection | Items:
    """What a record holds, whatever its own time."""
    return READER.read(value, headers, -1, limit_ms)


def key_of(value: bytes) -> bytes:
    """The key of a record's person by a cheap look; b"" where it takes a closer one."""
    return READER.quick_key_of(value, ())
