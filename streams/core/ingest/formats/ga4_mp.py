"""Reads bodies of the Measurement Protocol of Google Analytics 4: up to 25 events of one client each.

Events have no id, and a time only if the sender chose to give one.
"""

from typing import Any

from streams.core.ingest.draft import Draft, Found, Unit, pick, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.ga4_event import device_class, page_context, shaped_properties, type_of
from streams.core.ingest.formats.members import object_at, shared_by_all
from streams.core.ingest.formats.shape import consent_of, filled

INDEX = "event_index"  # of an event in the body that it stood in: tells two equal ones of one body apart

_SHARED = (
    "client_id", "app_instance_id", "user_id", "timestamp_micros", "user_location", "device", "consent",
    "user_agent",
)  # fmt: skip


def is_ga4_body(document: Any) -> bool:
    """True if a document is a body of the protocol."""
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list) or "api_key" in document:
        return False
    if "client_id" in document or "app_instance_id" in document:
        return True
    return "user_id" in document and all(isinstance(event, dict) and "name" in event for event in events)


def split_ga4_body(document: Any) -> list[Any] | None:
    """A body for each of the events, if there are several."""
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list) or len(events) == 1:
        return None
    shared = shared_by_all(document, _SHARED)
    return [{**shared, "events": [event], INDEX: index} for index, event in enumerate(events)]


def read_ga4_body(document: Any, where: InputContext) -> Draft | Rejection | None:
    """Reads a body with one event."""
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        return reject(Reason.UNKNOWN_FORMAT, "a body of the Measurement Protocol has a list of events")
    if len(events) != 1 or not isinstance(events[0], dict):
        return reject(Reason.WRONG_TYPE, "events.0 is not an object, or one of several in a batch")
    event = {"events": events[0]}  # paths name the list alone: each event is in one of its own
    name, params = events[0].get("name"), object_at(events[0], "params")
    if name is None or name == "":
        return reject(Reason.UNKNOWN_FORMAT, "events.name is missing")
    happened = (
        *stamps(event, ("events.timestamp_micros", "events.params.timestamp_micros"), Unit.MICROSECONDS),
        *stamps(document, ("timestamp_micros",), Unit.MICROSECONDS),
    )
    return Draft(
        type=type_of(name),
        names=pick(event, "events.name"),
        ids=(),
        users=pick(document, "user_id"),
        devices=pick(document, "client_id", "app_instance_id"),
        happened=happened,
        properties=Found("events.params", shaped_properties(name, params, params.get("items"), {})),
        context=Found("device", _context(document, params)),
        identity=[
            *(str(document.get(key)) for key in ("client_id", "app_instance_id", "user_id")),
            [str(time.value) for time in happened[:1]],
            document.get(INDEX) or 0,
            name,
            params,
        ],
        arrives_when_it_happens=True,
    )


def _context(document: Any, params: Any) -> dict[str, Any]:
    device, place = object_at(document, "device"), object_at(document, "user_location")
    return filled(
        {
            "page": page_context(params),
            "device": filled(
                {
                    "type": device_class(device.get("category")),
                    "manufacturer": device.get("brand"),
                    "model": device.get("model"),
                }
            ),
            "os": filled(
                {
                    "name": device.get("operating_system"),
                    "version": device.get("operating_system_version"),
                }
            ),
            "locale": device.get("language"),
            "location": filled(
                {
                    "country": place.get("country_id"),
                    "region": place.get("region_id"),
                    "city": place.get("city"),
                }
            ),
            "userAgent": document.get("user_agent"),
            "consent": consent_of(object_at(document, "consent"), params),
        }
    )


GA4_MP_FORMAT = Format(
    name="ga4-mp",
    title="Google Analytics 4, Measurement Protocol",
    version=1,
    draft=read_ga4_body,
    split=split_ga4_body,
    decisive=frozenset(
        {
            "client_id", "app_instance_id", "user_id", "timestamp_micros", "events.name",
            "events.timestamp_micros", "events.params.timestamp_micros",
        }
    ),
)  # fmt: skip
