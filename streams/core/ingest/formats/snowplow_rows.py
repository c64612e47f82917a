"""Makes a row with named columns of an enriched event, whichever way Snowplow wrote it.

The stream of the enrichment has tabs between columns without names. Analytics SDKs and loaders write objects
with the names, and each entity as a column of its own. All three hold the same.
"""

import re
from collections.abc import Mapping
from typing import Any

from streams.core.ingest.formats.shape import objects, text_or_none
from streams.core.ingest.json_text import clean, json_in

COLUMNS = (
    "app_id", "platform", "etl_tstamp", "collector_tstamp", "dvce_created_tstamp", "event", "event_id",
    "txn_id", "name_tracker", "v_tracker", "v_collector", "v_etl", "user_id", "user_ipaddress",
    "user_fingerprint", "domain_userid", "domain_sessionidx", "network_userid", "geo_country", "geo_region",
    "geo_city", "geo_zipcode", "geo_latitude", "geo_longitude", "geo_region_name", "ip_isp",
    "ip_organization", "ip_domain", "ip_netspeed", "page_url", "page_title", "page_referrer",
    "page_urlscheme", "page_urlhost", "page_urlport", "page_urlpath", "page_urlquery", "page_urlfragment",
    "refr_urlscheme", "refr_urlhost", "refr_urlport", "refr_urlpath", "refr_urlquery", "refr_urlfragment",
    "refr_medium", "refr_source", "refr_term", "mkt_medium", "mkt_source", "mkt_term", "mkt_content",
    "mkt_campaign", "contexts", "se_category", "se_action", "se_label", "se_property", "se_value",
    "unstruct_event", "tr_orderid", "tr_affiliation", "tr_total", "tr_tax", "tr_shipping", "tr_city",
    "tr_state", "tr_country", "ti_orderid", "ti_sku", "ti_name", "ti_category", "ti_price", "ti_quantity",
    "pp_xoffset_min", "pp_xoffset_max", "pp_yoffset_min", "pp_yoffset_max", "useragent", "br_name",
    "br_family", "br_version", "br_type", "br_renderengine", "br_lang", "br_features_pdf",
    "br_features_flash", "br_features_java", "br_features_director", "br_features_quicktime",
    "br_features_realplayer", "br_features_windowsmedia", "br_features_gears", "br_features_silverlight",
    "br_cookies", "br_colordepth", "br_viewwidth", "br_viewheight", "os_name", "os_family",
    "os_manufacturer", "os_timezone", "dvce_type", "dvce_ismobile", "dvce_screenwidth", "dvce_screenheight",
    "doc_charset", "doc_width", "doc_height", "tr_currency", "tr_total_base", "tr_tax_base",
    "tr_shipping_base", "ti_currency", "ti_price_base", "base_currency", "geo_timezone", "mkt_clickid",
    "mkt_network", "etl_tags", "dvce_sent_tstamp", "refr_domain_userid", "refr_dvce_tstamp",
    "derived_contexts", "domain_sessionid", "derived_tstamp", "event_vendor", "event_name", "event_format",
    "event_version", "event_fingerprint", "true_tstamp",
)  # fmt: skip
MIN_COLUMNS = COLUMNS.index("event_name") + 1  # programs that trim lines take the empty columns at their end

Entities = dict[str, list[dict[str, Any]]]
"""By vendor and name, as `com_snowplowanalytics_snowplow_ecommerce_product`: whatever their version."""

_WITH_ENTITIES = ("contexts", "derived_contexts")  # how columns begin
_WITH_PAYLOAD = "unstruct_event"
_ENTITY_COLUMN = re.compile(r"contexts_(.+?)(?:_\d+){1,3}")
_PAYLOAD_COLUMN = re.compile(r"unstruct_event_(.+?)(?:_\d+){1,3}")
_SCHEMA = re.compile(r"iglu:([^/]+)/([^/]+)/")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def is_line(document: Any) -> bool:
    """True for a text that has the columns of an enriched event."""
    return isinstance(document, str) and MIN_COLUMNS <= document.count("\t") + 1 <= len(COLUMNS)


def is_row(document: Any) -> bool:
    """True for an object with the columns of an enriched event; warehouses may write them in capitals."""
    if not isinstance(document, dict):
        return False
    return ("collector_tstamp" in document and "event_id" in document) or (
        "COLLECTOR_TSTAMP" in document and "EVENT_ID" in document
    )


def row_of(document: Any) -> dict[str, Any] | None:
    """The columns that are not empty; None for a document that is no enriched event."""
    if is_line(document):
        cells = zip(COLUMNS, document.split("\t"), strict=False)
        return {column: cell for column, cell in cells if cell}
    if not is_row(document):
        return None
    return {column.lower(): cell for column, cell in document.items() if cell is not None and cell != ""}


def entities(row: Mapping[str, Any]) -> Entities:
    """The entities of a row, with those that the enrichment added."""
    found: Entities = {}
    for column, cell in row.items():
        if not column.startswith(_WITH_ENTITIES):
            continue
        if column in _WITH_ENTITIES:
            data = _inner(cell)
            for entity in objects(data.get("data") if isinstance(data, dict) else data):
                if name := _schema_name(entity):
                    found.setdefault(name, []).extend(objects([entity.get("data")]))
        elif match := _ENTITY_COLUMN.fullmatch(column):
            members = objects(_inner(cell))
            if members:
                found.setdefault(match[1], []).extend(members)
    return found


def payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a self-describing event says; nothing for any other."""
    for column, cell in row.items():
        if not column.startswith(_WITH_PAYLOAD):
            continue
        if column == _WITH_PAYLOAD:
            outer = _inner(cell)
            inner = outer.get("data") if isinstance(outer, dict) else None
            data = inner.get("data") if isinstance(inner, dict) else None
        elif _PAYLOAD_COLUMN.fullmatch(column):
            data = _inner(cell)
            data = next(iter(objects(data)), None) if isinstance(data, list) else data
        else:
            continue
        if isinstance(data, dict):
            return data
    return {}


def _inner(cell: Any) -> Any:
    """What a cell holds, which is JSON text where the row came through a table."""
    decoded = json_in(cell) if isinstance(cell, str) else None
    if decoded is None:
        return cell
    return clean(decoded.document, set()) if decoded.is_dirty else decoded.document


def _schema_name(entity: Mapping[str, Any]) -> str | None:
    match = _SCHEMA.match(text_or_none(entity.get("schema")) or "")
    return None if match is None else _OTHER.sub("_", _HUMP.sub("_", f"{match[1]}_{match[2]}").lower())
