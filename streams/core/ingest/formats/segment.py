"""Reads records of the Segment spec. RudderStack and many other collectors write them too.

Nearly all records have nothing to repair and nothing to refuse. `QuickReader` reads those in one pass of a
typed decoder, and leaves all others to the way that every format goes.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from streams.core.ingest.apart import UNSETTLED, ApartJudge, ContextJudgement
from streams.core.ingest.draft import Draft, Found, pick, stamp, stamps
from streams.core.ingest.event import (
    EVENT_TYPES,
    MAX_EVENT_NAME_CHARS,
    MAX_RECORD_BYTES,
    OTHER_CALLS,
    Event,
    Reason,
    Rejection,
    reject,
)
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.ids import MAX_ID_CHARS, id_fault
from streams.core.ingest.nesting import MAX_DEPTH
from streams.core.ingest.placeholders import Placeholders
from streams.core.ingest.repairs import Repair
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS, parse_time
from streams.core.ingest.zones import zone_offset_quarters

MAX_CONTEXTS = 4096  # contexts that are remembered: those of the people who are there now; about 8 MB
MAX_KEPT_CONTEXT_BYTES = 2048  # longer contexts hold more than a page and a device, and do not come again

# Libraries that write milliseconds as a bare number: `.5Z` is 5 ms there.
_BARE_MILLISECONDS = frozenset({"analytics-kotlin"})
_BARE = re.compile(r"\.(\d\d?)Z$")
_TIMES = ("timestamp", "originalTimestamp", "sentAt")
_SHORT_FRACTIONS = (len("2024-05-20T10:13:20.5Z"), len("2024-05-20T10:13:20.55Z"))
_SIGNS = ("+", "-")  # before an offset such as +02:00, which has six characters
_NO_CONTEXT = msgspec.Raw(b"null")
# All that a decoder raises on bad input:
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
# Of a record that has no id: what its sending adds, which is another thing at each try.
_OF_THE_SENDING = frozenset(
    {"messageId", "sentAt", "receivedAt", "writeKey", "integrations", "_metadata", "timestamp"}
)


class _Record(msgspec.Struct, gc=False, rename="camel"):
    """The fields of the contract. The decoder skips all others without building them.

    The context is not decoded yet: the events of a visit repeat it, so it is mostly known.
    """

    type: Literal["track", "page", "screen", "identify"]
    message_id: str | int | None = None
    timestamp: str | None = None
    anonymous_id: str | int | None = None
    user_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    properties: dict[str, Any] | None = None
    context: msgspec.Raw = _NO_CONTEXT
    channel: str | None = None
    sent_at: str | None = None
    received_at: str | None = None


class _Person(msgspec.Struct, gc=False, rename="camel"):
    """All that routing looks at."""

    type: Literal["track", "page", "screen", "identify"]
    user_id: str | int | None = None
    anonymous_id: str | int | None = None


_decode = msgspec.json.Decoder(_Record).decode
_decode_context = msgspec.json.Decoder(dict[str, Any] | None).decode
_decode_person = msgspec.json.Decoder(_Person).decode


class _Context:
    """A context that is remembered, with what a judge says of it."""

    __slots__ = ("apart", "judge", "members")

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        self.judge: ApartJudge | None = None  # whose judgement `apart` is; None: nobody has judged
        self.apart: ContextJudgement = None

    def judged_by(self, judge: ApartJudge) -> ContextJudgement:
        """What this judge says of it. Another one's judgement is forgotten."""
        self.judge, self.apart = judge, judge.of_context(self.members)
        return self.apart


_contexts: dict[bytes, _Context] = {}


