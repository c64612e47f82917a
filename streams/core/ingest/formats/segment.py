"""Reads records of the Segment spec. RudderStack and many other collectors write them too.

`read` is total: it gives an Event, a Rejection or the Items of a batch for whatever bytes there are. The
typed decoder judges nearly all records in one pass. Only a record that it refuses is looked at again, slowly:
it may be a batch, and if not, a person should see what is wrong.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from streams.core.ingest.event import (
    MAX_EVENT_NAME_CHARS,
    MAX_ITEMS,
    MAX_RECORD_BYTES,
    Event,
    Item,
    Items,
    Reason,
    Rejection,
    reject,
)
from streams.core.ingest.formats.segment_batch import split_batch
from streams.core.ingest.formats.segment_diagnosis import diagnose
from streams.core.ingest.formats.segment_repair import is_utf8, repair
from streams.core.ingest.ids import MAX_ID_CHARS, id_fault
from streams.core.ingest.nesting import MAX_DEPTH, is_deeper
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS, parse_time
from streams.core.ingest.unreadable import rejection_in
from streams.core.ingest.zones import zone_offset_quarters

READER_VERSION = 1

MAX_CONTEXTS = 4096  # contexts that are remembered: those of the people who are there now; about 8 MB
MAX_KEPT_CONTEXT_BYTES = 2048  # longer contexts hold more than a page and a device, and do not come again

_NO_CONTEXT = msgspec.Raw(b"null")
# All that a decoder raises on bad input:
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


class _Whole(msgspec.Struct, gc=False, rename="camel"):
    """The fields of the contract. The decoder skips all others without building them."""

    type: Literal["track", "page", "screen", "identify"]
    message_id: str | int | None = None
    timestamp: str | None = None
    anonymous_id: str | int | None = None
    user_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    channel: str | None = None


class _Segment(_Whole, gc=False, rename="camel"):
    """A record whose context is not decoded yet: the events of a visit repeat it, so it is mostly known."""

    context: msgspec.Raw = _NO_CONTEXT  # type: ignore[assignment]  # a second step decodes it


class _Clocks(msgspec.Struct, gc=False, rename="camel"):
    """The fields that stand in for a missing timestamp."""

    original_timestamp: str | None = None
    sent_at: str | None = None
    received_at: str | None = None


class _Person(msgspec.Struct, gc=False, rename="camel"):
    """All that routing looks at."""

    user_id: str | int | None = None
    anonymous_id: str | int | None = None


_decode = msgspec.json.Decoder(_Segment).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_context = msgspec.json.Decoder(dict[str, Any] | None).decode
_decode_clocks = msgspec.json.Decoder(_Clocks).decode
_decode_person = msgspec.json.Decoder(_Person).decode
_contexts: dict[bytes, dict[str, Any]] = {}


def key_of(value: bytes) -> bytes:
    """The key of a record's person: `userId`, or `anonymousId` where there is none; b"" if it has no key.

    It agrees with `person_key` of the event that `read` makes of the record. A batch has no key, since its
    calls may be by several people. Never raises.
    """
    if len(value) > MAX_RECORD_BYTES:
        return b""
    if not value.isascii() and not is_utf8(value):
        value = repair(value) or b""
    try:
        found = _decode_person(value)
    except _UNREADABLE:
        return b""
    identifier = found.anonymous_id if found.user_id is None or found.user_id == "" else found.user_id
    text = "" if identifier is None else str(identifier)
    return text.encode() if text and id_fault(text) is None else b""


def read(
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    limit_ms: int,
    *,
    alone: bool = True,
    repaired: bool = False,
) -> Event | Rejection | Items:
    """Reads one record. Never raises.

    `limit_ms` is the newest event time accepted (record time + skew), in milliseconds since 1970 UTC. A value
    that is not `alone` in its record is a call of a batch, and cannot be a batch itself. One that was
    `repaired` may have grown.
    """
    if headers and (rejection := rejection_in(headers)) is not None:
        return rejection
    if value is None:
        return reject(Reason.UNDECODABLE, "the record has no value")
    if len(value) > MAX_RECORD_BYTES and not repaired:
        return reject(Reason.TOO_LARGE, f"{len(value)} bytes, more than {MAX_RECORD_BYTES}")
    if not value.isascii() and not is_utf8(value):
        return _read_repaired(value, limit_ms, alone)
    # This is bracket_count(value), written out: a call would be 2 % of the time of this function.
    if 2 * len(value) - len(value.replace(b"{", b"")) - len(value.replace(b"[", b"")) > MAX_DEPTH:
        if alone and (items := _items(value, limit_ms)) is not None:
            return items
        if is_deeper(value, MAX_DEPTH):
            return reject(Reason.UNDECODABLE, f"nested more than {MAX_DEPTH} deep")
    try:
        raw = _decode(value)
        context_json = bytes(raw.context)
        context = _contexts.get(context_json)
        if context is None:
            context = _read_context(context_json)
    except _UNREADABLE:
        if alone and (items := _items(value, limit_ms)) is not None:
            return items
        return _refuse(value)

    event_id = raw.message_id if type(raw.message_id) is str else _text(raw.message_id)
    user_id = raw.user_id if type(raw.user_id) is str else _text(raw.user_id)
    anonymous_id = raw.anonymous_id if type(raw.anonymous_id) is str else _text(raw.anonymous_id)
    if not event_id:
        return reject(Reason.MISSING_ID, "messageId is missing or empty")
    if not user_id and not anonymous_id:
        return reject(Reason.MISSING_PERSON, "userId and anonymousId are both missing or empty")
    ids = f"{event_id}{user_id or ''}{anonymous_id or ''}"
    # All ids are checked at once; nearly all pass.
    if len(ids) > MAX_ID_CHARS or " " in ids or not ids.isprintable():
        named = (("messageId", event_id), ("userId", user_id), ("anonymousId", anonymous_id))
        for field, identifier in named:
            if identifier and (wrong := id_fault(identifier)):
                return reject(Reason.BAD_ID, f"{field} {wrong}")

    text = raw.timestamp
    if text:
        time = parse_time(text)
        if time is None:
            return reject(Reason.BAD_TIME, f"timestamp is not an RFC 3339 time: {text}")
    else:
        corrected = _corrected(value)
        if isinstance(corrected, Rejection):
            return corrected
        time = corrected
    at_ms, utc_offset_quarters = time
    if not EARLIEST_MS <= at_ms < LATEST_MS:
        return reject(Reason.BAD_TIME, f"{text or 'originalTimestamp'} is outside of the years 2000 to 2199")
    if at_ms > limit_ms:
        early_s = (at_ms - limit_ms) / 1000
        return reject(
            Reason.FROM_THE_FUTURE,
            f"{text or 'originalTimestamp'} is {early_s} s later than the record's own time allows",
        )

    if not utc_offset_quarters and type(zone := context.get("timezone")) is str:
        utc_offset_quarters = zone_offset_quarters(zone, at_ms)
    name = (raw.event if raw.type == "track" else raw.name) or ""
    return Event(
        id=event_id,
        at_ms=at_ms,
        utc_offset_quarters=utc_offset_quarters,
        anonymous_id=anonymous_id or None,
        user_id=user_id or None,
        type=raw.type,
        name=name[:MAX_EVENT_NAME_CHARS],
        properties=raw.properties or {},
        context=context,
        channel=raw.channel,
        repaired=repaired,
    )


def _read_repaired(value: bytes, limit_ms: int, alone: bool) -> Event | Rejection | Items:
    """Reads a record with bytes that are not UTF-8. Each call of a batch is repaired by itself."""
    if alone and (items := _items(value, limit_ms)) is not None:
        return items
    if (text := repair(value)) is None:
        return reject(
            Reason.UNDECODABLE, "bytes that are not UTF-8, and not in a field that could do without"
        )
    return read(text, (), limit_ms, alone=False, repaired=True)


def _items(value: bytes, limit_ms: int) -> Items | Rejection | None:
    """Reads each call of a batch as if it stood alone. Returns None if the record is no batch."""
    calls = split_batch(value)
    if calls is None:
        return None
    if len(calls) > MAX_ITEMS:
        return reject(Reason.TOO_LARGE, f"a batch of {len(calls)} calls, more than {MAX_ITEMS}")
    items = []
    for call in calls:
        outcome = read(call, (), limit_ms, alone=False)
        assert not isinstance(outcome, Items), "a call is no batch"
        items.append(Item(call, outcome))
    return Items(tuple(items))


def _read_context(context_json: bytes) -> dict[str, Any]:
    """Decodes a context, and remembers it."""
    context = _decode_context(context_json) or {}
    if len(context_json) <= MAX_KEPT_CONTEXT_BYTES:
        if len(_contexts) >= MAX_CONTEXTS:
            _contexts.clear()
        _contexts[context_json] = context
    return context


def _refuse(value: bytes) -> Rejection:
    """Finds why a record cannot be decoded.

    It is decoded whole here, so that the reason does not depend on what `read` leaves for later.
    """
    try:
        _decode_whole(value)
    except _UNREADABLE as error:
        return diagnose(value, error)
    raise AssertionError("a record that can be decoded whole can be decoded in parts")


def _text(identifier: str | int | None) -> str | None:
    return None if identifier is None else str(identifier)


def _corrected(value: bytes) -> tuple[int, int] | Rejection:
    """The time by the device's clock, corrected by how far that clock was off when it sent the record."""
    try:
        clocks = _decode_clocks(value)
    except _UNREADABLE as error:
        return diagnose(value, error)
    if not clocks.original_timestamp:
        return reject(Reason.MISSING_TIME, "timestamp and originalTimestamp are both missing")
    original = parse_time(clocks.original_timestamp)
    if original is None:
        return reject(
            Reason.BAD_TIME, f"originalTimestamp is not an RFC 3339 time: {clocks.original_timestamp}"
        )
    if not clocks.sent_at or not clocks.received_at:
        return original
    sent, received = parse_time(clocks.sent_at), parse_time(clocks.received_at)
    if sent is None or received is None:
        return reject(
            Reason.BAD_TIME,
            f"sentAt or receivedAt is not an RFC 3339 time: {clocks.sent_at}, {clocks.received_at}",
        )
    return original[0] + received[0] - sent[0], original[1]
