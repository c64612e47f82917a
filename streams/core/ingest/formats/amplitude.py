"""Reads events of Amplitude: lines of its export, and bodies of its HTTP API."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, Unit, pick, stamp, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.dollar_properties import channel_of_library
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.members import campaign_of, first_of, object_at, shared_by_all
from streams.core.ingest.formats.shape import filled, page_of, with_only_product

MAX_TAG_CHARS = 6  # `it`, `it-IT`: exports have the language's name there, which is no locale

_TYPES = {
    "[Amplitude] Page Viewed": "page", "[Amplitude] Screen Viewed": "screen",
    "$identify": "identify", "$groupidentify": "group",
}  # fmt: skip
# Of an event without an id: `event_id` counts the events of a person, and repeats for nobody else.
_IDENTITY = (
    "event_type", "event_id", "session_id", "client_event_time", "time", "device_id", "user_id",
    "amplitude_id", "event_properties",
)  # fmt: skip
_SHARED = ("api_key", "client_upload_time")
# Words of a system, a family or a type of device; the first class with one of them counts.
_DEVICES = {
    "tv": {"tv", "tvos"},
    "tablet": {"ipad", "ipados", "tablet"},
    "mobile": {"iphone", "ios", "android", "phone"},
    "desktop": {"windows", "mac", "macos", "macintosh", "linux", "chromebook"},
}


def is_amplitude(document: Any) -> bool:
    """True if a document is an event, or a body of events."""
    if not isinstance(document, dict):
        return False
    events = document.get("events")
    if isinstance(events, list):
        return "api_key" in document or any(
            isinstance(event, dict) and "event_type" in event for event in events[:1]
        )
    return "event_type" in document and any(
        key in document for key in ("device_id", "user_id", "amplitude_id", "event_properties")
    )


def split_amplitude_body(document: Any) -> list[Any] | None:
    """A body for each event of one of the HTTP API, if there are several or none."""
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list) or len(events) == 1:
        return None
    shared = shared_by_all(document, _SHARED)
    return [{**shared, "events": [event]} for event in events]


def read_amplitude_event(document: Any, where: InputContext) -> Draft | Rejection | None:
    """Reads one event."""
    if isinstance(document, dict) and isinstance(document.get("events"), list):
        inner = document["events"][0] if len(document["events"]) == 1 else None
        document = {**document, **inner} if isinstance(inner, dict) else None
    name = document.get("event_type") if isinstance(document, dict) else None
    if name is None or name == "":
        return reject(Reason.UNKNOWN_FORMAT, "event_type is missing")
    properties = object_at(document, "event_properties")
    kind = _TYPES.get(name, "track") if isinstance(name, str) else "track"
    return Draft(
        type=kind,
        names=() if kind == "group" else pick(document, "event_type"),
        ids=pick(document, "uuid", "$insert_id", "insert_id"),
        users=pick(document, "user_id"),
        devices=pick(document, "device_id"),
        happened=(
            *stamps(document, ("event_time",), Unit.UTC_TEXT, corrected=True),
            *stamps(document, ("client_event_time",), Unit.UTC_TEXT),
            *stamps(document, ("time",), Unit.MILLISECONDS),
        ),
        properties=Found("event_properties", _shaped(document, properties)),
        context=Found("event_properties", _context(document, properties)),
        identity=[document.get(key) for key in _IDENTITY],
        sent=stamp(document, "client_upload_time", unit=Unit.UTC_TEXT),
        received=stamp(document, "server_received_time", "server_upload_time", unit=Unit.UTC_TEXT),
        channel=Found("platform", document.get("platform") or channel_of_library(document.get("library"))),
        arrives_when_it_happens=True,
    )


def _shaped(document: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    product = filled(
        {
            "product_id": first_of(properties, "$productId", "productId") or document.get("productId"),
            "price": first_of(properties, "$price") or document.get("price"),
            "quantity": first_of(properties, "$quantity") or document.get("quantity"),
        }
    )
    return with_only_product(
        {
            **filled(
                {
                    "value": first_of(properties, "$revenue", "revenue") or document.get("revenue"),
                    "currency": properties.get("$currency") or document.get("currency"),
                    "products": [product] if product else [],
                    "screen_name": properties.get("[Amplitude] Screen Name"),
                }
            ),
            **properties,
        }
    )


def _device_class(document: Mapping[str, Any]) -> str | None:
    texts = (document.get(key) for key in ("os_name", "device_family", "device_type", "platform"))
    words = set(" ".join(text for text in texts if isinstance(text, str)).lower().split())
    return next((name for name, known in _DEVICES.items() if words & known), None)


def _context(document: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    language = document.get("language")
    is_locale = isinstance(language, str) and len(language) <= MAX_TAG_CHARS
    found = page_of(
        first_of(properties, "[Amplitude] Page Location", "[Amplitude] Page URL"),
        first_of(properties, "referrer", "[Amplitude] Page Referrer"),
        properties.get("[Amplitude] Page Title"),
    )
    return filled(
        {
            "page": found | filled({"path": properties.get("[Amplitude] Page Path")}),
            "device": filled(
                {
                    "type": _device_class(document),
                    "manufacturer": first_of(document, "device_manufacturer", "device_brand"),
                    "model": first_of(document, "device_model", "device_type", "device_family"),
                }
            ),
            "os": filled({"name": document.get("os_name"), "version": document.get("os_version")}),
            "userAgent": document.get("user_agent"),
            "locale": language if is_locale else None,
            "campaign": campaign_of(properties) or campaign_of(object_at(document, "user_properties")),
            "location": filled({key: document.get(key) for key in ("country", "region", "city")}),
            "library": filled({"name": document.get("library")}),
            "app": filled({"version": first_of(document, "version_name", "app_version")}),
        }
    )


_DECISIVE = {
    "uuid", "$insert_id", "insert_id", "user_id", "device_id", "event_type", "event_time",
    "client_event_time", "time", "client_upload_time", "server_received_time",
}  # fmt: skip

AMPLITUDE_FORMAT = Format(
    name="amplitude",
    title="Amplitude",
    version=1,
    draft=read_amplitude_event,
    split=split_amplitude_body,
    decisive=frozenset({*_DECISIVE, *(f"events.{path}" for path in _DECISIVE)}),
)
