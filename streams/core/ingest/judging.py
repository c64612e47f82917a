"""Makes an Event of what a reader found, or says why it can't be one: in the same way for every format.

An event is refused only if its person, its time or its name cannot be had. Whatever else is wrong is repaired
and noted.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from streams.core.ingest.clocks import when
from streams.core.ingest.draft import Draft, Found
from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event, Reason, Rejection, reject
from streams.core.ingest.ids import id_fault
from streams.core.ingest.json_text import Decoded, clean, encode, json_in
from streams.core.ingest.placeholders import Placeholders
from streams.core.ingest.repairs import Repair

FINGERPRINT_BYTES = 16  # of a fingerprint: two of a billion events have the same one with a chance of 1e-21

_WORDS = {bool: "true or false", float: "a number with a fraction", dict: "an object", list: "an array"}


class Judge(msgspec.Struct, frozen=True):
    """What decides beside the record itself."""

    placeholders: Placeholders
    skew_ms: int  # how far apart clocks may be
    zone: str | None = None  # of times without an offset

    def event(self, draft: Draft, arrived_ms: int, limit_ms: int, repairs: set[Repair]) -> Event | Rejection:
        """The event of a draft.

        `arrived_ms`: the record's own time, -1 where it is not known. `limit_ms`: the newest event time that
        is accepted. `repairs`: what was repaired in the record before; more is added.
        """
        user, device = self._id(draft.users, repairs), self._id(draft.devices, repairs)
        if user is None and device is None:
            nobody = self._nobody((*draft.users, *draft.devices))
            return nobody if nobody.reason != Reason.MISSING_PERSON else _with_event(nobody, draft)
        name = _name(draft.names, repairs)
        if name is None:
            return reject(
                Reason.WRONG_TYPE, f"{draft.names[0].path} is {_word(draft.names[0].value)}, not a string"
            )
        time = when(draft, self.zone, arrived_ms, self.skew_ms, repairs)
        if isinstance(time, Rejection):
            return time
        if time.at_ms > limit_ms:
            stated = str(draft.happened[0].value) if draft.happened else "the event"
            early_s = (time.at_ms - limit_ms) / 1000
            return reject(
                Reason.FROM_THE_FUTURE, f"{stated} is {early_s} s later than the record's own time allows"
            )
        event_id = self._id(draft.ids, repairs)
        if event_id is None:
            # An event without any time is another one whenever it arrives.
            timed = draft.happened or draft.sent or draft.received
            event_id = event_fingerprint(draft.identity if timed else [draft.identity, time.at_ms])
        return Event(
            id=event_id,
            at_ms=time.at_ms,
            utc_offset_quarters=time.utc_offset_quarters,
            anonymous_id=device,
            user_id=user,
            type=draft.type,
            name=name[:MAX_EVENT_NAME_CHARS],
            properties=_object(draft.properties, repairs),
            context=_object(draft.context, repairs),
            channel=_channel(draft.channel, repairs),
            clock_error_ms=time.clock_error_ms,
            repairs=tuple(sorted(repairs)),
        )

    def _id(self, candidates: Sequence[Found], repairs: set[Repair]) -> str | None:
        """The first of these ids that can be used."""
        unusable = False
        for found in candidates:
            text = _id_text(found.value, repairs)
            if text is not None and text in self.placeholders:
                repairs.add(Repair.PLACEHOLDER)
            elif text is not None and id_fault(text) is None:
                if unusable:
                    repairs.add(Repair.ID)
                return text
            else:
                unusable = True
        if unusable:
            repairs.add(Repair.ID)  # there is a user or a device beside it, or a fingerprint
        return None

    def _nobody(self, candidates: Sequence[Found]) -> Rejection:
        """Why none of these ids is anybody's: the first that is no placeholder says it."""
        for found in candidates:
            text = _id_text(found.value, set())
            if text is None:
                return reject(Reason.WRONG_TYPE, f"{found.path} is {_word(found.value)}, not a string")
            if text not in self.placeholders:
                return reject(Reason.BAD_ID, f"{found.path} {id_fault(text)}")
        if candidates:
            return reject(
                Reason.MISSING_PERSON,
                f"{candidates[0].path} is {candidates[0].value!r}, which stands for no id",
            )
        return reject(Reason.MISSING_PERSON, "there is neither a user nor a device")


def _with_event(rejection: Rejection, draft: Draft) -> Rejection:
    """The rejection with what could be read: rules may tell what nobody did."""
    name, unnoted = _name(draft.names, set()), set[Repair]()
    if name is None:
        return rejection
    event = Event(
        id="",
        at_ms=0,
        utc_offset_quarters=0,
        anonymous_id=None,
        user_id=None,
        type=draft.type,
        name=name[:MAX_EVENT_NAME_CHARS],
        properties=_object(draft.properties, unnoted),
        context=_object(draft.context, unnoted),
        channel=_channel(draft.channel, unnoted),
    )
    return msgspec.structs.replace(rejection, nobodys=event)


def event_fingerprint(identity: Any) -> str:
    """The id of an event that has none, 32 hex digits: equal identities give equal ids.

    It is the BLAKE2b-128 of the identity as JSON with sorted keys.
    """
    return blake2b(encode(Decoded(identity, True), sort_keys=True), digest_size=FINGERPRINT_BYTES).hexdigest()


def _id_text(value: Any, repairs: set[Repair]) -> str | None:
    """An id as text: a text, or the digits of a whole number."""
    if type(value) is float and value.is_integer():
        repairs.add(Repair.ID)
        value = int(value)
    return value if type(value) is str else str(value) if type(value) is int else None


def _name(candidates: Sequence[Found], repairs: set[Repair]) -> str | None:
    """The name of the event; "" where it has none, None where something else stands in its place."""
    for found in candidates:
        if isinstance(found.value, str):
            return str(clean(found.value, repairs))
    return None if candidates else ""


def _object(found: Found, repairs: set[Repair]) -> dict[str, Any]:
    """An object, whatever stands where one belongs."""
    value = found.value
    if isinstance(value, str) and value.lstrip()[:1] == "{":  # JSON text where its object belongs
        inner = json_in(value)
        value = None if inner is None else clean(inner.document, repairs)
        repairs.add(Repair.FIELD)
    if value is None or isinstance(value, dict):
        return value or {}
    repairs.add(Repair.EMPTY_LIST if value == [] else Repair.FIELD)
    return {}


def _channel(found: Found | None, repairs: set[Repair]) -> str | None:
    if found is None or found.value is None:
        return None
    if isinstance(found.value, str):
        return str(clean(found.value, repairs))
    repairs.add(Repair.FIELD)
    return None


def _word(value: object) -> str:
    return _WORDS.get(type(value), "a number" if isinstance(value, int) else "null")
