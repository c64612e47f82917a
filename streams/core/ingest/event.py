"""The types of what is read from a record: an Event, a Rejection with its reason, or the Items of a batch.

Everything after ingest sees only these types, whatever tool sent the record, so a new source format is one
new file in `formats/`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from streams.core.ingest.described_code import DescribedCode
from streams.core.ingest.repairs import Repair

MAX_RECORD_BYTES = 1024 * 1024  # what brokers take by default; a click is never as large
MAX_ITEMS = 10_000  # of one record, since one batch must hold them all; a Segment request has 2,500 at most
MAX_DETAIL_CHARS = 200  # of a rejection: its detail travels in a header, and a person reads it
EVENT_TYPES = ("track", "page", "screen", "identify")  # those that rules read
OTHER_CALLS = ("alias", "group")  # they show no intent
MAX_EVENT_NAME_CHARS = 256  # a longer name is cut: names are for rules to match and people to read
MAX_SPLIT_PATHS = 1024  # split paths that are remembered: rules and settings name far fewer


class Reason(DescribedCode):
    """Why an item was rejected. The list is closed, so that consumers of the topic can count by it."""

    TOO_LARGE = "too_large", "more than 1 MiB, or a batch of more than 10,000 calls"
    UNDECODABLE = (
        "undecodable",
        "not JSON, not UTF-8 where it matters, cut off, nested more than 64 deep, or a lone surrogate",
    )
    WRONG_TYPE = (
        "wrong_type",
        "JSON, but not an object, or a field of the contract has a value of another type",
    )
    UNKNOWN_TYPE = (
        "unknown_type",
        "`type` is no call of the Segment spec, and no `event` says what was done; or a batch within a batch",
    )
    UNKNOWN_FORMAT = (
        "unknown_format",
        "a record of no known format, or not of the format that its input is said to have",
    )
    BINARY = (
        "binary",
        "Avro, Protobuf, encrypted or other binary data, without what it takes to read it",
    )
    MISSING_PERSON = "missing_person", "neither a user nor a device, or only words that stand for none"
    REFUND_WITHOUT_PERSON = (
        "refund_without_person",
        "a refund that names neither a user nor a device, so nobody's purchase can be found",
    )
    BAD_ID = (
        "bad_id",
        "no id but one that is blank, longer than 256 characters, or has control or half characters",
    )
    MISSING_TIME = "missing_time", "no time at all"
    BAD_TIME = "bad_time", "a time that is not RFC 3339, or before the year 2000 or from the year 2200 on"
    FROM_THE_FUTURE = "from_the_future", "dated later than the record itself by more than the allowed skew"
    BAD_ROW = (
        "bad_row",
        "a CSV row with more or fewer fields than the header, stray quotes, NUL bytes "
        "or bytes that are not UTF-8",
    )
    TRUNCATED = (
        "truncated",
        "where a compressed file ends too early or is damaged: what was left of the last line",
    )


class Apart(DescribedCode):
    """Why an event that can be read is counted apart: it says nothing, and nothing of it is published."""

    REFUSED = "refused", "its person has refused that what they do is measured"
    ROBOT = "robot", "a robot sent it"


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """An item that could not be read. Whoever publishes it adds its bytes and its place."""

    reason: Reason
    detail: str  # for a person: the field and what was found there; printable, at most MAX_DETAIL_CHARS
    is_refused: bool = False  # its person has refused to be measured: its bytes are published nowhere
    # Where only the person is missing: what could be read, without an id and a time.
    nobodys: "Event | None" = None


def reject(reason: Reason, detail: str, *, is_refused: bool = False) -> Rejection:
    """A rejection whose detail is safe to print and to encode, whatever the item held."""
    shown = detail[:MAX_DETAIL_CHARS]
    return Rejection(
        reason,
        shown if shown.isprintable() else shown.encode("unicode_escape").decode("ascii")[:MAX_DETAIL_CHARS],
        is_refused,
    )


class Event(msgspec.Struct, gc=False):
    """One validated event."""

    id: str  # unique within its profile
    at_ms: int  # event time, milliseconds since 1970 UTC (floored)
    utc_offset_quarters: int  # local time minus UTC in quarter hours (floored); 0 when unknown
    anonymous_id: str | None
    user_id: str | None
    type: str  # track, page, screen, identify
    name: str  # the name of the event (track), page or screen; "" when there is none
    properties: dict[str, Any]
    context: dict[str, Any]
    channel: str | None = None  # as it was sent (Segment's top-level `channel`)
    clock_error_ms: int | None = None  # how far the device's clock was ahead; None: nothing says so
    repairs: tuple[Repair, ...] = ()  # what was wrong and was read all the same, sorted
    apart: Apart | None = None  # why it is counted apart; None: it is not

    @property
    def profile(self) -> str:
        """The person: `u:` and the user's id or, without one, `d:` and the device's id."""
        return f"u:{self.user_id}" if self.user_id is not None else f"d:{self.anonymous_id}"


class Item(NamedTuple):
    """One of several in a record: bytes that are read as the same event again, and what they were read as."""

    value: bytes
    outcome: "Event | Rejection | Items"  # Items: it holds no event


class Items(msgspec.Struct, frozen=True):
    """All that one record holds, in its order: at most MAX_ITEMS, and nothing for an empty batch."""

    items: tuple[Item, ...]


def events_in(outcome: Event | Rejection | Items) -> Sequence[Event]:
    """The events among all that a record holds, in its order."""
    if isinstance(outcome, Items):
        return [item.outcome for item in outcome.items if isinstance(item.outcome, Event)]
    return (outcome,) if isinstance(outcome, Event) else ()


EVENT_FIELDS = frozenset(Event.__struct_fields__) - {"clock_error_ms", "repairs", "apart"}


def lookup(event: Event, path: str) -> Any:
    """The value at a dotted path such as `properties.order_id` or `channel`; None when there is none.

    A list on the way stands for what its members hold: `properties.products.category` gives all categories.
    """
    head, keys = _split(path)
    value = getattr(event, head) if head in EVENT_FIELDS else None
    return _down(value, keys) if keys else value


@lru_cache(MAX_SPLIT_PATHS)
def _split(path: str) -> tuple[str, tuple[str, ...]]:
    head, *keys = path.split(".")
    return head, tuple(keys)


def _down(value: Any, keys: tuple[str, ...]) -> Any:
    for n, key in enumerate(keys):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            return [_down(member, keys[n:]) for member in value]  # no deeper than nesting.MAX_DEPTH
        else:
            return None
    return value
