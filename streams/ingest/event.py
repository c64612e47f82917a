"""One clickstream record in our own form, whatever tool sent it, or the reason why it could not be read.

Everything after ingest sees only these two types, so a new source format is one new file in this folder.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Reason(StrEnum):
    """Why a record was rejected: a closed list, so that a consumer of the rejected topic can count by it."""

    TOO_LARGE = "too_large"  # more bytes than MAX_RECORD_BYTES
    UNDECODABLE = "undecodable"  # not JSON, not UTF-8, cut off, nested too deep
    WRONG_TYPE = "wrong_type"  # JSON, but not an object, or a field of the contract has another type
    UNKNOWN_TYPE = "unknown_type"  # `type` is missing or is none of track, page, screen, identify (nor a known other call)
    MISSING_ID = "missing_id"  # no messageId
    MISSING_PERSON = "missing_person"  # neither userId nor anonymousId
    BAD_ID = "bad_id"  # an id that is empty, longer than MAX_ID_CHARS or has control characters
    MISSING_TIME = "missing_time"  # no timestamp
    BAD_TIME = "bad_time"  # a timestamp that is no RFC 3339 time, or outside EARLIEST_MS .. LATEST_MS
    FROM_THE_FUTURE = "from_the_future"  # dated after the record's own time + skew
    BAD_ROW = "bad_row"  # a CSV row without as many fields as the header
    TRUNCATED = "truncated"  # a compressed file that ends before its time, or a line cut off at the end of a file


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A record that could not be read. The shell adds its bytes and where it was."""

    reason: Reason
    detail: str  # for a person: which field, what was found; at most 200 characters


class Event(msgspec.Struct, gc=False):
    """One validated record."""

    id: str  # unique within its profile
    at_ms: int  # event time, milliseconds since 1970 UTC (floored)
    offset: int  # the person's distance from UTC in quarter hours, 0 when unknown
    anonymous_id: str | None
    user_id: str | None
    type: str  # track, page, screen, identify
    name: str  # the event's name (track) or the page's or screen's; "" when it has none
    properties: dict[str, Any]
    context: dict[str, Any]
    channel: str | None = None  # as sent (Segment's top-level `channel`)

    @property
    def profile(self) -> str:
        """Whose journey it is, before identities are merged."""
        return f"u:{self.user_id}" if self.user_id is not None else f"d:{self.anonymous_id}"


def lookup(event: Event, path: str) -> Any:
    """The value at a dotted path such as `properties.order_id`, `context.page.path`, `channel`; None when there is none.

    A list on the way yields the list of what its members hold (`properties.products.category`).
    """
    head, _, rest = path.partition(".")
    value = getattr(event, head, None)
    return _down(value, rest.split(".")) if rest else value


def _down(value: Any, keys: list[str]) -> Any:
    for n, key in enumerate(keys):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            return [_down(member, keys[n:]) for member in value]
        else:
            return None
    return value
