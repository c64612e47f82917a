"""Puts the products and the money of Shopify, of its webhooks and of its pixel, into Segment's shape."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from streams.core.ingest.formats.shape import filled, id_text, obj, objects, text_or_none

MAX_AMOUNT_CHARS = 32  # of an amount: longer ones are no money, and sums of them are slow

_GID = re.compile(r"gid://shopify/\w+/(\d+)(?:\?.*)?")


def plain_id(value: Any) -> Any:
    """An id as webhooks write it: the digits of `gid://shopify/Customer/7188389789809`."""
    match = _GID.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value


def amount_text(value: Any) -> str | None:
    """An amount as text, whether it came as text or as a number."""
    return (
        text_or_none(value) if isinstance(value, str) else str(value) if type(value) in (int, float) else None
    )


def sum_text(amounts: list[Any]) -> str | None:
    """The sum of amounts, exactly; None if one of them is no amount, or there is none."""
    total = Decimal(0)
    for amount in amounts:
        plain = amount_text(amount)
        if plain is None or len(plain) > MAX_AMOUNT_CHARS:
            return None
        try:
            found = Decimal(plain)
        except InvalidOperation:
            return None
        if not found.is_finite() or abs(found.adjusted()) > MAX_AMOUNT_CHARS:
            return None
        total += found
    return format(total, "f") if amounts else None


def line(item: Mapping[str, Any], quantity: Any = None) -> dict[str, Any]:
    """A product of `line_items`. `quantity`: how many of it, where it is not all of the line."""
    return filled(
        {
            "product_id": id_text(item.get("product_id")),
            "variant_id": id_text(item.get("variant_id")),
            "sku": text_or_none(item.get("sku")),
            "name": text_or_none(item.get("title")) or text_or_none(item.get("name")),
            "category": text_or_none(item.get("product_type")),
            "brand": text_or_none(item.get("vendor")),
            "price": amount_text(item.get("price")),
            "quantity": item.get("quantity") if quantity is None else quantity,
        }
    )


def variant(found: Mapping[str, Any], quantity: Any = None) -> dict[str, Any]:
    """A product of the pixel, where it is called a variant or merchandise."""
    product = obj(found.get("product"))
    return filled(
        {
            "product_id": id_text(plain_id(product.get("id"))),
            "variant_id": id_text(plain_id(found.get("id"))),
            "sku": text_or_none(found.get("sku")),
            "name": text_or_none(product.get("title")),
            "category": text_or_none(product.get("type")),
            "brand": text_or_none(product.get("vendor")),
            "price": amount_text(obj(found.get("price")).get("amount")),
            "quantity": quantity,
        }
    )


def variants(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All products that an event of the pixel is about."""
    cart_lines = objects([data.get("cartLine")]) + objects(obj(data.get("cart")).get("lines"))
    listed = objects(obj(data.get("collection")).get("productVariants"))
    listed += objects(obj(data.get("searchResult")).get("productVariants"))
    bought = objects(obj(data.get("checkout")).get("lineItems"))
    return [
        *(variant(one) for one in objects([data.get("productVariant")])),
        *(variant(obj(one.get("merchandise")), one.get("quantity")) for one in cart_lines),
        *(variant(obj(one.get("variant")), one.get("quantity")) for one in bought),
        *(variant(one) for one in listed),
    ]
