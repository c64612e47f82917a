"""Reads Matomo: tracking requests, by themselves or many in a body, and its log of visits."""

import re
from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, Unit, pick, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.matomo_request import is_request, offset_of, read_request
from streams.core.ingest.formats.shape import filled, objects, page_of, text_or_none, with_only_product

MAX_SHARED_CHARS = 512  # of a field of a visit, which is put beside each of its actions

_SHARED = (
    "idSite", "idVisit", "visitorId", "userId", "deviceType", "countryCode", "country", "languageCode",
    "operatingSystemName", "referrerType", "referrerName", "referrerUrl", "campaignName", "campaignKeyword",
    "serverTimestamp", "firstActionTimestamp", "visitLocalTime",
)  # fmt: skip
_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")
_LEADING_AWAY = ("outlink", "download")  # their address is where the person went
_DEVICES = {"phablet": "mobile", "feature phone": "mobile", "console": "tv"}


def is_matomo(document: Any) -> bool:
    """True for a tracking request, a body of many, and a visit with its actions."""
    return is_request(document) or _is_visit(document) or _requests(document) is not None


def _read(document: Any, _: InputContext) -> Draft | Rejection | None:
    """Reads a tracking request, or a visit that has one action."""
    if is_request(document):
        return read_request(document)
    if _is_visit(document):
        actions = objects(document["actionDetails"])
        return _read_action(document, actions[0]) if actions else None
    return reject(Reason.UNKNOWN_FORMAT, "neither idsite and rec of a tracking request, nor actionDetails")


def _split(document: Any) -> list[Any] | None:
    """The requests of a body, which may have many, or the visit once for each of its actions."""
    if (requests := _requests(document)) is not None:
        return [part for request in requests for part in _visits_in(request)]
    if not _is_visit(document) or len(document["actionDetails"]) == 1:
        return None
    shared = {key: document[key] for key in _SHARED if key in document and _is_short(document[key])}
    return [{**shared, "actionDetails": [action]} for action in document["actionDetails"]]


def _visits_in(request: Any) -> list[Any]:
    """A request, or a visit that stands among requests, taken apart too."""
    return (_split(request) if _is_visit(request) else None) or [request]


def _requests(document: Any) -> list[Any] | None:
    found = document.get("requests") if isinstance(document, dict) else None
    return found if isinstance(found, list) and (not found or any(map(is_request, found))) else None


def _is_visit(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("actionDetails"), list)
        and ("idVisit" in document or "visitorId" in document)
    )


def _is_short(value: Any) -> bool:
    return len(value) <= MAX_SHARED_CHARS if isinstance(value, str) else isinstance(value, int | float)


def _read_action(visit: Mapping[str, Any], action: Mapping[str, Any]) -> Draft:
    kind, names = _named(action)
    seen_at = None if action.get("type") in _LEADING_AWAY else action.get("url")
    seen = _DEVICES.get(device := str(visit.get("deviceType") or "").lower(), device)
    country = text_or_none(visit.get("countryCode"))
    return Draft(
        type=kind,
        names=names,
        ids=pick(action, "idlink_va"),
        users=pick(visit, "userId"),
        devices=pick(visit, "visitorId"),
        happened=(
            *stamps(action, ("timestamp",), Unit.SECONDS, corrected=True),
            *stamps(visit, ("serverTimestamp",), Unit.SECONDS, corrected=True),
        ),
        properties=Found("actionDetails", _properties(action)),
        context=Found(
            "",
            filled(
                {
                    "page": page_of(seen_at, visit.get("referrerUrl"), action.get("pageTitle")),
                    "device": filled({"type": seen}),
                    "campaign": filled(
                        {"name": visit.get("campaignName"), "term": visit.get("campaignKeyword")}
                    ),
                    "referrer": filled(
                        {"type": visit.get("referrerType"), "name": visit.get("referrerName")}
                    ),
                    "locale": text_or_none(visit.get("languageCode")),
                    "os": filled({"name": visit.get("operatingSystemName")}),
                    "location": filled(
                        {"country": visit.get("country") if country is None else country.upper()}
                    ),
                }
            ),
        ),
        identity=[visit.get("idVisit"), visit.get("visitorId")]
        + [action.get(key) for key in ("idpageview", "timestamp", "type", "url", "orderId")]
        + [action.get(key) for key in ("eventAction", "eventName", "siteSearchKeyword", "goalId")],
        channel=Found("", "web"),
        offset_minutes=_offset_minutes(visit),
    )


def _named(action: Mapping[str, Any]) -> tuple[str, tuple[Found, ...]]:
    kind = action.get("type")
    if kind == "event":
        return "track", pick(action, "eventAction", "eventCategory")
    if action.get("productViewSku") or action.get("productViewName"):
        return "track", (Found("actionDetails.productViewSku", "product_view"),)
    if kind == "action":
        return "page", pick(action, "pageTitle")
    return "track", pick(action, "type")


def _properties(action: Mapping[str, Any]) -> dict[str, Any]:
    products = [
        filled(
            {
                "product_id": item.get("itemSKU"),
                "sku": item.get("itemSKU"),
                "name": item.get("itemName"),
                "category": item.get("categories") or item.get("itemCategory"),
                "price": item.get("price"),
                "quantity": item.get("quantity"),
            }
        )
        for item in objects(action.get("itemDetails"))
    ]
    shop = {
        "order_id": action.get("orderId"),
        "value": action.get("revenue", action.get("eventValue")),
        "products": products,
        "query": action.get("siteSearchKeyword"),
        "category": action.get("eventCategory")
        or action.get("siteSearchCategory")
        or action.get("productViewCategories"),
        "product_id": action.get("productViewSku"),
        "name": action.get("productViewName"),
        "price": action.get("productViewPrice"),
        "link_url": action.get("url") if action.get("type") in _LEADING_AWAY else None,
        "page_load_ms": action.get("pageLoadTimeMilliseconds"),
    }
    return with_only_product({**action, **filled(shop)})


def _offset_minutes(visit: Mapping[str, Any]) -> int | None:
    """The distance from UTC of the person's clock, which the first action shows."""
    match = _LOCAL_TIME.fullmatch(text_or_none(visit.get("visitLocalTime")) or "")
    first = visit.get("firstActionTimestamp")
    if match is None or type(first) is not int:
        return None
    return offset_of(int(match[1]) * 60 + int(match[2]), first // 60)


MATOMO_FORMAT = Format(
    name="matomo",
    title="Matomo",
    version=1,
    draft=_read,
    split=_split,
    decisive=frozenset(
        {
            "_id", "cid", "uid", "cdt", "idgoal", "ec_id", "e_a", "e_c", "search", "visitorId", "userId",
            "actionDetails.type", "actionDetails.timestamp", "actionDetails.orderId",
            "actionDetails.eventAction", "actionDetails.idlink_va", "serverTimestamp",
        }
    ),
)  # fmt: skip
