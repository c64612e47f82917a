"""Orders of real shops: the rest of a purchase, edited orders, ids in paths, words that are no ids."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Tally
from streams.core.journeys.order_facts import Update
from streams.core.journeys.updates import DatedUpdate, date_update
from streams.core.moments.rules import default_rules
from tests.core.processing.feeding import DAY, HORIZON, HOUR, MINUTE, PLAN, START, Feed, event

SHOP = msgspec.structs.replace(
    PLAN,
    needs=(),
    tenant=None,
    orders=("properties.order_id", "properties.orderId", "properties.transaction_id"),
)
SECOND = 1_000
LONG_AFTER = 400 * DAY


def page(at: int, id: str, path: str, user: str = "1") -> bytes:
    """The view of a page."""
    call = msgspec.json.decode(event(at, id, user=user))
    return msgspec.json.encode({**call, "type": "page", "context": {"page": {"path": path}}})


def shop() -> Feed:
    return Feed(default_rules(), SHOP)


def steps(feed: Feed, user: str = "1") -> list[tuple[str, int]]:
    """(kind, ms after START) of what holds of somebody, in order of time."""
    held = [t for t in feed.standing().values() if t.profile == f"u:{user}"]
    return sorted(
        ((t.kind, int(datetime.fromisoformat(t.at).timestamp() * 1000) - START) for t in held),
        key=lambda step: (step[1], step[0] != "opened"),
    )


def kinds(feed: Feed, user: str = "1") -> list[str]:
    return [kind for kind, _ in steps(feed, user)]


def endings(feed: Feed) -> tuple[int, int, int]:
    """How many items were applied, duplicates and late."""
    counts = feed.processor.checkpoint.counts
    return counts.applied, counts.duplicate, counts.late


def unmatched(feed: Feed, kind: str) -> int:
    """How many signals are counted that found no purchase."""
    return sum(
        tally.count
        for tally in (msgspec.json.decode(value, type=Tally) for value in feed.latest("tallies").values())
        if tally.window == "all" and tally.kind == kind
    )


def test_nobody_who_has_just_paid_is_stalled() -> None:
    """The browser's last events of the till come after the server's order, and the empty cart is opened."""
    feed = shop()
    feed.take(
        event(0, "m1", "Checkout Started"),
        event(5 * MINUTE, "m2", "Order Completed", order_id="1"),
        event(5 * MINUTE + SECOND, "m3", "Payment Info Entered"),
        event(5 * MINUTE + 2 * SECOND, "m4", "Checkout Step Completed"),
        page(5 * MINUTE + 3 * SECOND, "pg1", "/cart"),
        page(5 * MINUTE + 4 * SECOND, "pg2", "/thank-you"),
    )
    feed.finish(DAY)
    assert ["opened", "converted"] == kinds(feed)


def test_an_order_edited_after_months_is_no_purchase() -> None:
    """An edit of an unpaid order is nothing, one of a paid order joins or is counted, never bought again."""
    feed = shop()
    feed.take(event(0, "m1", "Order Completed", user="2", order_id=2))
    feed.take(
        event(100 * DAY, "m2", "Order Updated", order_id=1, financial_status="pending"),
        event(100 * DAY, "m3", "Order Updated", user="2", order_id=2, financial_status="paid", tags="vip"),
        event(101 * DAY, "m4", "Order Cancelled", order_id=1, financial_status="voided"),
        event(101 * DAY, "m5", "Order Updated", order_id=1, financial_status="voided"),
    )
    feed.finish(LONG_AFTER)
    assert ([], ["opened", "converted"]) == (kinds(feed, "1"), kinds(feed, "2"))
    assert 1 == unmatched(feed, "update_unmatched")


def made(at: int) -> str:
    """A shop's time: whole seconds."""
    stamp: str = msgspec.json.decode(event(at, ""))["timestamp"]
    return stamp


