"""Reads webhooks of Shopify, and events of its web pixel.

Only a header names the topic of a webhook. Where it is lost, the body shows what it is about. An order says
that it was bought when it is paid, whatever its topic; docs/connect/shopify.md has the names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from streams.core.ingest.draft import Draft, Found, Stamp, at, pick, stamps
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.shape import (
    filled,
    id_text,
    obj,
    objects,
    page_of,
    text_or_none,
    with_only_product,
)
from streams.core.ingest.formats.shopify_lines import line, sum_text
from streams.core.ingest.formats.shopify_pixel import is_pixel, read_pixel
from streams.core.ingest.headers import (
    SHOPIFY_EVENT_HEADER,
    SHOPIFY_TIME_HEADER,
    SHOPIFY_TOPIC_HEADER,
    RawHeaders,
    header,
)

COMPLETED = "Order Completed"
_UNPAID = ("pending", "authorized", "partially_paid")
_ABOUT_PEOPLE = ("orders", "refunds", "checkouts", "carts")  # other topics are about the shop
_WITHOUT_EVENT = frozenset({"orders/delete", "orders/edited", "carts/delete", "checkouts/delete"})
_OWN_DEVICES = ("anonymousid", "clientid")  # what collectors call the id that they put into note_attributes
_CHANNELS = {"web": "web", "pos": "store", "iphone": "app", "android": "app"}
_NO_LETTER = re.compile(r"[^a-z]+")
_LIBRARY = "shopify-webhook"  # as the library that sends: a server's, whatever channel the order came by
_HIDDEN = ("client_details", "browser_ip")  # the address of a person's network goes into no field


class _Webhook(NamedTuple):
    """A body with what its headers say."""

    topic: str
    body: Mapping[str, Any]
    event_id: str | None
    triggered_at: str | None


def is_shopify(document: Any, headers: RawHeaders) -> bool:
    """True for a webhook, with or without its header, and for an event of the pixel."""
    if not isinstance(document, dict):
        return False
    if header(headers, SHOPIFY_TOPIC_HEADER) is not None or is_pixel(document):
        return True
    return _delivered(document) is not None or _topic_of(document) is not None


def _read(document: Any, found: InputContext) -> Draft | Rejection | None:
    """Reads a webhook, or an event of the pixel."""
    if not isinstance(document, dict):
        return reject(Reason.UNKNOWN_FORMAT, "the record is not an object")
    topic = header(found.headers, SHOPIFY_TOPIC_HEADER)
    if topic is None and is_pixel(document):
        return read_pixel(document)
    if topic is None:
        webhook = _delivered(document)
        if webhook is None:
            seen = _topic_of(document)
            if seen is None:
                wanted = "a webhook's order, refund, checkout or cart, or an event of the pixel"
                return reject(Reason.UNKNOWN_FORMAT, f"the record is not {wanted}")
            webhook = _Webhook(seen, document, None, None)
    else:
        event_id, time = (header(found.headers, name) for name in (SHOPIFY_EVENT_HEADER, SHOPIFY_TIME_HEADER))
        webhook = _Webhook(_slashed(topic), document, event_id, time)
    return _read_webhook(webhook)


def _read_webhook(webhook: _Webhook) -> Draft | None:
    """Reads a webhook. There is no event in tests, in what is about the shop alone, and in what is over."""
    kind = webhook.topic.partition("/")[0]
    if kind not in _ABOUT_PEOPLE or webhook.topic in _WITHOUT_EVENT or webhook.body.get("test") is True:
        return None
    return _READERS[kind](webhook)


def _order(webhook: _Webhook) -> Draft:
    body, topic = webhook.body, webhook.topic
    status = body.get("financial_status")
    name, times = topic, ("updated_at", "created_at")
    if topic in ("orders/create", "orders/paid") and status in ("paid", None):
        name = COMPLETED
    if topic == "orders/create":
        times = ("processed_at", "created_at")
    elif topic == "orders/cancelled":
        times = ("cancelled_at", "updated_at")
    order_id = id_text(body.get("id"))
    products = [line(item) for item in objects(body.get("line_items"))]
    return _draft(
        webhook,
        name,
        times,
        {
            "order_id": order_id,
            "value": body.get("total_price"),
            "currency": body.get("currency"),
            "status": text_or_none(status),
            "coupon": next(
                (text_or_none(code.get("code")) for code in objects(body.get("discount_codes"))), None
            ),
            "products": products,
        },
    )


def _refund(webhook: _Webhook) -> Draft | None:
    """A refund; none where nothing was paid back, as when an unpaid order is edited."""
    body = webhook.body
    paid_back = [one for one in objects(body.get("transactions")) if one.get("kind") == "refund"]
    paid_back = [one for one in paid_back if one.get("status") in ("success", "pending", None)]
    real = [one for one in paid_back if one.get("test") is not True]
    if isinstance(body.get("transactions"), list) and not real:
        return None
    products = [
        line(obj(one.get("line_item")) or one, one.get("quantity"))
        for one in objects(body.get("refund_line_items"))
    ]
    return _draft(
        webhook,
        webhook.topic,
        ("processed_at", "created_at"),
        {
            "order_id": id_text(body.get("order_id")),
            "refunded_amount": sum_text([one.get("amount") for one in real]),
            "currency": next((text_or_none(one.get("currency")) for one in real), None),
            "products": products,
        },
    )


def _checkout(webhook: _Webhook) -> Draft | None:
    """A checkout; none once it is completed, since its order comes by itself, and comes before."""
    body = webhook.body
    if body.get("completed_at"):
        return None
    return _draft(
        webhook,
        webhook.topic,
        ("created_at",) if webhook.topic == "checkouts/create" else ("updated_at", "created_at"),
        {
            "checkout_token": body.get("token"),
            "value": body.get("total_price"),
            "currency": body.get("currency"),
            "coupon": next(
                (text_or_none(code.get("code")) for code in objects(body.get("discount_codes"))), None
            ),
            "products": [line(item) for item in objects(body.get("line_items"))],
        },
    )


def _cart(webhook: _Webhook) -> Draft:
    return _draft(
        webhook,
        webhook.topic,
        ("created_at",) if webhook.topic == "carts/create" else ("updated_at", "created_at"),
        {
            "cart_token": webhook.body.get("token"),
            "products": [line(item) for item in objects(webhook.body.get("line_items"))],
        },
    )


_READERS: Mapping[str, Callable[[_Webhook], Draft | None]] = {
    "orders": _order,
    "refunds": _refund,
    "checkouts": _checkout,
    "carts": _cart,
}


def _draft(webhook: _Webhook, name: str, times: Sequence[str], shop: Mapping[str, Any]) -> Draft:
    body, topic, event_id = webhook.body, webhook.topic, webhook.event_id
    source = text_or_none(body.get("source_name"))
    triggered = webhook.triggered_at
    # What was paid carries no time of the payment: that is when the webhook was triggered.
    first = (Stamp(SHOPIFY_TIME_HEADER, triggered),) if topic == "orders/paid" and triggered else ()
    last = (Stamp(SHOPIFY_TIME_HEADER, triggered),) if triggered else ()
    own = {key: value for key, value in body.items() if key not in _HIDDEN}
    identity = [topic, body.get("id") or body.get("token")]
    if topic != "refunds/create":  # a refund is made once, all others change
        identity.append(body.get("updated_at"))
    return Draft(
        type="track",
        names=(Found(SHOPIFY_TOPIC_HEADER, name),),
        # One action may trigger several topics, and all their webhooks have its id.
        ids=(Found(SHOPIFY_EVENT_HEADER, f"{topic}:{event_id}"),) if event_id else (),
        users=pick(body, "customer.id"),
        devices=(*_noted_devices(body), *pick(body, *_TOKENS[topic.partition("/")[0]])),
        happened=(*first, *stamps(body, times), *last),
        properties=Found("", with_only_product({**own, **filled(shop)})),
        context=Found("", _context(body)),
        identity=identity,
        channel=None if source is None else Found("source_name", _CHANNELS.get(source, source)),
    )


# Which field of a body says whose it is, where nobody is signed in: a cart and its order share one.
_TOKENS = {
    "orders": ("cart_token", "checkout_token"),
    "refunds": (),
    "checkouts": ("cart_token", "token"),
    "carts": ("token", "id"),
}


def _noted_devices(body: Mapping[str, Any]) -> tuple[Found, ...]:
    """The ids that a collector noted at the cart: they join an order with what its browser did."""
    return tuple(
        Found(f"note_attributes.{note['name']}", note.get("value"))
        for note in objects(body.get("note_attributes"))
        if isinstance(note.get("name"), str)
        and _NO_LETTER.sub("", note["name"].lower()).endswith(_OWN_DEVICES)
        and note.get("value") not in (None, "")
    )


def _context(body: Mapping[str, Any]) -> dict[str, Any]:
    return filled(
        {
            "library": {"name": _LIBRARY},
            "page": page_of(None, body.get("referring_site")),
            "userAgent": at(body, "client_details.user_agent"),
            "locale": body.get("customer_locale"),
            "location": filled(
                {
                    "country": at(body, "shipping_address.country_code")
                    or at(body, "billing_address.country_code")
                }
            ),
        }
    )


def _delivered(document: Mapping[str, Any]) -> _Webhook | None:
    """The webhook in an event of Amazon EventBridge, which has the headers beside the body."""
    if document.get("detail-type") != "shopifyWebhook":
        return None
    detail = obj(document.get("detail"))
    metadata = {key.lower(): value for key, value in obj(detail.get("metadata")).items()}
    topic = text_or_none(metadata.get(SHOPIFY_TOPIC_HEADER))
    if topic is None:
        return None
    return _Webhook(
        _slashed(topic),
        obj(detail.get("payload")),
        text_or_none(metadata.get(SHOPIFY_EVENT_HEADER)),
        text_or_none(metadata.get(SHOPIFY_TIME_HEADER)),
    )


def _topic_of(body: Mapping[str, Any]) -> str | None:
    """What a body without its header is about."""
    if isinstance(body.get("refund_line_items"), list) and "order_id" in body:
        return "refunds/create"
    if not isinstance(body.get("line_items"), list):
        return None
    is_new = body.get("created_at") == body.get("updated_at")
    if "order_number" in body and "total_price" in body:
        status = body.get("financial_status")
        if body.get("cancelled_at"):
            return "orders/cancelled"
        # One that is bought, or to be paid: whatever was edited, that is what it says.
        return "orders/create" if status in ("paid", None, *_UNPAID) else "orders/updated"
    if "abandoned_checkout_url" in body and "token" in body:
        return "checkouts/create" if is_new else "checkouts/update"
    if "token" in body and body.get("id") == body.get("token"):
        return "carts/create" if is_new else "carts/update"
    return None


def _slashed(topic: str) -> str:
    """`orders/create`, however a collector wrote it: `ORDERS_CREATE`, `orders_create`."""
    plain = topic.strip().lower()
    return plain if "/" in plain else plain.replace("_", "/", 1)


SHOPIFY_FORMAT = Format(
    name="shopify",
    title="Shopify",
    version=1,
    draft=_read,
    decisive=frozenset(
        {
            "id", "clientId", "name", "timestamp", "customer.id", "cart_token", "checkout_token", "token",
            "order_id", "financial_status", "created_at", "updated_at", "processed_at", "cancelled_at",
            "detail.payload.customer.id",
        }
    ),
)  # fmt: skip
