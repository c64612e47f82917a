"""Reads enriched events of Snowplow: lines of 131 columns, objects of SDKs, rows of a warehouse."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, Stamp, Unit, pick, stamp, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.shape import filled, id_text, obj, page_of, text_or_none, with_only_product
from streams.core.ingest.formats.snowplow_rows import COLUMNS, Entities, entities, payload, row_of
from streams.core.ingest.stamps import read_stamp

MAX_DERIVED_ERROR_MS = 60_000  # derived_tstamp is exact, unless it was computed with months as days of 30

_SHOP = "com_snowplowanalytics_snowplow_ecommerce_"
_CHANNELS = {
    "web": "web",
    "mob": "app",
    "app": "app",
    "pc": "app",
    "tv": "app",
    "cnsl": "app",
    "srv": "server",
}
# What tells an event without an id from others, whichever way it was exported.
_IDENTITY = (
    "event", "event_name", "collector_tstamp", "dvce_created_tstamp", "domain_userid", "network_userid",
    "user_id", "txn_id", "page_url", "se_category", "se_action", "se_label", "tr_orderid", "ti_orderid",
    "ti_sku",
)  # fmt: skip


def _read(document: Any, _: InputContext) -> Draft | Rejection | None:
    """Reads one enriched event."""
    row = row_of(document)
    if row is None:
        if isinstance(document, str):
            columns = document.count("\t") + 1
            return reject(Reason.UNKNOWN_FORMAT, f"a line of {columns} columns, not {len(COLUMNS)}")
        return reject(Reason.UNKNOWN_FORMAT, "event_id and collector_tstamp are missing")
    data, around = payload(row), entities(row)
    kind, names = _named(row, data, around)
    session = _first(around, "com_snowplowanalytics_snowplow_client_session")
    zone = text_or_none(row.get("os_timezone")) or text_or_none(row.get("geo_timezone"))
    platform = row.get("platform")
    return Draft(
        type=kind,
        names=names,
        ids=_ids(row),
        users=pick(row, "user_id"),
        devices=(
            *pick(row, "domain_userid"),
            *(
                Found(f"client_session.{key}", session[key])
                for key in ("userId", "user_id")
                if session.get(key)
            ),
            # A collector gives each request of a server a new one: it is nobody's.
            *(() if platform == "srv" else pick(row, "network_userid")),
        ),
        happened=_happened(row),
        properties=Found("unstruct_event", _properties(row, data, around)),
        context=Found("contexts", _context(row, data, around)),
        identity=[row.get(column) for column in _IDENTITY] + [data],
        sent=stamp(row, "dvce_sent_tstamp", unit=Unit.UTC_TEXT),
        received=stamp(row, "collector_tstamp", unit=Unit.UTC_TEXT),
        channel=Found(
            "platform", _CHANNELS.get(platform, platform) if isinstance(platform, str) else platform
        ),
        zone=zone,
    )


def _named(
    row: Mapping[str, Any], data: Mapping[str, Any], around: Entities
) -> tuple[str, tuple[Found, ...]]:
    """(type, names): a view is named by its title, an action of the shop by its type."""
    event, name = row.get("event"), row.get("event_name")
    if "page_view" in (event, name):
        return "page", pick(row, "page_title")
    if name == "screen_view":
        screen = _first(around, "com_snowplowanalytics_mobile_screen")
        return "screen", (*pick(data, "name"), *pick(screen, "name"))
    if name == "snowplow_ecommerce_action":
        return "track", (*pick(data, "type"), *pick(row, "event_name"))
    if event == "struct":
        return "track", (*pick(row, "se_action"), *pick(row, "event_name", "event"))
    return "track", pick(row, "event_name", "event")


def _ids(row: Mapping[str, Any]) -> tuple[Found, ...]:
    """The event's id. Robots send one id with several events; their fingerprints tell these apart."""
    event_id, event_fingerprint = row.get("event_id"), row.get("event_fingerprint")
    if isinstance(event_id, str) and isinstance(event_fingerprint, str):
        return (Found("event_id", f"{event_id}:{event_fingerprint}"),)
    return pick(row, "event_id")