class QuickReader:
    """Reads records in which nothing is unusual."""

    def __init__(self, placeholders: Placeholders, skew_ms: int, judge: ApartJudge | None = None) -> None:
        """`judge`: tells which events are counted apart; without one, none is."""
        self._placeholders, self._skew_ms, self._judge = placeholders, skew_ms, judge
        self._no_ids = placeholders.words

    def read(self, value: bytes, limit_ms: int) -> Event | None:
        """The event of a record; None for whatever needs a closer look, good or bad. Never raises.

        `limit_ms`: the newest event time that is accepted.
        """
        if len(value) > MAX_RECORD_BYTES or not (value.isascii() or _is_utf8(value)):
            return None
        # This is bracket_count(value), written out: a call would be 2 % of the time of this function.
        if 2 * len(value) - len(value.replace(b"{", b"")) - len(value.replace(b"[", b"")) > MAX_DEPTH:
            return None
        try:
            raw = _decode(value)
            context_json = bytes(raw.context)
            known = _contexts.get(context_json)
            if known is None:
                known = _read_context(context_json)
        except _UNREADABLE:
            return None

        context = known.members
        event_id = raw.message_id if type(raw.message_id) is str else _text(raw.message_id)
        user_id = raw.user_id if type(raw.user_id) is str else _text(raw.user_id)
        anonymous_id = raw.anonymous_id if type(raw.anonymous_id) is str else _text(raw.anonymous_id)
        if not event_id or not (user_id or anonymous_id):
            return None
        ids = f"{event_id}{user_id or ''}{anonymous_id or ''}"
        # All ids are checked at once; nearly all pass.
        if len(ids) > MAX_ID_CHARS or " " in ids or not ids.isprintable():
            for text in (event_id, user_id, anonymous_id):
                if text and (id_fault(text) or text in self._placeholders):
                    return None
        elif not self._no_ids.isdisjoint(
            (event_id.lower(), (user_id or event_id).lower(), (anonymous_id or event_id).lower())
        ):
            return None

        text = raw.timestamp
        if not text or (text[-1] != "Z" and text[-6:-5] not in _SIGNS) or len(text) in _SHORT_FRACTIONS:
            return None
        time = parse_time(text)
        if time is None:
            return None
        at_ms, utc_offset_quarters = time
        if not EARLIEST_MS <= at_ms < LATEST_MS or at_ms > limit_ms:
            return None
        clock_error_ms = None
        if raw.sent_at is not None or raw.received_at is not None:
            witnessed = self._witnessed(at_ms, raw.sent_at, raw.received_at)
            if witnessed is None:
                return None
            clock_error_ms = witnessed[0]
        if not utc_offset_quarters and type(zone := context.get("timezone")) is str:
            utc_offset_quarters = zone_offset_quarters(zone, at_ms)
        name = (raw.event if raw.type == "track" else raw.name) or ""
        event = Event(
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
            clock_error_ms=clock_error_ms,
        )
        judge = self._judge
        if judge is not None:
            apart = known.apart if known.judge is judge else known.judged_by(judge)
            if apart is not None:
                event.apart = judge.settle(event) if apart is UNSETTLED else apart
        return event

    def key_of(self, value: bytes) -> bytes:
        """The key of a record's person: `userId`, or `anonymousId` where there is none. Never raises.

        It agrees with `person_key` of the event that is read. b"" where that takes a closer look.
        """
        if len(value) > MAX_RECORD_BYTES or not (value.isascii() or _is_utf8(value)):
            return b""
        try:
            found = _decode_person(value)
        except _UNREADABLE:
            return b""
        user_id, anonymous_id = _text(found.user_id), _text(found.anonymous_id)
        text = user_id or anonymous_id
        if not text or id_fault(text) is not None or text in self._placeholders:
            return b""
        return text.encode()

    def _witnessed(
        self, at_ms: int, sent_at: str | None, received_at: str | None
    ) -> tuple[int | None] | None:
        """How far the device's clock was ahead, if that is known. None where the times need a closer look."""
        sent_ms, received_ms = _instant(sent_at), _instant(received_at)
        if sent_ms < 0 or received_ms < 0:
            return None
        witness_ms = received_ms or sent_ms
        if at_ms > witness_ms + self._skew_ms:
            return None
        return (sent_ms - received_ms,) if sent_ms and received_ms else (None,)


