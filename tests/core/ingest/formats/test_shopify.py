"""Webhooks and pixel events of Shopify: the traps, one by one."""

import json
from typing import Any

import pytest

from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.formats.shopify_lines import plain_id, sum_text
from streams.core.ingest.headers import decisive_headers
from tests.core.ingest.formats.goldens import goldens
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import read_record

ORDER: dict[str, Any] = {
    "id": 7001,
    "order_number": 1001,
    "created_at": "2024-05-20T12:00:00+02:00",
    "processed_at": "2024-05-20T12:00:00+02:00",
    "updated_at": "2024-05-20T12:00:01+02:00",
    "currency": "EUR",
    "total_price": "74.50",
    "financial_status": "paid",
    "customer": {"id": 4711},
    "cart_token": "c-1",
    "line_items": [{"product_id": 501, "title": "Lamp", "price": "74.50", "quantity": 1}],
}
AT_MS = 1_716_199_200_000  # of ORDER
REFUND: dict[str, Any] = {
    "id": 8001,
    "order_id": 7001,
    "customer": {"id": 4711},
    "created_at": "2024-05-25T09:00:00+02:00",
    "refund_line_items": [{"quantity": 1, "line_item": {"product_id": 501, "quantity": 3}}],
    "transactions": [{"kind": "refund", "amount": "10.00", "currency": "EUR", "status": "success"}],
}


def read(body: dict[str, Any], topic: str = "", **headers: str) -> Event | Rejection | Items:
    """A webhook, read. `headers`: others than the topic, by the end of their name."""
    given = {"X-Shopify-Topic": topic} if topic else {}
    given |= {f"X-Shopify-{name.replace('_', '-')}": value for name, value in headers.items()}
    return read_record(json.dumps(body).encode(), tuple((k, v.encode()) for k, v in given.items()))


def event(body: dict[str, Any], topic: str = "", **headers: str) -> Event:
    """A webhook that is an event."""
    found = read(body, topic, **headers)
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("topic", "status", "name", "moment"),
    [
        ("orders/create", "paid", "Order Completed", "truth"),
        ("orders/create", None, "Order Completed", "truth"),
        ("orders/create", "pending", "orders/create", "buy"),
        ("orders/create", "authorized", "orders/create", "buy"),
        ("orders/paid", "paid", "Order Completed", "truth"),
        ("orders/paid", "partially_refunded", "orders/paid", "none"),
        ("orders/updated", "paid", "orders/updated", "truth"),
        ("orders/updated", "partially_refunded", "orders/updated", "none"),
        ("orders/updated", "pending", "orders/updated", "none"),
        ("orders/cancelled", "voided", "orders/cancelled", "refund"),
        ("orders/fulfilled", "paid", "orders/fulfilled", "none"),
        ("ORDERS_PAID", "paid", "Order Completed", "truth"),
        # Without the header: what the order itself says.
        ("", "paid", "Order Completed", "truth"),
        ("", "pending", "orders/create", "buy"),
        ("", "partially_refunded", "orders/updated", "none"),
        ("", "voided", "orders/updated", "none"),
    ],
)
def test_an_order_is_bought_when_it_is_paid(topic: str, status: str | None, name: str, moment: str) -> None:
    """The topic and the payment decide what an order is."""
    found = event(ORDER | {"financial_status": status}, topic)
    assert (name, moment) == (found.name, moment_of(found))
    assert ("7001", "74.50", "EUR") == tuple(
        found.properties[key] for key in ("order_id", "value", "currency")
    )


@pytest.mark.parametrize("status", [[], {}, 7, True, ""])
def test_a_status_that_is_none(status: Any) -> None:
    """Whatever stands where the status belongs, such an order is not taken for paid."""
    assert "none" == moment_of(event(ORDER | {"financial_status": status}))


def test_an_edit_after_months_is_no_second_purchase() -> None:
    """Without its header, an edited order is dated when it was bought, and joins there by its id."""
    edited = ORDER | {"updated_at": "2024-08-28T09:00:00+02:00", "tags": "vip"}
    assert (AT_MS, "7001") == (event(edited).at_ms, event(edited).properties["order_id"])
    assert event(edited).id != event(ORDER).id


def test_a_cancelled_order_without_its_header() -> None:
    """It is a refund at the time of the cancellation."""
    found = event(ORDER | {"cancelled_at": "2024-05-21T12:00:00+02:00", "financial_status": "refunded"})
    assert ("orders/cancelled", AT_MS + 86_400_000) == (found.name, found.at_ms)


