"""Reads events of PostHog: bodies of its endpoint, records of its Kafka topic, rows of its exports."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, Stamp, Unit, pick, stamp, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.dollar_properties import channel_of_library, dollar_context
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.members import first_of, minutes_east, object_at, whole
from streams.core.ingest.formats.posthog_bodies import is_encoded_body, only_event, split_posthog_body
from streams.core.ingest.formats.shape import filled
from streams.core.ingest.stamps import read_stamp

# A request takes seconds to arrive, a wrong clock is minutes off or more: a correction of less than this is
# the time that the request took, and is not applied.
MAX_TRANSIT_MS = 150_000
UUID_HEX_DIGITS = 32

_TYPES = {
    "$pageview": "page", "$screen": "screen", "$identify": "identify", "$set": "identify",
    "$set_once": "identify", "$create_alias": "alias", "$merge_dangerously": "alias",
    "$groupidentify": "group",
}  # fmt: skip
_COOKIELESS = "$posthog_cookieless"  # stands for a person of whom nothing is kept
# What the sending of an event adds to it, which is another thing at each try.
_OF_THE_SENDING = frozenset(
    {"uuid", "offset", "sent_at", "now", "api_key", "token", "ip", "site_url", "data", "inserted_at"}
)


def is_posthog(document: Any) -> bool:
    """True if a document is an event, or a body of events, or a record of the topic."""
    if isinstance(document, str):
        return is_encoded_body(document)
    if not isinstance(document, dict):
        return False
    if isinstance(document.get("batch"), list):
        return "api_key" in document or "token" in document
    if isinstance(document.get("data"), str):
        return "token" in document or "distinct_id" in document
    if not isinstance(document.get("event"), str):
        return False
    if "distinct_id" in document:
        return True
    properties = document.get("properties")
    if isinstance(properties, str):
        return '"distinct_id"' in properties
    return isinstance(properties, dict) and "distinct_id" in properties and "time" not in properties


def read_posthog_event(document: Any, where: InputContext) -> Draft | Rejection | None:
    """Reads one event, whatever is around it."""
    if isinstance(document, str):
        return reject(Reason.UNKNOWN_FORMAT, "a body that holds no JSON, neither in base64 nor in its `data`")
    event = _event_of(document)
    if event is None:
        return reject(Reason.UNKNOWN_FORMAT, "there is no event")
    properties = object_at(event, "properties")
    found = {**event, "properties": properties}
    name = event["event"]
    kind = _TYPES.get(name, "track") if isinstance(name, str) else "track"
    users, devices = _people(found, name)
    west = whole(properties.get("$timezone_offset"))
    zone = properties.get("$timezone")
    happened = _happened(found)
    return Draft(
        type=kind,
        names=() if kind in ("alias", "group") else pick(found, "event"),
        ids=pick(found, "uuid", "properties.$insert_id"),
        users=users,
        devices=devices,
        happened=happened,
        properties=Found("properties", _shaped(properties)),
        context=Found("properties", dollar_context(properties)),
        identity={key: value for key, value in found.items() if key not in _OF_THE_SENDING}
        | {"at": [str(time.value) for time in happened[:1]]},
        sent=None if _ignores_sending(found) else stamp(found, "sent_at", unit=Unit.UTC_TEXT),
        received=stamp(found, "now", "created_at", unit=Unit.UTC_TEXT),
        channel=Found("properties.$lib", channel_of_library(properties.get("$lib"))),
        zone=zone if isinstance(zone, str) else None,
        offset_minutes=None if west is None else minutes_east(-west),
        arrives_when_it_happens=True,
    )


def _event_of(document: Any) -> dict[str, Any] | None:
    """The event, with what is around it where it does not say the same itself; None if there is none."""
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("batch"), list):
        document = only_event(document)
        if document is None:
            return None
    inner = object_at(document, "data")
    event = {**document, **inner} if "event" in inner else document
    return event if event.get("event") not in (None, "") else None


def _people(event: Mapping[str, Any], name: Any) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """(users, devices). `distinct_id` is a device's until its person has signed in."""
    named = tuple(
        found
        for found in pick(event, "distinct_id", "properties.distinct_id")
        if not (isinstance(found.value, str) and found.value == _COOKIELESS)
    )
    users, devices = pick(event, "properties.$user_id"), pick(event, "properties.$device_id")
    if name == "$identify":
        devices += pick(event, "properties.$anon_distinct_id")
    if _is_identified(event, name, named):
        return (*users, *named), devices
    return users, (*devices, *named)