def _draft(document: Any, _: InputContext) -> Draft | Rejection | None:
    """Reads a call of the spec, however it was written."""
    if not isinstance(document, dict):
        return reject(Reason.WRONG_TYPE, "the record is not an object")
    if isinstance(document.get("batch"), list) and "type" not in document:
        return reject(Reason.UNKNOWN_TYPE, "a batch within a batch")
    kind, repairs = _kind(document)
    if kind is None:
        found = document.get("type")
        wanted = ", ".join((*EVENT_TYPES, *OTHER_CALLS))
        detail = (
            "type is missing, and there is no event"
            if found is None
            else f"type is {found!r}, not one of {wanted}"
        )
        return reject(Reason.UNKNOWN_TYPE, detail)
    context = document.get("context")
    if _writes_bare_milliseconds(context):
        document, padded = _with_padded_times(document)
        repairs += padded
    zone = context.get("timezone") if isinstance(context, dict) else None
    return Draft(
        type=kind,
        names=pick(document, "event" if kind == "track" else "name") if kind in EVENT_TYPES else (),
        ids=pick(document, "messageId"),
        users=pick(document, "userId"),
        devices=pick(document, "anonymousId"),
        happened=(
            *stamps(document, ("timestamp",), corrected=True),
            *stamps(document, ("originalTimestamp",)),
        ),
        properties=Found("properties", document.get("properties")),
        context=Found("context", context),
        identity=_identity(document),
        sent=stamp(document, "sentAt"),
        received=stamp(document, "receivedAt"),
        channel=Found("channel", document.get("channel")),
        zone=zone if isinstance(zone, str) else None,
        repairs=repairs,
    )


def _split(document: Any) -> list[Any] | None:
    """The calls of the body of a batch request."""
    if not isinstance(document, dict) or document.get("type") is not None:
        return None
    calls = document.get("batch")
    return calls if isinstance(calls, list) else None


def _kind(document: Mapping[str, Any]) -> tuple[str | None, tuple[Repair, ...]]:
    """The type of a call, and what had to be repaired in it. None if it is no call."""
    given = document.get("type")
    if isinstance(given, str):
        plain = given.strip().lower()
        if plain in EVENT_TYPES or plain in OTHER_CALLS:
            return plain, () if plain == given else (Repair.TYPE,)
    if isinstance(document.get("event"), str) and document["event"].strip():
        return "track", (Repair.TYPE,)
    return None, ()


def _writes_bare_milliseconds(context: Any) -> bool:
    library = context.get("library") if isinstance(context, dict) else None
    name = library.get("name") if isinstance(library, dict) else None
    return isinstance(name, str) and name in _BARE_MILLISECONDS


def _with_padded_times(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[Repair, ...]]:
    """The call with `.005Z` where its library wrote `.5Z`."""
    times = {name: document[name] for name in _TIMES if isinstance(document.get(name), str)}
    padded = {name: _BARE.sub(lambda found: f".{found[1]:0>3}Z", text) for name, text in times.items()}
    return (document, ()) if padded == times else ({**document, **padded}, (Repair.TIME_FORM,))


def _identity(document: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a call without an id from others: it stays the same when the call is sent again."""
    kept = {key: value for key, value in document.items() if key not in _OF_THE_SENDING}
    kept["at"] = document.get("originalTimestamp") or document.get("timestamp")
    return kept


def _read_context(context_json: bytes) -> _Context:
    """Decodes a context, and remembers it."""
    context = _Context(_decode_context(context_json) or {})
    if len(context_json) <= MAX_KEPT_CONTEXT_BYTES:
        if len(_contexts) >= MAX_CONTEXTS:
            _contexts.clear()
        _contexts[context_json] = context
    return context


def _text(identifier: str | int | None) -> str | None:
    return None if identifier is None else str(identifier)


def _instant(text: str | None) -> int:
    """The milliseconds of a time; 0 where there is none, -1 for one that needs a closer look."""
    if text is None:
        return 0
    time = parse_time(text)
    return time[0] if time is not None and text[-1] == "Z" and EARLIEST_MS <= time[0] < LATEST_MS else -1


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


SEGMENT_FORMAT = Format(
    name="segment",
    title="Segment, RudderStack",
    version=1,
    draft=_draft,
    split=_split,
    decisive=frozenset(
        {
            "messageId", "userId", "anonymousId", "event", "name", "timestamp", "originalTimestamp", "sentAt",
            "receivedAt", "type",
        }
    ),
)  # fmt: skip
