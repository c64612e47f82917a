"""What purchases and refunds say of money: how it is read, published and counted."""

import msgspec
import pytest

from schemas import Tally
from streams.core.funnels.cells import MEASURE_REVENUE, MEASURE_SHIFT
from streams.core.funnels.currencies import CURRENCIES, DIGITS, currency_number, money_text
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import GREATEST, LEAST, Windows
from streams.core.ingest.event import Event
from streams.core.journeys.money import Money, Share
from streams.core.journeys.state import Patience
from streams.core.moments.rules import default_rules
from streams.core.processing.amounts import MAX_AMOUNT, MoneyReader, decimal_of, is_by_server, minor_units
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.parameters import Parameters
from streams.settings.fold import FoldSettings
from tests.core.processing.feeding import DAY, HORIZON, HOUR, MINUTE, Feed, event

EUR, USD, JPY, KWD = (currency_number(code) for code in ("EUR", "usd", "JPY", "Kwd"))
VALUES = tuple(FoldSettings().value)
NEEDS = ("properties.products.category", "properties.category")
PLAN = Parameters(
    Patience(), HORIZON, Dimensions(), needs=NEEDS, orders=("properties.order_id",), values=VALUES
)


def of(**properties: object) -> Event:
    """An event with these properties."""
    return Event("e", 0, 0, None, "1", "track", "Order Completed", properties, {})


def read(needs: tuple[str, ...] = ("",), *, is_refund: bool = False, **properties: object) -> Money | None:
    """What is read of it, where `EUR` is the currency of those that name none."""
    return MoneyReader(VALUES, "EUR", NEEDS).read(of(**properties), needs, is_refund=is_refund)


def feed() -> Feed:
    """A pipeline with the shipped rules."""
    return Feed(default_rules(), PLAN)


def revenue(fed: Feed) -> dict[tuple[str | None, str | None, str | None], int]:
    """What is counted over all time, by (kind, moment left, currency)."""
    found = [msgspec.json.decode(value, type=Tally) for value in fed.latest("tallies").values()]
    return {
        (t.kind, t.from_, t.currency): t.count for t in found if (t.measure, t.window) == ("revenue", "all")
    }


def carried(fed: Feed) -> list[tuple[str, str | None, int | None, str | None]]:
    """(kind, need, amount, currency) of the steps that stand and can carry an amount, in order of time."""
    kinds = ("converted", "partially_refunded", "refunded")
    found = [t for t in fed.standing().values() if t.kind in kinds]
    return [
        (t.kind, t.need, t.value_minor or None, t.currency or None)  # both are false if they are not there
        for t in sorted(found, key=lambda t: (t.at, t.need or "", t.kind))
    ]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (99.5, "99.5"),
        (12000, "12000"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("1.299,00", "1299.00"),
        ("1,299.00", "1299.00"),
        ("1 299,00 EUR", "1299.00"),
        ("1\u202f299,00\u00a0€", "1299.00"),
        ("$1'299.50", "1299.50"),
        ("1,299", "1299"),
        ("1.299", "1.299"),
        ("1.299.000", "1299000"),
        ("1,5", "1.5"),
        ("0,125", "0.125"),
        ("12,34,567", "1234567"),
        ("1,29,900.50", "129900.50"),
        ("Rs.500", "500"),
        ("Rs. 1,299.00", "1299.00"),
        ("500,00 kr.", "500.00"),
        ("1.299,-", "1299"),
        ("€.50", "0.50"),
        ("-5", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u22125 €", "-5"),
        ("(5.00)", "-5.00"),
        ("5.00-", "-5.00"),
        ("1e3", "1E+3"),
        ("12,34,56", None),
        ("1.2.3", None),
        ("a lot", None),
        ("", None),
        ("--5", None),
        ("9" * 41, None),
        (True, None),
        (None, None),
        ([5], None),
        (10**16, None),
    ],
)
def test_how_a_number_is_read(written: object, number: str | None) -> None:
    """As people and machines write it. What is no number is none; nothing is guessed of two readings."""
    found = decimal_of(written)
    assert number == (None if found is None else str(found))


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("90", EUR, 9000),
        ("12000", JPY, 12000),
        ("1.5", KWD, 1500),
        ("0.005", EUR, 1),
        ("0.0049", EUR, 0),
        ("1.005", EUR, 101),
        ("0.285", EUR, 29),
        ("12000.5", JPY, 12001),
        ("0", EUR, 0),
        ("-0.01", EUR, None),
        ("1E-50", EUR, 0),
        ("10000000000000.00", EUR, MAX_AMOUNT),
        ("10000000000000.01", EUR, None),
        ("1E+99", EUR, None),
        ("5", currency_number("XXX"), None),
    ],
)
def test_minor_units(written: str, currency: int, minor: int | None) -> None:
    """Whole ones of the currency, halves up, exactly; what is out of range or has no currency is none."""
    assert minor == minor_units(decimal_of(written), currency)


