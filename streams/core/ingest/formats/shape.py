"""Puts what a tool says into the shape of a Segment call, which rules, dimensions, needs and orders read."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

MAX_QUERY_FIELDS = 100  # of the query of an address that are looked at: more are no campaign's
# Under these names tag managers put what a consent tool says into the parameters of an event.
CONSENT_CODES = ("gcs", "OnetrustActiveGroups", "tcString")
_CAMPAIGN = ("source", "medium", "campaign", "term", "content")
_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_AMOUNTS = ("total", "revenue", "value", "refunded_amount")  # where an order has what was paid, or given back


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """These fields without the empty ones: null, and empty texts, objects and lists."""
    return {name: value for name, value in fields.items() if value not in _EMPTY}


def obj(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none if it is no list."""
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def text_or_none(value: Any) -> str | None:
    """The value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def id_text(value: Any) -> str | None:
    """An id for properties: a text, or the digits of a whole number."""
    return str(value) if type(value) is int else text_or_none(value)


def page_of(url: Any, referrer: Any = None, title: Any = None) -> dict[str, Any]:
    """`context.page` of an address."""
    address = text_or_none(url) or ""
    plain, _, fragment = address.partition("#")
    before, question, search = plain.partition("?")
    scheme = before.find("://")
    path = before if scheme < 0 else "/" + before[scheme + 3 :].partition("/")[2]
    return filled(
        {
            "url": address,
            "path": path if address else None,
            "search": question + search if search else None,
            "hash": f"#{fragment}" if fragment else None,
            "referrer": text_or_none(referrer),
            "title": text_or_none(title),
        }
    )


def consent_of(*places: Mapping[str, Any]) -> dict[str, Any]:
    """`context.consent`: what the first of these objects says by category, with the codes in any of them."""
    codes = {key: place[key] for place in places for key in CONSENT_CODES if place.get(key)}
    return {**places[0], **codes}


def campaign_in(url: Any) -> dict[str, Any]:
    """`context.campaign` of the `utm_` parameters in an address."""
    query = (text_or_none(url) or "").partition("?")[2].partition("#")[0]
    if "utm_" not in query:
        return {}
    try:
        given = dict(parse_qsl(query, max_num_fields=MAX_QUERY_FIELDS))
    except ValueError:
        return {}
    found = {key: given.get(f"utm_{key}") for key in _CAMPAIGN}
    found["name"] = found.pop("campaign")
    return filled(found)


def with_only_product(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties, with those of the product where there is one only, as in Segment's Product Viewed.

    Its amounts stay with it: what an item costs is not what was paid for the order.
    """
    products = properties.get("products")
    if isinstance(products, list) and len(products) == 1 and isinstance(products[0], dict):
        return {key: value for key, value in products[0].items() if key not in _AMOUNTS} | properties
    return properties
