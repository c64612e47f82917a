"""Reads events of Mixpanel: lines of its raw export, and what is sent to its import."""

from datetime import UTC, datetime
from typing import Any

from streams.core.ingest.draft import Draft, Found, Stamp, Unit, pick
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.dollar_properties import channel_of_library, dollar_context
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.members import first_of, object_at
from streams.core.ingest.stamps import read_stamp

DEVICE_PREFIX = "$device:"  # of the `distinct_id` of somebody who has not signed in

_TYPES = {
    "$mp_web_page_view": "page", "$identify": "identify", "$create_alias": "alias", "$merge": "alias",
}  # fmt: skip
# What the import and the export add to an event.
_OF_THE_SENDING = frozenset(
    {"time", "mp_processing_time_ms", "$mp_api_timestamp_ms", "$mp_api_endpoint", "$import"}
)
_PAGE_PARTS = ("current_url_protocol", "current_domain", "current_url_path", "current_url_search")


def is_mixpanel(document: Any) -> bool:
    """True if a document is an event with its person and its time among its properties."""
    if not isinstance(document, dict) or not isinstance(document.get("event"), str):
        return False
    properties = document.get("properties")
    if not isinstance(properties, dict) or "time" not in properties or "distinct_id" in document:
        return False
    return any(key in properties for key in ("distinct_id", "$insert_id", "$device_id", "$user_id", "mp_lib"))


def read_mixpanel_event(document: Any, where: InputContext) -> Draft | Rejection | None:
    """Reads one event."""
    name = document.get("event") if isinstance(document, dict) else None
    if name is None or name == "":
        return reject(Reason.UNKNOWN_FORMAT, "event is missing")
    properties = object_at(document, "properties")
    found = {"event": name, "properties": properties}
    kind = _TYPES.get(name, "track") if isinstance(name, str) else "track"
    happened = _happened(properties)
    users, devices = _people(found)
    return Draft(
        type=kind,
        names=() if kind == "alias" else pick(found, "event"),
        ids=(),
        users=users,
        devices=devices,
        happened=happened,
        properties=Found("properties", properties),
        context=Found("properties", _context(properties)),
        identity=_identity(name, properties, happened),
        channel=Found("properties.mp_lib", channel_of_library(first_of(properties, "mp_lib", "$lib"))),
    )


def _people(event: dict[str, Any]) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """(users, devices). A `distinct_id` with a prefix, or that is the device's id, is a device's."""
    known = pick(event, "properties.$device_id", "properties.$anon_id")
    devices = tuple(found._replace(value=_without_prefix(found.value)) for found in known)
    users = pick(event, "properties.$user_id", "properties.$identified_id")
    for found in pick(event, "properties.distinct_id"):
        plain = _without_prefix(found.value)
        if plain != found.value or any(plain == device.value for device in devices):
            devices += (found._replace(value=plain),)
        else:
            users += (found,)
    return users, devices


def _without_prefix(value: Any) -> Any:
    return value.removeprefix(DEVICE_PREFIX) if isinstance(value, str) else value


def _happened(properties: dict[str, Any]) -> tuple[Stamp, ...]:
    """The time of an event, as a text without an offset: an old project's is in the project's own zone, which
    the zone of the input names; without one it is UTC."""
    value = properties.get("time")
    if value is None or value == "":
        return ()
    for unit in (Unit.SECONDS, Unit.MILLISECONDS):
        time = read_stamp(Stamp("", value, unit), None)
        if time is not None:  # no number is a time of these centuries in both units
            seconds, ms = divmod(time.at_ms, 1000)
            text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            return (Stamp("properties.time", f"{text}.{ms:03d}"),)
    return (Stamp("properties.time", value, Unit.SECONDS),)


def _identity(name: Any, properties: dict[str, Any], happened: tuple[Stamp, ...]) -> list[Any]:
    """What tells events apart in the tool: `$insert_id` counts for one name and one second.

    A person is left out of it: later merges give a row another `distinct_id`.
    """
    second = [str(time.value).partition(".")[0] for time in happened]
    inserted = first_of(properties, "$insert_id")
    if inserted is not None:
        return [name, second, str(inserted)]
    return [name, second, {key: value for key, value in properties.items() if key not in _OF_THE_SENDING}]


def _context(properties: dict[str, Any]) -> dict[str, Any]:
    context = dollar_context(properties)
    parts = [properties.get(part) for part in _PAGE_PARTS]
    if "$current_url" not in properties and isinstance(parts[1], str):
        protocol, domain, path, search = (part if isinstance(part, str) else "" for part in parts)
        address = f"{protocol.rstrip(':/') or 'https'}://{domain}{path}{search}"
        context["page"] = {**context.get("page", {}), "url": address}
    return context


MIXPANEL_FORMAT = Format(
    name="mixpanel",
    title="Mixpanel",
    version=1,
    draft=read_mixpanel_event,
    decisive=frozenset(
        {
            "event", "properties.time", "properties.distinct_id", "properties.$insert_id",
            "properties.$device_id", "properties.$user_id", "properties.$identified_id",
            "properties.$anon_id",
        }
    ),
)  # fmt: skip