def test_currencies_keep_their_numbers() -> None:
    """They stand for currencies in stored counters, so the list may grow at its end alone."""
    assert (0, 45, 68, 144) == (currency_number("AED"), EUR, JPY, USD)
    assert ("ZWG", "ANG", "ZWL") == (CURRENCIES[164], CURRENCIES[165], CURRENCIES[-1])
    assert len(CURRENCIES) == len(set(CURRENCIES)) < 512, "a cell has nine bits for it"
    assert (2, 0, 3, 4) == tuple(DIGITS[currency_number(code)] for code in ("EUR", "JPY", "KWD", "CLF"))
    assert ("1,299.00 EUR", "-12,000 JPY") == (money_text(129_900, EUR), money_text(-12_000, JPY))


def test_the_amount_of_a_purchase() -> None:
    """The first of the paths; without it the sum of the products, if all have prices; else none."""
    assert Money(9000, EUR) == read(total=90, revenue=80, value=70)
    assert Money(8000, EUR) == read(revenue="80.00", value=70)
    assert Money(9000, EUR, items=3) == read(products=[{"price": 30, "quantity": 2}, {"price": "30"}])
    assert Money(9000, EUR, items=4) == read(products=[{"price": 1, "total": 90, "quantity": 4}])
    assert Money(None, items=2) == read(products=[{"price": 30}, {}])
    assert read(products=[]) is None
    assert read(total=None, currency=None) is None
    assert Money(1_299_00, USD) == read(total="1.299,00", currency=" usd ")
    assert Money(None, unread=True) == read(total=90, currency="EURO")
    assert Money(None, unread=True) == read(total="a lot")
    assert Money(None, unread=True) == read(total=-1)
    assert MoneyReader(VALUES, None, ()).read(of(total=90), ("",), is_refund=False) == Money(
        None, unread=True
    )


def test_the_amount_of_a_refund() -> None:
    """What was given back comes first; the sign says nothing, and nothing is no amount."""
    assert Money(3000, EUR) == read(is_refund=True, refunded_amount="30", total=90)
    assert Money(3000, EUR) == read(is_refund=True, total=-30)
    assert read(is_refund=True, total=0) is None
    assert Money(None, items=2) == read(is_refund=True, total=0, products=[{"quantity": 2}])
    assert Money(None) == read(is_refund=True, total=0.001)


def test_a_refund_whose_items_have_a_minus() -> None:
    """Each need gets back what its own items say, as if they had none."""
    products = [{"category": "coffee", "total": -10}, {"category": "tea", "total": -20}]
    told = read(("coffee", "tea"), is_refund=True, total=-30, products=products)
    assert told is not None
    assert (Share("coffee", 1000, 1), Share("tea", 2000, 1)) == told.shares
    assert 3000 == told.amount


def test_an_amount_is_rounded_once() -> None:
    """Taking the sign away rounds nothing, however many digits there are."""
    below_half = "1234567890123.49499999999999999999999"
    for sign in ("", "-"):
        assert Money(123_456_789_012_349, EUR) == read(is_refund=True, total=sign + below_half)


def test_the_parts_of_several_needs() -> None:
    """Each need has what its items cost; what no item has is the first need's; discounts are shared."""
    coffee, tea = {"category": "coffee", "price": 30}, {"category": "tea", "price": 20, "quantity": 3}
    both = ("coffee", "tea")
    plain = read(both, total=95, products=[tea, coffee, {"price": 1}])
    assert plain is not None
    assert (Share("coffee", 3500, 2), Share("tea", 6000, 3)) == plain.shares
    cheaper = read(both, total="44.99", products=[tea, coffee])
    assert cheaper is not None
    assert (Share("coffee", 1500, 1), Share("tea", 2999, 3)) == cheaper.shares
    assert Money(1500, EUR, 1) == cheaper.share("coffee")
    unpriced = read(both, total=10, products=[{"category": "tea"}, {"category": "coffee"}])
    assert unpriced is not None
    assert (Share("coffee", 1000, 1), Share("tea", 0, 1)) == unpriced.shares


