"""Reads experience events of Adobe's Experience Data Model (XDM), as the Experience Platform keeps them."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, at, pick, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.shape import filled, obj, objects, page_of, text_or_none, with_only_product

PAGE_VIEW = "web.webpagedetails.pageviews"  # in lower case: libraries differ in it
MAX_SHARED_IDENTITY_CHARS = 4096  # they are put into each event of a request; some ids are 300 or so
MAX_ZONE_MINUTES = 14 * 60  # no clock on earth is further from UTC

# What the shop's part of an event counts, the furthest first: an event can count several.
_MEASURES = (
    "purchases", "instantPurchase", "inStorePurchase", "checkouts", "productListAdds", "productListRemovals",
    "productListOpens", "productListReopens", "productListViews", "saveForLaters", "productViews",
)  # fmt: skip
# Namespaces of devices and browsers, in lower case: the first that an event has is its device.
_DEVICES = ("ecid", "mcid", "fpid", "aaid", "idfa", "gaid", "adcloud", "core", "waid")
_CONTACTS = ("email", "phone")  # how these namespaces begin: they change more often than a customer's number
_OF_PEOPLE = ("identityMap", "endUserIDs", "environment", "device", "placeContext")
_CHANNELS = {"browser": "web", "application": "app"}
_PLACES = ("", "xdm", "event.xdm", "body.xdmEntity")  # where the event is in what it is sent in


def is_xdm(document: Any) -> bool:
    """True for an experience event, by itself or in what it is sent in."""
    return _entity(document) is not None or _bodies(document) is not None


def _entity(document: Any) -> dict[str, Any] | None:
    """The event itself; None if there is none."""
    if not isinstance(document, dict):
        return None
    for path in _PLACES:
        found = at(document, path) if path else document
        if not isinstance(found, dict):
            continue
        if "xdm:timestamp" in found or "xdm:eventType" in found:
            found = _without_prefixes(found)
        is_named = isinstance(found.get("eventType"), str) and (path or "_id" in found)
        if (is_named and "timestamp" in found) or isinstance(found.get("identityMap"), dict):
            return obj(found)
    return None


def _bodies(document: Any) -> list[Any] | None:
    """The events of a request that has several."""
    found = document.get("events") if isinstance(document, dict) else None
    if not isinstance(found, list) or not any(isinstance(one, dict) and "xdm" in one for one in found):
        return None
    return found


def _split(document: Any) -> list[Any] | None:
    """The events of a request, each with the identities that all of them share."""
    bodies = _bodies(document)
    if bodies is None:
        return None
    shared = at(document, "xdm.identityMap")
    if not isinstance(shared, dict) or len(str(shared)) > MAX_SHARED_IDENTITY_CHARS:
        return bodies
    return [
        {**body, "xdm": {"identityMap": shared, **body["xdm"]}}
        if isinstance(body, dict) and isinstance(body.get("xdm"), dict)
        else body
        for body in bodies
    ]


def _read(document: Any, _: InputContext) -> Draft | Rejection | None:
    """Reads one experience event."""
    event = _entity(document)
    if event is None:
        return reject(Reason.UNKNOWN_FORMAT, "neither identityMap, nor _id, eventType and timestamp")
    kind, names = _named(event)
    users, devices = _identities(event)
    agent = at(event, "environment.browserDetails.userAgent")
    environment = at(event, "environment.type")
    return Draft(
        type=kind,
        names=names,
        ids=pick(event, "_id"),
        users=users,
        devices=devices,
        happened=stamps(event, ("timestamp",)),
        properties=Found("", _properties(event)),
        context=Found(
            "",
            filled(
                {
                    "page": page_of(
                        at(event, "web.webPageDetails.URL"),
                        at(event, "web.webReferrer.URL"),
                        at(event, "web.webPageDetails.name"),
                    ),
                    "device": filled({key: at(event, f"device.{key}") for key in ("type", "model")}),
                    "userAgent": agent,
                    "campaign": filled(
                        {"name": at(event, "marketing.campaignName") or at(event, "marketing.trackingCode")}
                    ),
                    "consent": obj(event.get("consents"))
                    | filled({"consentStrings": event.get("consentStrings")}),
                    "locale": at(event, "environment.language")
                    or at(event, "environment.browserDetails.acceptLanguage"),
                    "os": filled({"name": at(event, "environment.operatingSystem")}),
                    "location": filled(
                        {
                            "country": at(event, "placeContext.geo.countryCode"),
                            "city": at(event, "placeContext.geo.city"),
                        }
                    ),
                }
            ),
        ),
        identity=event,
        channel=Found("environment.type", _CHANNELS.get(environment, environment))
        if isinstance(environment, str)
        else None,
        offset_minutes=_offset_minutes(event),
    )


def _named(event: Mapping[str, Any]) -> tuple[str, tuple[Found, ...]]:
    """(type, names). What a page view counts for the shop says more than that a page was viewed."""
    name = text_or_none(event.get("eventType"))
    is_view = name is not None and name.lower() == PAGE_VIEW
    if name is None or is_view:
        commerce = obj(event.get("commerce"))
        for measure in _MEASURES:
            if _counts(commerce.get(measure)):
                return "track", (Found(f"commerce.{measure}", f"commerce.{measure}"),)
        if is_view or _counts(at(event, "web.webPageDetails.pageViews")):
            return "page", pick(event, "web.webPageDetails.name")
    return "track", pick(event, "eventType")


def _counts(measure: Any) -> bool:
    """True if a measure counts something: 1, or `1`."""
    value = measure.get("value") if isinstance(measure, dict) else None
    return value is not None and str(value).strip() not in ("", "0", "0.0", "False")


def _identities(event: Mapping[str, Any]) -> tuple[tuple[Found, ...], tuple[Found, ...]]:
    """(users, devices). The order depends on the namespaces alone, so one person is named alike each time.

    Who has logged out is known by the device alone.
    """
    users: list[tuple[bool, str, Found]] = []
    devices: list[tuple[int, Found]] = []
    for space, members in obj(event.get("identityMap")).items():
        plain = space.lower()
        for member in objects(members):
            found = Found(f"identityMap.{space}", member.get("id"))
            if found.value in (None, ""):
                continue
            if plain in _DEVICES:
                devices.append((_DEVICES.index(plain), found))
            elif member.get("authenticatedState") != "loggedOut":
                users.append((plain.startswith(_CONTACTS), plain, found))
    users.sort(key=lambda one: one[:2])
    devices.sort(key=lambda one: one[0])
    others = pick(event, "endUserIDs._experience.mcid.id", "endUserIDs._experience.aaid.id")
    return tuple(found for *_, found in users), (*(found for _, found in devices), *others)


def _properties(event: Mapping[str, Any]) -> dict[str, Any]:
    order = obj(at(event, "commerce.order"))
    refunds = objects(order.get("refunds"))
    shop = {
        "order_id": order.get("purchaseID"),
        "value": order.get("priceTotal"),
        "currency": order.get("currencyCode"),
        "refunded_amount": refunds[0].get("refundAmount") if len(refunds) == 1 else None,
        "coupon": at(event, "commerce.promotionID"),
        "products": [_product(item) for item in objects(event.get("productListItems"))],
        "query": text_or_none(at(event, "siteSearch.phrase"))
        or text_or_none(at(event, "siteSearch.term"))
        or text_or_none(at(event, "internalSiteSearch.term")),
        "link_url": at(event, "web.webInteraction.URL"),
    }
    own = {key: value for key, value in event.items() if key not in _OF_PEOPLE}
    return with_only_product({**own, **filled(shop)})


def _product(item: Mapping[str, Any]) -> dict[str, Any]:
    """`priceTotal` is of all pieces, so it is the price of one where there is one."""
    quantity = item.get("quantity")
    categories = [
        one.get("categoryName") or one.get("categoryID") for one in objects(item.get("productCategories"))
    ]
    return filled(
        {
            "product_id": item.get("SKU") or item.get("_id"),
            "sku": item.get("SKU"),
            "name": item.get("name"),
            "category": categories,
            "price": item.get("priceTotal") if quantity in (None, 1) else None,
            "total": item.get("priceTotal"),
            "quantity": quantity,
        }
    )


def _offset_minutes(event: Mapping[str, Any]) -> int | None:
    """`localTimezoneOffset` is in minutes west, as browsers say it: -120 is two hours ahead of UTC."""
    west = at(event, "placeContext.localTimezoneOffset")
    return -west if type(west) is int and abs(west) <= MAX_ZONE_MINUTES else None


def _without_prefixes(value: Any) -> Any:
    """A value without the prefixes of JSON-LD: `xdm:eventType`, `@id`."""
    if isinstance(value, dict):
        return {_plain_key(key): _without_prefixes(member) for key, member in value.items()}
    return [_without_prefixes(member) for member in value] if isinstance(value, list) else value


def _plain_key(key: str) -> str:
    return "_id" if key == "@id" else key.removeprefix("xdm:")


XDM_FORMAT = Format(
    name="xdm",
    title="Adobe Experience Platform",
    version=1,
    draft=_read,
    split=_split,
    decisive=frozenset(
        f"{before}{key}"
        for before in ("", *(f"{path}." for path in _PLACES if path))
        for key in ("_id", "timestamp", "eventType")
    ),
)
