"""Reads rows of the BigQuery export of Google Analytics 4, in the daily and the intraday tables.

The export as JSON writes 64-bit numbers as text, and parameters as a list of keys with a value in one of four
columns. Rows have no id, and one event may stand in two tables whose other columns differ.
"""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, Stamp, Unit, pick
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.ga4_event import (
    device_class,
    page_context,
    shaped_properties,
    type_of,
    unless_not_set,
)
from streams.core.ingest.formats.members import json_under, minutes_east, object_at, whole
from streams.core.ingest.formats.shape import consent_of, filled

MAX_EVENTS_OF_A_PAGE = 1000  # of one batch, which share one time; a browser sends some dozens at most
SECONDS_PER_MINUTE = 60

_US_PER_MS = 1000
# They number an event within its page; with them, and with its time and name, nothing else is needed.
_ORDINALS = ("batch_page_id", "batch_ordering_id", "batch_event_index")
_IDENTITY = (
    "stream_id", "user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id", *_ORDINALS,
)  # fmt: skip


def is_ga4_row(document: Any) -> bool:
    """True if a document is a row of the export."""
    if not isinstance(document, dict) or "event_name" not in document or "event_timestamp" not in document:
        return False
    return any(key in document for key in ("event_params", "user_pseudo_id", "event_date", "stream_id"))


def read_ga4_row(document: Any, where: InputContext) -> Draft | Rejection | None:
    """Reads a row of the export."""
    if not isinstance(document, dict) or not document.get("event_name") or "event_timestamp" not in document:
        return reject(Reason.UNKNOWN_FORMAT, "a GA4 row has an event_name and an event_timestamp")
    params = params_of(document.get("event_params"))
    return Draft(
        type=type_of(document["event_name"]),
        names=pick(document, "event_name"),
        ids=(),
        users=pick(document, "user_id"),
        devices=pick(document, "user_pseudo_id"),
        happened=_happened(document),
        properties=Found(
            "event_params",
            shaped_properties(
                document["event_name"], params, document.get("items"), object_at(document, "ecommerce")
            ),
        ),
        context=Found("device", _context(document, params)),
        identity=_identity(document, params),
        channel=Found("platform", document.get("platform")),
        offset_minutes=minutes_east(
            object_at(document, "device").get("time_zone_offset_seconds"), SECONDS_PER_MINUTE
        ),
    )


def params_of(found: Any) -> dict[str, Any]:
    """The parameters of a row as an object, each with its one value."""
    if isinstance(found, str):
        found = json_under(found)
    if isinstance(found, dict):  # a view has already made an object of the list
        return dict(found)
    params: dict[str, Any] = {}
    for member in found if isinstance(found, list) else ():
        if isinstance(member, dict) and isinstance(member.get("key"), str):
            value = _value(member.get("value"))
            if value is not None:
                params[member["key"]] = value
    return params


def _value(columns: Any) -> Any:
    """The one of the four columns that holds a value."""
    if not isinstance(columns, dict):
        return columns
    text = columns.get("string_value")
    if text is not None:
        return text
    number = columns.get("int_value")
    if number is not None:
        found = whole(number)
        return number if found is None else found
    number = columns.get("double_value")
    return columns.get("float_value") if number is None else number


def _happened(document: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """The time of a row. The events of a batch share one microsecond: each is put a millisecond after the
    one before it, as they are numbered."""
    value = document["event_timestamp"]
    micros = whole(value)
    if micros is None:
        unit = Unit.UTC_TEXT if isinstance(value, str) else Unit.MICROSECONDS
        return () if value in (None, "") else (Stamp("event_timestamp", value, unit),)
    number = whole(document.get("batch_event_index"))
    if number is not None and 1 <= number <= MAX_EVENTS_OF_A_PAGE:
        micros += (number - 1) * _US_PER_MS
    return (Stamp("event_timestamp", micros, Unit.MICROSECONDS),)


def _identity(document: Mapping[str, Any], params: Mapping[str, Any]) -> list[Any]:
    """What both tables have alike, whether numbers are written as numbers or as text."""
    known = [_plain(document.get(key)) for key in _IDENTITY]
    if all(document.get(key) is not None for key in _ORDINALS):
        return known
    return [*known, sorted([key, _plain(value)] for key, value in params.items())]


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _context(document: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    device, geo = object_at(document, "device"), object_at(document, "geo")
    app, web = object_at(document, "app_info"), object_at(device, "web_info")
    return filled(
        {
            "page": page_context(params),
            "device": filled(
                {
                    "type": device_class(device.get("category")),
                    "manufacturer": unless_not_set(device.get("mobile_brand_name")),
                    "model": unless_not_set(device.get("mobile_model_name")),
                }
            ),
            "os": filled(
                {
                    "name": unless_not_set(device.get("operating_system")),
                    "version": unless_not_set(device.get("operating_system_version")),
                }
            ),
            "browser": filled(
                {
                    "name": unless_not_set(web.get("browser") or device.get("browser")),
                    "version": web.get("browser_version"),
                }
            ),
            "locale": unless_not_set(device.get("language")),
            "location": filled(
                {
                    "country": unless_not_set(geo.get("country")),
                    "region": unless_not_set(geo.get("region")),
                    "city": unless_not_set(geo.get("city")),
                }
            ),
            "app": filled(
                {
                    "namespace": app.get("id"),
                    "version": app.get("version"),
                }
            ),
            "campaign": _campaign(document),
            "consent": consent_of(object_at(document, "privacy_info"), params),
        }
    )


def _campaign(document: Mapping[str, Any]) -> dict[str, Any]:
    """What led to this event. `traffic_source` is what led to the person's first visit: it is not read."""
    own = object_at(document, "collected_traffic_source")
    names = {"source": "manual_source", "medium": "manual_medium", "name": "manual_campaign_name"}
    if not any(isinstance(own.get(name), str) for name in names.values()):
        own = object_at(object_at(document, "session_traffic_source_last_click"), "manual_campaign")
        names = {"source": "source", "medium": "medium", "name": "campaign_name"}
    return filled({key: unless_not_set(own.get(name)) for key, name in names.items()})


GA4_FORMAT = Format(
    name="ga4",
    title="Google Analytics 4, BigQuery export",
    version=1,
    draft=read_ga4_row,
    decisive=frozenset({*_IDENTITY, "user_id"}),
)