def _happened(row: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """When it happened: the enrichment has corrected it by the collector's clock."""
    derived = stamps(row, ("derived_tstamp",), Unit.UTC_TEXT, corrected=True)
    exact_ms = _exact_ms(row)
    if derived and exact_ms is not None:
        read = read_stamp(derived[0], None)
        if read is not None and abs(read.at_ms - exact_ms) > MAX_DERIVED_ERROR_MS:
            derived = (Stamp("dvce_created_tstamp", exact_ms, Unit.MILLISECONDS, corrected=True),)
    return (
        *stamps(row, ("true_tstamp",), Unit.UTC_TEXT, corrected=True),
        *derived,
        *stamps(row, ("collector_tstamp",), Unit.UTC_TEXT, corrected=True),
        *stamps(row, ("dvce_created_tstamp",), Unit.UTC_TEXT),
    )


def _exact_ms(row: Mapping[str, Any]) -> int | None:
    """What derived_tstamp should be: as long before the collector's time as the device waited."""
    read = [
        None if found is None else read_stamp(found, None)
        for found in (
            stamp(row, column, unit=Unit.UTC_TEXT)
            for column in ("dvce_created_tstamp", "dvce_sent_tstamp", "collector_tstamp")
        )
    ]
    created, sent, collected = read
    if created is None or sent is None or collected is None:
        return None
    return collected.at_ms - max(sent.at_ms - created.at_ms, 0)


def _properties(row: Mapping[str, Any], data: Mapping[str, Any], around: Entities) -> dict[str, Any]:
    order = _first(around, _SHOP + "transaction")
    refund = _first(around, _SHOP + "refund")
    products = [
        filled(
            product
            | {
                "product_id": id_text(product.get("id")),
                "sku": product.get("sku"),
            }
        )
        for product in around.get(_SHOP + "product", ())
    ] or _line_of_order(row)
    terms = data.get("terms")
    money = order or refund
    shop = {
        "order_id": money.get("transaction_id") or row.get("tr_orderid") or row.get("ti_orderid"),
        "value": order.get("revenue") if order else row.get("tr_total"),
        "currency": money.get("currency") or row.get("tr_currency") or row.get("ti_currency"),
        "refunded_amount": refund.get("refund_amount"),
        "coupon": order.get("discount_code") or _first(around, _SHOP + "checkout_step").get("coupon_code"),
        "products": products,
        "query": " ".join(term for term in terms if isinstance(term, str))
        if isinstance(terms, list)
        else terms,
        "page_load_ms": _page_load_ms(around),
    }
    struct = {
        "category": row.get("se_category"),
        "label": row.get("se_label"),
        "property": row.get("se_property"),
        "value": row.get("se_value"),
    }
    own = data if row.get("event") != "struct" else struct
    return with_only_product(filled({**own, **filled(shop)}))


def _line_of_order(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The product of a legacy transaction_item."""
    sku = row.get("ti_sku")
    return (
        [
            filled(
                {"product_id": sku, "sku": sku}
                | {key: row.get(f"ti_{key}") for key in ("name", "category", "price", "quantity")}
            )
        ]
        if sku
        else []
    )


def _page_load_ms(around: Entities) -> int | None:
    """How long the page took to load, of the entity with its timing."""
    timing = _first(around, "org_w3_performance_timing")
    begin, end = (
        timing.get(long, timing.get(short))
        for long, short in (("navigationStart", "navigation_start"), ("loadEventEnd", "load_event_end"))
    )
    return end - begin if type(begin) is int and type(end) is int and end > begin > 0 else None


def _context(row: Mapping[str, Any], data: Mapping[str, Any], around: Entities) -> dict[str, Any]:
    path, search = row.get("page_urlpath"), text_or_none(row.get("page_urlquery"))
    seen = page_of(row.get("page_url"), row.get("page_referrer"), row.get("page_title"))
    if path:
        seen["path"] = path
    if search:
        seen["search"] = f"?{search}"
    mobile = _first(around, "com_snowplowanalytics_snowplow_mobile_context")
    device = _device(row, around, mobile)
    return filled(
        {
            "page": seen,
            "device": device,
            "userAgent": row.get("useragent"),
            "campaign": filled(
                {key: row.get(f"mkt_{key}") for key in ("source", "medium", "term", "content")}
            )
            | filled({"name": row.get("mkt_campaign")}),
            "referrer": filled({"type": row.get("refr_medium"), "name": row.get("refr_source")}),
            "locale": row.get("br_lang"),
            "timezone": text_or_none(row.get("os_timezone")) or row.get("geo_timezone"),
            "os": filled({"name": row.get("os_name") or mobile.get("osType") or mobile.get("os_type")}),
            "location": filled({key: row.get(f"geo_{key}") for key in ("country", "region", "city")}),
            "library": filled({"name": row.get("v_tracker")}),
            "app": filled({"name": row.get("app_id")}),
            "entities": around,
            "consent": _consent(row, data),
            "robot": _is_robot(device, around) or None,
        }
    )


def _is_robot(device: Mapping[str, Any], around: Entities) -> bool:
    """True if an enrichment says so: by the IAB's list, or by the user agent."""
    listed = _first(around, "com_iab_snowplow_spiders_and_robots")
    found = listed.get("spiderOrRobot", listed.get("spider_or_robot"))
    return found is True or str(device.get("type", "")).startswith("robot")


def _consent(row: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What the event of a consent tool says: that all is refused, or is no longer agreed to."""
    name = row.get("event_name")
    if name == "consent_withdrawn":
        return {"status": "withdrawn"}
    if name != "consent_preferences":
        return {}
    kind = data.get("eventType", data.get("event_type"))
    return {"status": kind} if kind in ("deny_all", "withdrawn") else {}


def _device(row: Mapping[str, Any], around: Entities, mobile: Mapping[str, Any]) -> dict[str, Any]:
    agent = _first(around, "nl_basjes_yauaa_context")
    found = agent.get("deviceClass", agent.get("device_class"))
    kind = text_or_none(found) or text_or_none(row.get("dvce_type"))
    if mobile:
        kind = text_or_none(mobile.get("osType", mobile.get("os_type"))) or "mobile"
    elif kind is None and str(row.get("dvce_ismobile")).lower() in ("1", "true"):
        kind = "mobile"
    return filled(
        {
            "type": None if kind is None else kind.lower(),
            "model": mobile.get("deviceModel", mobile.get("device_model")),
        }
    )


def _first(around: Entities, name: str) -> dict[str, Any]:
    """The first entity of this name; an empty one if there is none."""
    return obj(next(iter(around.get(name, ())), None))


SNOWPLOW_FORMAT = Format(
    name="snowplow",
    title="Snowplow",
    version=1,
    draft=_read,
    decisive=frozenset(
        {
            "event_id", "event_fingerprint", "user_id", "domain_userid", "network_userid", "event",
            "event_name", "se_action", "true_tstamp", "derived_tstamp", "collector_tstamp",
            "dvce_created_tstamp", "dvce_sent_tstamp",
        }
    ),
)  # fmt: skip
