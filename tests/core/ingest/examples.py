"""Records to start from: a valid event, and helpers that change it."""

import json
from typing import Any

from streams.core.ingest.event import Event, Items, Rejection
from tests.reading import read_record

NEVER_MS = 1 << 60  # a limit that no accepted time reaches
ABSENT = object()

EVENT: dict[str, Any] = {
    "type": "track",
    "messageId": "m-1",
    "timestamp": "2024-05-20T10:13:20.123Z",
    "anonymousId": "device-1",
    "userId": "user-1",
    "event": "Product Viewed",
    "properties": {"product_id": "p-9", "price": 18.99},
    "context": {"page": {"path": "/p/9"}},
    "channel": "web",
}


def record(**changes: Any) -> bytes:
    """EVENT as JSON with some fields changed, or removed by ABSENT."""
    fields = {name: value for name, value in (EVENT | changes).items() if value is not ABSENT}
    return json.dumps(fields).encode()


def read(value: bytes | None, limit_ms: int = NEVER_MS) -> Event | Rejection:
    """Reads a record without headers that is no batch."""
    found = read_record(value, (), limit_ms)
    assert not isinstance(found, Items), "a batch"
    return found


def event(**changes: Any) -> Event:
    """Reads a record that must be accepted."""
    found = read(record(**changes))
    assert isinstance(found, Event), found
    return found


def rejection(value: bytes | None, limit_ms: int = NEVER_MS) -> Rejection:
    """Reads a record that must be refused."""
    found = read(value, limit_ms)
    assert isinstance(found, Rejection), found
    return found