def test_an_update_of_an_order_that_was_missed() -> None:
    """It is the purchase, at the time when the order was made, whether its purchase comes before or after."""
    missed = event(20 * HOUR, "edit", "Order Updated", order_id="7", status="paid", created_at=made(MINUTE))
    bought = event(MINUTE + 300, "buy", "Order Completed", order_id="7")
    feed = shop()
    feed.take(event(0, "cart", "Product Added"))
    feed.take(missed)
    assert [("opened", 0), ("converted", MINUTE + 999)] == steps(feed)
    feed.take(bought)
    assert [("opened", 0), ("converted", MINUTE + 300)] == steps(feed)


@pytest.mark.parametrize("days", [3, 60])
def test_an_update_of_an_old_order_joins_it(days: int) -> None:
    """An order that is known says nothing new, however old it is; nothing of it is late."""
    feed = shop()
    feed.take(event(0, "buy", "Order Completed", order_id="7"))
    edit = event(days * DAY, "edit", "Order Updated", order_id="7", status="paid", created_at=made(0))
    feed.take(event(days * DAY - MINUTE, "cart", "Product Added"), edit)
    assert (3, 0, 0) == endings(feed)
    assert ["opened", "converted", "opened"] == kinds(feed)


def test_an_update_of_an_old_order_that_nobody_knows_is_late() -> None:
    """Its purchase would be late, too. It converts nobody who is in buy today."""
    feed = shop()
    feed.take(event(0, "other", "Order Completed", order_id="1"))
    edit = event(30 * DAY, "edit", "Order Updated", order_id="7", status="paid", created_at=made(0))
    feed.take(event(30 * DAY - MINUTE, "cart", "Product Added"), edit)
    assert (2, 0, 1) == endings(feed)
    assert ["opened", "converted", "opened"] == kinds(feed)


def test_an_update_is_late_by_the_time_of_its_order() -> None:
    """To the millisecond, whatever the event's own time is."""
    for behind, late in ((HORIZON, 0), (HORIZON + 1, 1)):
        feed = shop()
        feed.take(event(3 * DAY, "now", user="2", name="Product Viewed"))
        ordered = 3 * DAY - behind
        edit = event(ordered + HOUR, "e", "Order Updated", order_id="7", status="paid", paid_at=made(ordered))
        feed.take(edit)
        assert late == endings(feed)[2]


def test_updates_are_dated() -> None:
    """By the order's own time, unless it says none or is too far back; whole seconds end late."""
    cases = {
        (5_000, None): DatedUpdate(5_000, Update.UNTIMED),
        (5_000, 1_234): DatedUpdate(1_234, Update.NONE),
        (5_000, 1_000): DatedUpdate(1_999, Update.NONE),
        (1_500, 1_000): DatedUpdate(1_500, Update.NONE),
        (5_000, 9_001): DatedUpdate(5_000, Update.NONE),
        (HORIZON + 1, 1): DatedUpdate(1, Update.NONE),
        (HORIZON + 2, 1): DatedUpdate(HORIZON + 2, Update.OLD),
    }
    for (at_ms, ordered_ms), dated in cases.items():
        assert dated == date_update(at_ms, ordered_ms, HORIZON), (at_ms, ordered_ms)


def test_a_confirmation_page_seen_again_next_week() -> None:
    """The order id in its path is that of the shop's own event, so it joins; another one is another order."""
    feed = shop()
    feed.take(
        event(0, "buy", "Order Completed", order_id="A_1001"),
        page(SECOND, "thanks", "/checkout/order-received/A_1001/"),
        page(7 * DAY, "again", "https://shop.example/checkout/order-received/A_1001/?key=wc"),
    )
    assert ["opened", "converted"] == kinds(feed)
    feed.take(page(7 * DAY + SECOND, "other", "/checkout/order-received/A_1002/"))
    assert ["opened", "converted"] * 2 == kinds(feed)


def test_a_purchase_that_names_no_order_takes_it_from_its_page() -> None:
    """A page that is loaded again tells of its purchase again."""
    feed = shop()
    bare = msgspec.json.decode(event(0, "buy", "purchase"))
    context = {"page": {"path": "/finalizar-compra/order-received/77/"}}
    again = msgspec.json.decode(event(3 * DAY, "reload", "purchase"))
    feed.take(*(msgspec.json.encode({**call, "context": context}) for call in (bare, again)))
    assert ["opened", "converted"] == kinds(feed)