@pytest.mark.parametrize(
    ("channel", "context", "server"),
    [
        ("server", {}, True),
        (None, {"channel": "Server"}, True),
        (None, {"library": {"name": "analytics-python"}}, True),
        (None, {"library": {"name": "posthog-node"}}, True),
        (None, {"library": {"name": "@segment/analytics-node"}}, True),
        (None, {"library": {"name": "AnalyticsNode"}}, True),
        (None, {"library": {"name": "@rudderstack/rudder-sdk-node"}}, True),
        (None, {"library": {"name": "amplitude-python/1.1.3"}}, True),
        (None, {"library": {"name": "amplitude-js/8.1.0"}}, False),
        (None, {"library": {"name": "@segment/analytics-react-native"}}, False),
        ("web", {"library": {"name": "analytics.js"}}, False),
        (None, {"library": {"name": "analytics-node-like"}}, False),
        (None, {"library": "analytics-node"}, False),
    ],
)
def test_who_is_a_server(channel: str | None, context: dict[str, object], server: bool) -> None:
    """It says so in its channel, or sends with a server's library."""
    assert server == is_by_server(Event("e", 0, 0, None, "1", "track", "x", {}, context, channel))


def test_one_of_three_items_comes_back_twice() -> None:
    """The purchase stands with 60 of 90 given back, and no refund is unmatched."""
    fed = feed()
    products = [{"product_id": name, "price": 30, "quantity": 1} for name in "ABC"]
    order = {"order_id": "1001", "currency": "EUR"}
    fed.take(
        event(0, "m1", "Product Added"),
        event(5 * MINUTE, "m2", "Order Completed", total=90, products=products, **order),
        event(DAY, "m3", "Order Refunded", total=30, products=[{"product_id": "A", "quantity": 1}], **order),
        event(
            2 * DAY, "m4", "Order Refunded", total=30, products=[{"product_id": "B", "quantity": 1}], **order
        ),
    )
    back = ("partially_refunded", None, 3000, "EUR")
    assert [("converted", None, 9000, "EUR"), back, back] == carried(fed)
    assert {("converted", "buy", "EUR"): 9000, ("partially_refunded", "truth", "EUR"): -6000} == revenue(fed)
    assert 0 == fed.processor.windows.figures.figures().unmatched_refunds


def test_orders_in_several_currencies() -> None:
    """Each is counted in its own. An amount without a currency is none, and is counted as such."""
    fed = feed()
    fed.take(
        event(0, "m1", "Order Completed", user="a", total=99.5, currency="EUR"),
        event(1, "m2", "Order Completed", user="b", value=12000, currency="JPY"),
        event(2, "m3", "Order Completed", user="c", revenue="1.299,00", currency="EUR"),
        event(3, "m4", "Order Completed", user="d", total=None, currency=None),
        event(4, "m5", "Order Completed", user="e", total=5, currency=None),
        event(4, "m5", "Order Completed", user="e", total=5, currency=None),
    )
    assert {("converted", None, "EUR"): 139_850, ("converted", None, "JPY"): 12_000} == revenue(fed)
    assert fed.stored is not None
    assert 1 == decode_checkpoint(fed.stored).counts.unread_amounts, "a duplicate does not count again"


def test_a_refund_before_its_order() -> None:
    """The order of arrival changes nothing; one that is dated before the purchase is unmatched."""
    fed = feed()
    fed.take(
        event(HOUR, "m1", "Order Refunded", user="u1", order_id="1"),
        event(0, "m2", "Order Completed", user="u1", order_id="1"),
        event(HOUR - 3000, "m3", "Order Refunded", user="u2", order_id="2"),
        event(HOUR, "m4", "Order Completed", user="u2", order_id="2"),
    )
    assert ["converted", "converted", "refunded"] == sorted(kind for kind, *_ in carried(fed))
    assert 1 == fed.processor.windows.figures.figures().unmatched_refunds


def test_a_server_corrects_the_page() -> None:
    """The step that was published is taken back, and so is its amount."""
    fed = feed()
    fed.take(event(0, "page", "Order Completed", total=99, currency="EUR"))
    value = msgspec.json.decode(event(1000, "server", "Order Completed", total="90.00", currency="EUR"))
    fed.take(msgspec.json.encode({**value, "channel": "server"}))
    assert [("converted", None, 9000, "EUR")] == carried(fed)
    assert ["assert", "retract", "assert"] == [t.op for t in fed.transitions() if t.kind == "converted"]
    assert {("converted", None, "EUR"): 9000} == revenue(fed)