def test_the_time_of_a_payment() -> None:
    """It is in no field of the body: the header says it, else the time of the change."""
    later = ORDER | {"updated_at": "2024-05-22T12:00:00+02:00"}
    triggered = {"Triggered_At": "2024-05-22T10:00:00.500123456Z"}
    assert AT_MS + 2 * 86_400_000 + 500 == event(later, "orders/paid", **triggered).at_ms
    assert AT_MS + 2 * 86_400_000 == event(later, "orders/paid").at_ms
    assert AT_MS == event(later, "orders/create", **triggered).at_ms


def test_deliveries_that_repeat() -> None:
    """Shopify tries again for two days: one event has one id, whichever subscription it came by."""
    first = event(ORDER, "orders/create", Event_Id="e-1", Webhook_Id="w-1")
    again = event(ORDER, "orders/create", Event_Id="e-1", Webhook_Id="w-2")
    other = event(ORDER, "orders/paid", Event_Id="e-1", Webhook_Id="w-3")
    assert first.id == again.id != other.id
    assert event(ORDER).id == event(ORDER | {"tags": "new"}).id


def test_the_headers_stay_with_a_record() -> None:
    """What decides how a webhook is read is kept when it is forwarded."""
    names = ("X-Shopify-Topic", "X-Shopify-Event-Id", "X-Shopify-Triggered-At")
    assert names == tuple(name for name, _ in decisive_headers(tuple((name, b"x") for name in names)))
    assert () == decisive_headers((("X-Shopify-Hmac-Sha256", b"x"), ("X-Shopify-Webhook-Id", b"x")))


@pytest.mark.parametrize("topic", ["orders/create", "orders/paid", "", "products/update", "orders/delete"])
def test_what_is_no_event(topic: str) -> None:
    """Orders of a test, and what is about the shop alone, are read and hold no event."""
    body = ORDER | {"test": True} if topic.startswith("orders") or not topic else {"id": 1, "title": "Lamp"}
    assert Items(()) == read(body, topic)


@pytest.mark.parametrize(
    ("changes", "profile"),
    [
        ({}, "u:4711"),
        ({"customer": None}, "d:c-1"),
        ({"customer": {"id": None}, "cart_token": None, "checkout_token": "k-1"}, "d:k-1"),
        ({"customer": None, "note_attributes": [{"name": "rudderAnonymousId", "value": "d-1"}]}, "d:d-1"),
        ({"customer": None, "note_attributes": [{"name": "_anonymous_id", "value": "d-1"}]}, "d:d-1"),
        ({"customer": None, "note_attributes": [{"name": "pixel client ID", "value": "d-1"}]}, "d:d-1"),
        ({"customer": None, "note_attributes": [{"name": "anonymousId", "value": "undefined"}]}, "d:c-1"),
        ({"customer": None, "note_attributes": [{"name": "gift", "value": "x"}, 7]}, "d:c-1"),
        ({"customer": None, "user_id": 99}, "d:c-1"),
    ],
)
def test_whose_order_it_is(changes: dict[str, Any], profile: str) -> None:
    """The customer's; else of the device that a collector noted, or of the cart. `user_id` is the staff's."""
    assert profile == event(ORDER | changes).profile


def test_a_refund_that_names_nobody() -> None:
    """It is refused for its person alone: `user_id` is who paid it back."""
    found = read({**REFUND, "customer": None, "user_id": 333}, "refunds/create")
    assert isinstance(found, Rejection)
    assert Reason.MISSING_PERSON == found.reason


def test_a_refund_of_some_items() -> None:
    """It has the order's id, what was paid back, exactly, and which items, with their number."""
    paid_back = [
        {"kind": "refund", "amount": "0.10", "currency": "EUR", "status": "success"},
        {"kind": "refund", "amount": "0.20", "currency": "EUR", "status": "success"},
        {"kind": "refund", "amount": "9.00", "currency": "EUR", "status": "failure"},
        {"kind": "sale", "amount": "9.00", "currency": "EUR", "status": "success"},
    ]
    found = event(REFUND | {"transactions": paid_back}, "refunds/create")
    assert "refund" == moment_of(found)
    assert ("7001", "0.30", "EUR") == tuple(
        found.properties[key] for key in ("order_id", "refunded_amount", "currency")
    )
    assert [("501", 1)] == [(one["product_id"], one["quantity"]) for one in found.properties["products"]]


