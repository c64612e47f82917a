"""Reads events of Shopify's web pixel, which a browser sends."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.draft import Draft, Found, at, pick, stamps
from streams.core.ingest.formats.shape import (
    filled,
    id_text,
    obj,
    objects,
    page_of,
    text_or_none,
    with_only_product,
)
from streams.core.ingest.formats.shopify_lines import amount_text, plain_id, variants

_TYPES = ("standard", "custom", "dom", "meta")  # a call of another tool may have a clientId, too
_PEOPLE = (
    "data.customer.id",
    "customer.id",
    "init.data.customer.id",
    "data.checkout.order.customer.id",
)


def is_pixel(document: Mapping[str, Any]) -> bool:
    """True for an event of the pixel."""
    if document.get("type", "standard") not in _TYPES:
        return False
    return (
        isinstance(document.get("clientId"), str)
        and "name" in document
        and "timestamp" in document
        and isinstance(document.get("data", {}), dict)
    )


def read_pixel(document: Mapping[str, Any]) -> Draft:
    """Reads one event of the pixel."""
    data, around = obj(document.get("data")), obj(document.get("context"))
    name = document.get("name")
    seen = obj(around.get("document"))
    is_page = name == "page_viewed"
    return Draft(
        type="page" if is_page else "track",
        names=pick(document, "context.document.title") if is_page else pick(document, "name"),
        ids=pick(document, "id"),
        users=tuple(Found(found.path, plain_id(found.value)) for found in pick(document, *_PEOPLE)),
        devices=pick(document, "clientId"),
        happened=stamps(document, ("timestamp",)),
        properties=Found("data", _properties(data)),
        context=Found(
            "context",
            filled(
                {
                    "page": page_of(at(seen, "location.href"), seen.get("referrer"), seen.get("title")),
                    "userAgent": at(around, "navigator.userAgent"),
                    "locale": at(around, "navigator.language"),
                    "location": filled({"country": at(data, "checkout.shippingAddress.countryCode")}),
                    "consent": obj(document.get("customerPrivacy"))
                    or obj(at(document, "init.customerPrivacy")),
                }
            ),
        ),
        identity=[document.get(key) for key in ("clientId", "name", "timestamp", "seq")] + [data],
        channel=Found("", "web"),
    )


def _properties(data: Mapping[str, Any]) -> dict[str, Any]:
    checkout = obj(data.get("checkout"))
    money = (
        obj(checkout.get("totalPrice"))
        or obj(at(data, "cart.cost.totalAmount"))
        or obj(at(data, "cartLine.cost.totalAmount"))
        or obj(at(data, "productVariant.price"))
    )
    coupons = [
        text_or_none(discount.get("title"))
        for discount in objects(checkout.get("discountApplications"))
        if discount.get("type") == "DISCOUNT_CODE"
    ]
    order = obj(checkout.get("order"))
    found = at(data, "searchResult.productVariants")
    properties = {
        **{key: value for key, value in data.items() if key != "customer"},
        **filled(
            {
                "order_id": id_text(plain_id(order.get("id"))),
                "checkout_token": checkout.get("token"),
                "value": amount_text(money.get("amount")),
                "currency": text_or_none(checkout.get("currencyCode"))
                or text_or_none(money.get("currencyCode")),
                "coupon": next(iter(coupons), None),
                "products": variants(data),
                "query": text_or_none(at(data, "searchResult.query")),
                "search_results": len(found) if isinstance(found, list) else None,
            }
        ),
    }
    # What a search or a collection lists is not what the person chose, be it one product only.
    return properties if "collection" in data or "searchResult" in data else with_only_product(properties)
