"""Reads a record of the Segment spec (track, page, screen, identify), which RudderStack and many collectors share.

`read` is total: whatever the bytes are, it gives an Event or the reason why not. The typed decoder does nearly all of the judging
in one pass; only when it refuses does `diagnosis` look again, slowly, for words that help a person.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from streams.core.ingest.diagnosis import diagnose
from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event, Reason, Rejection, reject
from streams.core.ingest.ids import MAX_ID_CHARS, id_fault
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS, parse_time
from streams.core.ingest.unreadable import rejection_in
from streams.core.ingest.zones import zone_offset_quarters

MAX_RECORD_BYTES = 1024 * 1024  # what brokers take by default; a click is never as large
MAX_DEPTH = (
    64  # of nested JSON: deeper is no clickstream, and the decoder's own limit would depend on who calls it
)

MAX_CONTEXTS = 4096  # contexts remembered: those of the people who are there now; about 8 MB
MAX_KEPT_CONTEXT_BYTES = 2048  # longer ones hold more than a page and a device: they do not come again

_NO_CONTEXT = msgspec.Raw(b"null")
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNREADABLE = (
    msgspec.MsgspecError,
    ValueError,
    RecursionError,
    OverflowError,
)  # all that a decoder raises on bad input


class _Whole(msgspec.Struct, gc=False, rename="camel"):
    """The fields of the contract. All others are skipped without being built."""

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
    """The same, with the context left as it stands: the events of somebody on a page say the same of it, and what was said before is known."""

    context: msgspec.Raw = _NO_CONTEXT  # type: ignore[assignment]  # narrower than there: decoded in a second step, by itself


class _Clocks(msgspec.Struct, gc=False, rename="camel"):
    """The fields that stand in for a missing timestamp."""

    original_timestamp: str | None = None
    sent_at: str | None = None
    received_at: str | None = None


_decode = msgspec.json.Decoder(_Segment).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_context = msgspec.json.Decoder(dict[str, Any] | None).decode
_contexts: dict[bytes, dict[str, Any]] = {}
_decode_clocks = msgspec.json.Decoder(_Clocks).decode


def read(
    value: bytes | None, headers: Sequence[tuple[str, bytes | None]], limit_ms: int
) -> Event | Rejection:
    """One record. `limit_ms` is the newest event time accepted (record time + skew), milliseconds since 1970 UTC. Never raises."""
    if headers and (rejection := rejection_in(headers)) is not None:
        return rejection
    if value is None:
        return reject(Reason.UNDECODABLE, "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        return reject(Reason.TOO_LARGE, f"{len(value)} bytes, more than {MAX_RECORD_BYTES}")
    # The number of brackets bounds the depth. Taking them out counts them four times as fast as `count` does.
    if 2 * len(value) - len(value.replace(b"{", b"")) - len(value.replace(b"[", b"")) > MAX_DEPTH and _deeper(
        value, MAX_DEPTH
    ):
        return reject(Reason.UNDECODABLE, f"nested more than {MAX_DEPTH} deep")
    try:
        raw = _decode(value)
        said = bytes(raw.context)
        context = _contexts.get(said)
        if context is None:
            context = _context(said)
    except _UNREADABLE:
        return _unreadable(value)

    event_id = raw.message_id if type(raw.message_id) is str else _text(raw.message_id)
    user_id = raw.user_id if type(raw.user_id) is str else _text(raw.user_id)
    anonymous_id = raw.anonymous_id if type(raw.anonymous_id) is str else _text(raw.anonymous_id)
    if not event_id:
        return reject(Reason.MISSING_ID, "messageId is missing or empty")
    if not user_id and not anonymous_id:
        return reject(Reason.MISSING_PERSON, "userId and anonymousId are both missing or empty")
    ids = f"{event_id}{user_id or ''}{anonymous_id or ''}"
    if (
        len(ids) > MAX_ID_CHARS or " " in ids or not ids.isprintable()
    ):  # one look at all of them; nearly all pass
        for field, identifier in (
            ("messageId", event_id),
            ("userId", user_id),
            ("anonymousId", anonymous_id),
        ):
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
    )


def _context(said: bytes) -> dict[str, Any]:
    """A context from its JSON. The latest are kept."""
    context = _decode_context(said) or {}
    if len(said) <= MAX_KEPT_CONTEXT_BYTES:
        if len(_contexts) >= MAX_CONTEXTS:
            _contexts.clear()
        _contexts[said] = context
    return context


def _unreadable(value: bytes) -> Rejection:
    """Why a record could not be decoded. Decoded whole, so that the words do not depend on what was left for later."""
    try:
        _decode_whole(value)
    except _UNREADABLE as error:
        return diagnose(value, error)
    raise AssertionError("what can be read whole can be read in parts")


def _text(identifier: str | int | None) -> str | None:
    return None if identifier is None else str(identifier)


def _corrected(value: bytes) -> tuple[int, int] | Rejection:
    """The time by a device's own clock, put right by how far that clock was off when it sent (collectors' own rule)."""
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


def _deeper(value: bytes, most: int) -> bool:
    """Whether brackets outside of strings nest deeper than `most`. In bytes, since what is not built cannot overflow a stack."""
    depth = 0
    for match in _BRACKETS.finditer(value):
        first = value[match.start()]
        if first in b"{[":
            depth += 1
            if depth > most:
                return True
        elif first in b"}]":
            depth -= 1
    return False