@pytest.mark.parametrize("webhook_first", [False, True])
@pytest.mark.parametrize("headers", [(), (("X-Shopify-Topic", b"orders/paid"),)])
def test_a_webhook_of_shopify_corrects_its_pixel(
    webhook_first: bool, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """A webhook comes from a server, whatever channel its order has: its amount holds, and the page joins."""
    checkout = {
        "order": {"id": "gid://shopify/Order/7001", "customer": {"id": "4711"}},
        "totalPrice": {"amount": 99, "currencyCode": "EUR"},
    }
    page = {
        "id": "sh-1", "name": "checkout_completed", "type": "standard", "clientId": "d-1",
        "timestamp": "2024-05-20T10:00:00Z", "data": {"checkout": checkout},
    }  # fmt: skip
    order = {
        "id": 7001, "order_number": 1001, "financial_status": "paid", "source_name": "web",
        "created_at": "2024-05-20T12:00:05+02:00", "processed_at": "2024-05-20T12:00:05+02:00",
        "updated_at": "2024-05-20T12:00:05+02:00", "currency": "EUR", "total_price": "90.00",
        "customer": {"id": 4711},
        "line_items": [{"product_id": 501, "title": "Lamp", "price": "90.00", "quantity": 1}],
    }  # fmt: skip
    records = [(page, ()), (order, headers)]
    fed = feed()
    for record, with_headers in reversed(records) if webhook_first else records:
        fed.take(msgspec.json.encode(record), headers=with_headers)
    assert [("converted", None, 9000, "EUR")] == carried(fed)
    assert {("converted", None, "EUR"): 9000} == revenue(fed)


def test_pieces_alone_correct_nothing() -> None:
    """The server states the same amount, and lists what was bought: only the final record has that."""
    fed = feed()
    fed.take(event(0, "page", "Order Completed", total=90, currency="EUR"))
    listed = event(1000, "s", "Order Completed", total=90, currency="EUR", products=[{"quantity": 3}])
    fed.take(msgspec.json.encode({**msgspec.json.decode(listed), "channel": "server"}))
    assert ["assert"] == [t.op for t in fed.transitions() if t.kind == "converted"]
    fed.finish(5 * DAY)
    (final,) = [msgspec.json.decode(output.value or b"") for output in fed.of("journeys")]
    assert (9000, 3) == (final["value_minor"], final["items"])


def test_a_refund_of_products_is_about_their_needs() -> None:
    """The tea alone comes back; a refund that lists no product that names a need is about all of them."""
    fed = feed()
    products = [{"category": "coffee", "price": 30}, {"category": "tea", "price": 60}]
    order = {"order_id": "A", "currency": "EUR"}
    fed.take(event(0, "o", "Order Completed", products=products, **order))
    fed.take(event(DAY, "r", "Order Refunded", products=[{"category": "tea", "price": 60}], **order))
    steps = [
        ("converted", "coffee", 3000, "EUR"),
        ("converted", "tea", 6000, "EUR"),
        ("refunded", "tea", 6000, "EUR"),
    ]
    assert steps == carried(fed)
    fed.take(event(2 * DAY, "s", "Order Refunded", products=[{"product_id": 1}], total=10, **order))
    assert ("partially_refunded", "coffee", 1000, "EUR") == carried(fed)[-1]


def test_a_refund_of_nobody() -> None:
    """It is a dead letter with a reason of its own; a purchase of nobody is not."""
    fed = feed()
    nobody = [
        msgspec.json.encode({"type": "track", "event": name, "timestamp": "2024-01-01T00:00:00Z"})
        for name in ("Order Refunded", "Order Completed")
    ]
    fed.take(*nobody)
    reasons = [dict(output.headers)["reason"] for output in fed.of("rejected")]
    assert [b"refund_without_person", b"missing_person"] == reasons


def test_a_sum_does_not_wrap() -> None:
    """A sum of amounts stops at the greatest number of 64 bits, and at the least."""
    windows = Windows()
    cell = MEASURE_REVENUE << MEASURE_SHIFT
    for amount, total in ((GREATEST - 1, GREATEST - 1), (5, GREATEST), (-9, GREATEST - 9)):
        windows.delta[cell] = amount
        windows.roll_up(0)
        assert total == dict(windows.cells())[3, 0, cell]
    for amount in (LEAST, LEAST):
        windows.delta[cell] = amount
        windows.roll_up(0)
    assert LEAST == dict(windows.cells())[3, 0, cell]