def _is_identified(event: Mapping[str, Any], name: Any, named: tuple[Found, ...]) -> bool:
    properties = event["properties"]
    if name == "$identify" or first_of(properties, "$user_id") is not None:
        return True
    marked = properties.get("$is_identified")
    if isinstance(marked, bool):
        return marked
    if properties.get("$process_person_profile") is False:
        return False
    device = properties.get("$device_id")
    return not (device is not None and any(found.value == device for found in named))


def _happened(event: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """The times of an event: so long before its arrival, as it says itself, when its id was made."""
    minted = _minted(event.get("uuid"))
    return (
        *_before_arrival(event),
        *_own(event, minted),
        *stamps(event, ("properties.$time",), Unit.SECONDS),
        *((Stamp("uuid", minted, Unit.MILLISECONDS),) if minted is not None else ()),
    )


def _before_arrival(event: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """The time of an event that says how many milliseconds before its arrival it happened."""
    offset_ms = whole(event.get("offset"))
    arrived = _read_ms(event.get("now"))
    if offset_ms is None or arrived is None:
        return ()
    return (Stamp("offset", arrived - offset_ms, Unit.MILLISECONDS, corrected=True),)


def _own(event: Mapping[str, Any], minted: int | None) -> tuple[Stamp, ...]:
    """The time that an event says. In an export it is corrected by all the time that the request took."""
    found = stamps(event, ("timestamp", "properties.timestamp"), Unit.UTC_TEXT)
    if not found:
        return ()
    if "now" in event or "sent_at" in event:
        sent, now = _read_ms(event.get("sent_at")), _read_ms(event.get("now"))
        in_transit = sent is not None and now is not None and 0 <= now - sent < MAX_TRANSIT_MS
        return tuple(time._replace(corrected=in_transit) for time in found)
    if not _is_exported(event):
        return found
    stored = _read_ms(found[0].value)
    if minted is not None and stored is not None and 0 < stored - minted < MAX_TRANSIT_MS:
        found = (Stamp("uuid", minted, Unit.MILLISECONDS), *found)
    return tuple(time._replace(corrected=True) for time in found)


def _is_exported(event: Mapping[str, Any]) -> bool:
    return any(key in event for key in ("created_at", "inserted_at", "team_id", "person_id"))


def _ignores_sending(event: Mapping[str, Any]) -> bool:
    return event["properties"].get("$ignore_sent_at") is True


def _read_ms(value: Any) -> int | None:
    found = None if value is None else read_stamp(Stamp("", value, Unit.UTC_TEXT), None)
    return None if found is None else found.at_ms


def _minted(uuid: Any) -> int | None:
    """The milliseconds since 1970 in an id of version 7, which says when it was made; None if it is none."""
    digits = uuid.replace("-", "") if isinstance(uuid, str) else ""
    if len(digits) != UUID_HEX_DIGITS or digits[12] != "7" or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return int(digits[:12], 16)
    except ValueError:
        return None


def _shaped(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {**properties, **filled({"screen_name": properties.get("$screen_name")})}


_DECISIVE = {
    "uuid", "event", "distinct_id", "timestamp", "offset", "now", "sent_at", "data",
    "properties.distinct_id", "properties.$insert_id", "properties.$user_id",
    "properties.$device_id", "properties.$is_identified", "properties.$anon_distinct_id",
}  # fmt: skip

POSTHOG_FORMAT = Format(
    name="posthog",
    title="PostHog",
    version=1,
    draft=read_posthog_event,
    split=split_posthog_body,
    decisive=frozenset({*_DECISIVE, *(f"batch.{path}" for path in _DECISIVE)}),
)