@pytest.mark.parametrize(
    "word", ["", "undefined", "(not set)", "0", 0, "null", None, "-", "none", "NaN", "[object Object]"]
)
def test_words_that_are_no_order_ids(word: Any) -> None:
    """Two purchases days apart that share such a word are two."""
    feed = shop()
    feed.take(event(0, "m1", "Order Completed", order_id=word))
    feed.take(event(3 * DAY, "m2", "Product Added"))
    feed.take(event(3 * DAY + 5 * MINUTE, "m3", "Order Completed", order_id=word))
    assert ["opened", "converted"] * 2 == kinds(feed)


def test_a_zero_in_a_path_is_no_order_id() -> None:
    """Pages of two purchases whose path has it are two."""
    feed = shop()
    feed.take(page(0, "m1", "/order-received/0/"), page(3 * DAY, "m2", "/order-received/0/"))
    assert ["opened", "converted"] * 2 == kinds(feed)


def test_one_order_in_several_spellings() -> None:
    """A number in the browser and a text on the server, under several names, are one order."""
    feed = shop()
    feed.take(
        event(0, "a", "Order Completed", order_id="1001"),
        event(2 * DAY, "b", "Order Completed", orderId=1001),
        event(3 * DAY, "c", "purchase", transaction_id=1001.0),
        event(4 * DAY, "d", "purchase", transaction_id=" 1001 "),
    )
    assert ["opened", "converted"] == kinds(feed)


def test_a_refund_overtakes_its_order() -> None:
    """Whichever is read first, the order is refunded. A refund that is dated before it is unmatched."""
    back = event(HOUR, "back", "Order Refunded", order_id="1")
    bought = event(0, "buy", "Order Completed", order_id="1")
    early = event(HOUR - 3 * SECOND, "early", "Order Refunded", user="2", order_id="2")
    after = event(HOUR, "late", "Order Completed", user="2", order_id="2")
    feed = shop()
    feed.take(back, bought, early, after)
    assert (["opened", "converted", "refunded"], ["opened", "converted"]) == (kinds(feed), kinds(feed, "2"))
    assert (1, 0) == (unmatched(feed, "refund_unmatched"), unmatched(feed, "update_unmatched"))


ARRIVING = (
    event(0, "cart", "Product Added"),
    event(MINUTE + 200, "buy", "Order Completed", order_id="7"),
    event(MINUTE + 2 * SECOND, "step", "Checkout Step Completed"),
    page(MINUTE + 3 * SECOND, "thanks", "/checkout/order-received/7/"),
    event(20 * HOUR, "edit", "Order Updated", order_id="7", status="paid", created_at=made(MINUTE)),
    event(30 * HOUR, "missed", "Order Updated", order_id="8", status="paid", created_at=made(9 * HOUR)),
    event(31 * HOUR, "unknown", "Order Updated", order_id="9", status="paid"),
    event(32 * HOUR, "back", "Order Refunded", order_id="8"),
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.permutations(ARRIVING), st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_order_of_arrival_does_not_matter(events: list[bytes], ends: list[bool]) -> None:
    """Nor where batches end, where a worker takes over, and what comes twice."""
    feed = shop()
    batch: list[bytes] = []
    for value, ending in zip(events, ends, strict=True):
        batch += [value, events[0]]
        if ending:
            feed.take(*batch)
            feed.reopen()
            batch = []
    feed.take(*batch)
    feed.finish(33 * HOUR)
    assert (1, 0) == (unmatched(feed, "update_unmatched"), unmatched(feed, "refund_unmatched"))
    assert [
        ("opened", 0),
        ("converted", MINUTE + 200),
        ("opened", 9 * HOUR + 999),
        ("converted", 9 * HOUR + 999),
        ("refunded", 32 * HOUR),
    ] == steps(feed)
