"""Reads tracking requests of Matomo: the parameters of one, as a query string or as an object."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from streams.core.ingest.draft import Draft, Found, Stamp, Unit, pick, stamps
from streams.core.ingest.formats.shape import campaign_in, filled, page_of, text_or_none, with_only_product
from streams.core.ingest.json_text import clean, json_in
from streams.core.ingest.stamps import read_stamp
from streams.core.ingest.times import DAY_MINUTES, QUARTER_MINUTES

MAX_REQUEST_FIELDS = 500  # of a request: trackers send some fifty, and each costs time
MAX_WEST_MINUTES = 600  # a clock 11 hours behind UTC looks like one 13 ahead, where far more people live

_REQUEST = re.compile(r"(?:^|[?&])idsite=\d")
_BLANK = re.compile(r"\s")
_RECORDED = re.compile(r"(?:^|[?&])rec=1")
# A secret, and addresses of people; and what a request has only on its way.
_HIDDEN = frozenset({"token_auth", "cip", "lat", "long"})
_OF_THE_SENDING = _HIDDEN | {"send_image", "cdo", "queuedtracking"}
_LOAD_TIMES = ("pf_net", "pf_srv", "pf_tfr", "pf_dm1", "pf_dm2", "pf_onl")
_CALLS = ("_pks", "_pkn", "_pkp", "_pkc")  # of the product that a page shows


def is_request(document: Any) -> bool:
    """True for the query string of a tracking request, or for its parameters."""
    if isinstance(document, str):
        return (
            _REQUEST.search(document) is not None
            and _RECORDED.search(document) is not None
            and _BLANK.search(document) is None  # a line of a log that has such a request in it
        )
    return isinstance(document, dict) and "idsite" in document and "rec" in document


def read_request(document: Any) -> Draft | None:
    """Reads one tracking request. The impression of a content block shows nothing of its person."""
    given = _parameters(document) if isinstance(document, str) else document
    kind, name, more = _action(given)
    if kind is None:
        return None
    url = given.get("url")
    # PHP writes the language as browsers send it: it-it,it;q=0.8
    language = (text_or_none(given.get("lang")) or "").partition(",")[0]
    return Draft(
        type=kind,
        names=name,
        ids=(),
        users=pick(given, "uid"),
        devices=pick(given, "cid", "_id"),
        happened=_times(given),
        properties=Found("", with_only_product({**_visible(given), **filled(more)})),
        context=Found(
            "",
            filled(
                {
                    "page": page_of(url, given.get("urlref"), given.get("action_name")),
                    "userAgent": text_or_none(given.get("ua")),
                    "locale": language,
                    "location": filled({"country": text_or_none(given.get("country"))}),
                    "campaign": filled({"name": given.get("_rcn"), "term": given.get("_rck")})
                    or campaign_in(url),
                    "consent": filled({"tracking": given.get("consent")}),
                }
            ),
        ),
        identity={key: value for key, value in given.items() if key not in _OF_THE_SENDING},
        channel=Found("", "web") if isinstance(url, str) and url.startswith("http") else None,
        offset_minutes=_offset_minutes(given),
        arrives_when_it_happens=True,
    )


def _parameters(text: str) -> dict[str, Any]:
    _, question, query = text.partition("?")
    try:
        return dict(
            parse_qsl(query if question else text, keep_blank_values=True, max_num_fields=MAX_REQUEST_FIELDS)
        )
    except ValueError:
        return {}


def _action(given: Mapping[str, Any]) -> tuple[str | None, tuple[Found, ...], dict[str, Any]]:
    """(type, names, properties) of what a request says; the names are those of the visit log."""
    if str(given.get("idgoal")) == "0":
        name = "ecommerceOrder" if given.get("ec_id") else "ecommerceAbandonedCart"
        return "track", (Found("idgoal", name),), _shop(given)
    if given.get("search"):
        more = {"query": given["search"], "category": given.get("search_cat")}
        return "track", (Found("search", "search"),), more
    if given.get("e_a") or given.get("e_c"):
        more = {"category": given.get("e_c"), "label": given.get("e_n"), "value": given.get("e_v")}
        return "track", pick(given, "e_a", "e_c"), more
    for key, name in (("ping", "ping"), ("download", "download"), ("link", "outlink"), ("idgoal", "goal")):
        if given.get(key):
            return "track", (Found(key, name),), {"link_url": given.get("link") or given.get("download")}
    if given.get("c_n"):
        return ("track", (Found("c_i", "contentInteraction"),), {}) if given.get("c_i") else (None, (), {})
    shown = {key: given[key] for key in _CALLS if given.get(key)}
    if shown:
        name = "product_view" if shown.keys() & {"_pks", "_pkn"} else "list_view"
        return "track", (Found("_pks", name),), _product(shown)
    load_ms = [_milliseconds(given[key]) for key in _LOAD_TIMES if key in given]
    more = {"page_load_ms": None if None in load_ms else sum(filter(None, load_ms))} if load_ms else {}
    return "page", pick(given, "action_name"), more


def _shop(given: Mapping[str, Any]) -> dict[str, Any]:
    cell = given.get("ec_items")
    decoded = json_in(cell) if isinstance(cell, str) else None
    items = cell if decoded is None else clean(decoded.document, set())
    return {
        "order_id": given.get("ec_id"),
        "value": given.get("revenue"),
        "products": [_line(item) for item in items if isinstance(item, list)]
        if isinstance(items, list)
        else [],
    }


def _line(item: list[Any]) -> dict[str, Any]:
    """A product of `ec_items`: [sku, name, category, price, quantity]."""
    sku, name, category, price, quantity, *_ = *item, None, None, None, None, None
    return filled(
        {
            "product_id": sku,
            "sku": sku,
            "name": name,
            "category": category,
            "price": price,
            "quantity": quantity,
        }
    )


def _product(shown: Mapping[str, Any]) -> dict[str, Any]:
    category = shown.get("_pkc")
    decoded = json_in(category) if isinstance(category, str) else None
    return {
        "product_id": shown.get("_pks"),
        "sku": shown.get("_pks"),
        "name": shown.get("_pkn"),
        "price": shown.get("_pkp"),
        "category": category if decoded is None else clean(decoded.document, set()),
    }


def _visible(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in _HIDDEN and value != ""}


def _times(given: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """`cdt` is a number of seconds, or a text in UTC."""
    cdt = given.get("cdt")
    is_text = isinstance(cdt, str) and not cdt.strip().isdigit()
    return stamps(given, ("cdt",), Unit.UTC_TEXT if is_text else Unit.SECONDS, corrected=True)


def _offset_minutes(given: Mapping[str, Any]) -> int | None:
    """How far the person's clock, of which `h` and `m` are sent, is ahead of UTC; None if it is not known."""
    read = next((read_stamp(stamp, None) for stamp in _times(given)), None)
    try:
        local = int(str(given["h"])[:2]) * 60 + int(str(given["m"])[:2])
    except (KeyError, ValueError):
        return None
    if read is None or not 0 <= local < DAY_MINUTES:
        return None
    return offset_of(local, read.at_ms // 60_000)


def offset_of(local_minute: int, utc_minute: int) -> int:
    """The distance from UTC of a clock that shows a minute of the day, in quarter hours, as minutes."""
    ahead = (local_minute - utc_minute + MAX_WEST_MINUTES) % DAY_MINUTES - MAX_WEST_MINUTES
    return round(ahead / QUARTER_MINUTES) * QUARTER_MINUTES


def _milliseconds(value: Any) -> int | None:
    try:
        return int(str(value)[:9])
    except ValueError:
        return None