@pytest.mark.parametrize("transactions", [[], [{"kind": "void"}], [{"kind": "refund", "test": True}]])
def test_a_refund_without_money(transactions: list[Any]) -> None:
    """An edit of an order that was not paid makes a refund, too. Nothing was paid back: it is no event."""
    assert Items(()) == read(REFUND | {"transactions": transactions}, "refunds/create")


def test_a_checkout_that_is_completed() -> None:
    """Its order comes by itself, and comes before: the checkout must not open a journey after it."""
    checkout = {
        "token": "k-1",
        "cart_token": "c-1",
        "abandoned_checkout_url": "https://shop.example/recover",
        "created_at": "2024-05-20T11:58:00+02:00",
        "updated_at": "2024-05-20T12:00:02+02:00",
        "line_items": [],
    }
    assert "buy" == moment_of(event(checkout))
    assert Items(()) == read(checkout | {"completed_at": "2024-05-20T12:00:00+02:00"})


def test_a_pixel_and_a_webhook_meet() -> None:
    """They name one customer and one order alike, whichever form of an id each of them writes."""
    order = {"id": "gid://shopify/OrderIdentity/7001", "customer": {"id": "gid://shopify/Customer/4711"}}
    pixel = {
        "id": "sh-1",
        "name": "checkout_completed",
        "clientId": "d-1",
        "timestamp": "2024-05-20T10:00:00Z",
        "data": {"checkout": {"order": order}},
    }
    seen, sold = event(pixel), event(ORDER)
    assert seen.profile == sold.profile
    assert seen.properties["order_id"] == sold.properties["order_id"]
    assert "truth" == moment_of(seen)


def test_a_page_of_another_tool_with_a_client_id() -> None:
    """A Segment call may have a clientId of its own, and is no event of the pixel."""
    call = {"type": "Page", "name": "Home", "clientId": "c", "timestamp": "2024-05-20T10:00:00Z"}
    assert "segment" == detect(call | {"anonymousId": "a"}, ())
    assert "d:a" == event(call | {"anonymousId": "a"}).profile


def test_a_custom_event_of_the_pixel() -> None:
    """Whatever its name and data, it is the device's."""
    found = event({"name": "quiz", "clientId": "d-1", "timestamp": "2024-05-20T10:00:00Z", "customData": {}})
    assert ("quiz", "d:d-1", AT_MS) == (found.name, found.profile, found.at_ms)


def test_no_address_of_the_network() -> None:
    """The IP address of a person is in no field of the event."""
    body = ORDER | {"browser_ip": "192.0.2.7", "client_details": {"browser_ip": "192.0.2.7"}}
    assert "192.0.2.7" not in str(event(body))


MOMENTS = [
    ("a checkout", "buy"),
    ("a cart", "buy"),
    ("pixel: a page", "know"),
    ("pixel: a product", "know"),
    ("pixel: put into the cart", "buy"),
    ("pixel: the cart", "buy"),
    ("pixel: a search", "know, unsure"),
    ("pixel: the payment is given", "buy"),
    ("pixel: a purchase, of somebody who is known", "truth"),
]


@pytest.mark.parametrize(("about", "moment"), MOMENTS)
def test_moments(about: str, moment: str) -> None:
    """The shipped rules read the events of the golden file."""
    golden = next(golden for golden in goldens("shopify") if golden.about == about)
    assert moment == moment_of(golden)


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        (["0.10", "0.20"], "0.30"),
        ([30, "1.5"], "31.5"),
        ([], None),
        (["1", None], None),
        (["1", "x"], None),
        (["1e400"], None),
        (["NaN"], None),
        (["9" * 40], None),
    ],
)
def test_sums_of_money(amounts: list[Any], total: str | None) -> None:
    """They are exact, and whatever is no money gives none."""
    assert total == sum_text(amounts)


@pytest.mark.parametrize(
    ("given", "plain"),
    [("gid://shopify/Customer/7", "7"), (7, 7), ("7", "7"), ("gid://x", "gid://x"), (None, None)],
)
def test_global_ids(given: Any, plain: Any) -> None:
    """A global id is the number at its end; any other stays."""
    assert plain == plain_id(given)
