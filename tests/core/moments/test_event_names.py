"""The shipped rules know the event names of the usual tools, in any spelling."""

from typing import Any

import pytest

from streams.core.ingest.event import Event
from streams.core.moments.verdict import INTENTS
from tests.core.moments.examples import SHIPPED, classifier, event

NAMES = {
    "know": """
        Product List Viewed; Product List Filtered; Promotion Clicked; Product Clicked; Product Viewed;
        Product Shared; view_item_list; select_item; view_item; select_promotion; share; suggest_click;
        Viewed Product Category; Clicked Product; Clicked Promotion; Viewed Product; list_view; list_click;
        product_view; promo_click""",
    "know, unsure": """
        Promotion Viewed; Viewed Promotion; view_promotion; promo_view; page_view; scroll; $pageview;
        $screen; Products Searched; search; view_search_results; site_search""",
    "go": "Store Located; Directions Requested; Store Selected",
    "do": """
        Video Playback Started; Video Playback Completed; tutorial_begin; tutorial_complete; video_start;
        video_progress; video_complete; file_download; form_start; form_submit; generate_lead""",
    "buy": """
        Product Added; Product Removed; Cart Viewed; Cart Shared; Product Added to Wishlist;
        Wishlist Product Added to Cart; Checkout Started; Checkout Step Viewed; Checkout Step Completed;
        Payment Info Entered; Coupon Entered; Coupon Applied; Coupon Denied; Coupon Removed;
        add_to_wishlist; add_to_cart; remove_from_cart; view_cart; begin_checkout; add_shipping_info;
        add_payment_info; checkout_step; trns_error""",
    "truth": "Order Completed; Completed Order; purchase; in_app_purchase; close_convert_lead; transaction",
    "refund": "Order Refunded; Order Cancelled; refund",
    "none": "Product Reviewed; Order Updated; session_start; login",
    "nothing": "Something Of Ours; ; 123; Produce",
}
TABLE = [(name.strip(), moment) for moment, names in NAMES.items() for name in names.split(";")]


@pytest.mark.parametrize(
    ("kind", "name", "moment"),
    [("track", *row) for row in TABLE]
    + [
        (kind, *row)
        for kind in ("page", "screen")
        for row in TABLE
        if row[1] not in ("truth", "refund", "none")
    ],
)
def test_known_names(kind: str, name: str, moment: str) -> None:
    """Each name of the usual specifications has its moment, which is sure if it shows an intent.

    Other names have none.
    """
    verdict = SHIPPED(event(name, kind))
    if moment in ("none", "nothing"):
        assert verdict is None
        assert ("none", moment == "none") == (
            SHIPPED.explain(event(name, kind)).moment,
            SHIPPED.explain(event(name, kind)).rule is not None,
        )
    else:
        expected, _, unsure = moment.partition(", ")
        assert verdict is not None
        assert (INTENTS.index(expected), not unsure) == (verdict.intent, verdict.sure)


@pytest.mark.parametrize("name", ["purchase", "Order Updated", "refund", "Order Refunded", "transaction"])
@pytest.mark.parametrize("kind", ["page", "screen"])
def test_pages_are_no_purchases(name: str, kind: str) -> None:
    """A page or screen with such a name only explains purchases and refunds."""
    assert SHIPPED(event(name)) is not None or name == "Order Updated"
    verdict = SHIPPED(event(name, kind))
    assert verdict is None or verdict.intent < INTENTS.index("truth")


@pytest.mark.parametrize(
    "name",
    [
        "Product Viewed",
        "product viewed",
        "PRODUCT_VIEWED",
        "product-viewed",
        "productViewed",
        " Product  Viewed ",
    ],
)
def test_spelling(name: str) -> None:
    """Case, spaces, underscores and dashes make no difference."""
    assert "product" == SHIPPED.explain(event(name)).rule


@pytest.mark.parametrize(
    ("name", "properties", "moment", "rule"),
    [
        ("select_content", {"content_type": "store"}, "go", "store-content"),
        ("select_content", {"content_type": "STORE"}, "go", "store-content"),
        ("select_content", {"content_type": ["article", "store"]}, "go", "store-content"),
        ("select_content", {"content_type": "article"}, "know", "content"),
        ("select_content", {"content_type": {"store": 1}}, "know", "content"),
        ("select_content", {}, "know", "content"),
        ("click", {"link_url": "tel:+390212345"}, "go", "store-link"),
        ("click", {"link_url": "https://www.google.com/maps/place/x"}, "go", "store-link"),
        ("Link Clicked", {"href": "https://maps.apple.com/?q=x"}, "go", "store-link-href"),
        ("click", {"link_url": "https://partner.example/"}, "know", "click"),
        ("Order Updated", {"order_id": "o-1"}, "none", "order-updated-unpaid"),
        ("Order Updated", {"order_id": "o-1", "status": "pending"}, "none", "order-updated-unpaid"),
        ("Order Updated", {"order_id": "o-1", "status": "Completed"}, "truth", "order-updated"),
        ("orders/updated", {"id": 1, "financial_status": "paid"}, "truth", "order-updated"),
        (
            "Order Updated",
            {"status": "paid", "cancelled_at": "2024"},
            "none",
            "order-updated-cancelled",
        ),
        ("Order Updated", {"status": "paid", "cancelled_at": None}, "truth", "order-updated"),
        ("checkout.session.completed", {"payment_status": "unpaid"}, "buy", "checkout-unpaid"),
        (
            "checkout.session.completed",
            {"data": {"object": {"payment_status": "unpaid"}}},
            "buy",
            "checkout-unpaid",
        ),
        ("checkout.session.completed", {"payment_status": "paid"}, "truth", "purchase"),
        ("trackConversion", {"cart": [{"item": "a"}]}, "truth", "purchase-of-cart"),
        ("trackConversion", {"order_number": "o-1"}, "truth", "purchase-of-cart"),
        ("checkout.session.completed", {"payment_status": "no_payment_required"}, "truth", "purchase"),
    ],
)
def test_conditions(name: str, properties: dict[str, Any], moment: str, rule: str) -> None:
    """A rule with a condition applies where it holds; otherwise the next rule of the name does."""
    explained = SHIPPED.explain(event(name, properties=properties))
    assert (moment, rule) == (explained.moment, explained.rule)


@pytest.mark.parametrize(
    ("name", "query", "moment", "rule"),
    [
        ("Products Searched", {"query": "how to descale a coffee machine"}, "do", "query.how-to"),
        ("search", {"search_term": "stores open now near me"}, "go", "query.hours"),
        ("bodl_v1_keyword_search", {"search_keyword": "how to descale a kettle"}, "do", "query.how-to"),
        ("search", {"searchQuery": "how to descale a coffee machine"}, "do", "query.how-to"),
        ("viewSearch", {"searchText": "how to descale a coffee machine"}, "do", "query.how-to"),
        ("view_search_results", {"search_term": "qwertz asdf"}, "know", "query.otherwise"),
        ("Products Searched", {"query": ""}, "know", "search"),
        ("Products Searched", {"query": " \n"}, "know", "search"),
        ("Products Searched", {"query": "?!"}, "know", "search"),
        ("Products Searched", {"query": 7}, "know", "search"),
        ("Products Searched", {"query": "hello"}, "none", "query.site"),
        ("Product Viewed", {"query": "how to descale a coffee machine"}, "know", "product"),
    ],
)
def test_a_search_event_yields_to_its_query(name: str, query: dict[str, Any], moment: str, rule: str) -> None:
    """The text of a search event decides, read by a rule or not; without a text the search itself does.

    Other events ignore a query.
    """
    explained = SHIPPED.explain(event(name, properties=query, context={"locale": "en-GB"}))
    assert (moment, rule) == (explained.moment, explained.rule)


@pytest.mark.parametrize(
    "search",
    [
        event("Products Searched"),
        event("Products Searched", properties={"query": "qwertz asdf"}),
        event("ricerca_effettuata"),
        event("busqueda_realizada", properties={"query": "qwertz asdf"}),
        event(kind="page", context={"page": {"path": "/search"}}),
        event(kind="page", context={"page": {"path": "/buscar", "search": "?q=qwertz+asdf"}}),
    ],
    ids=lambda each: f"{each.name or each.type}-{each.properties or each.context}",
)
def test_a_search_alone_is_a_sign_of_life(search: Event) -> None:
    """A search without a text says as little as one that no rule reads, whatever it comes as."""
    verdict = SHIPPED(search)
    assert verdict is not None
    assert ("know", False) == (INTENTS[verdict.intent], verdict.sure)


def test_identify_is_no_signal() -> None:
    """An identify call of any name shows no intent, unless a rule is for that type."""
    assert SHIPPED(event("Order Completed", "identify")) is None
    assert SHIPPED(event("", "identify")) is None
    rules = classifier('[[event]]\nname = "who"\nmoment = "do"\nconfidence = 0.5\ntypes = ["identify"]')
    assert "who" == rules.explain(event("", "identify")).rule
    assert rules(event("", "track")) is None


@pytest.mark.parametrize("kind", ["identify", "alias", "group"])
def test_who_somebody_is_told_on_a_page(kind: str) -> None:
    """A call that says who somebody is shows no intent, whatever its page or its search; a view does."""
    searched, there = {"query": "shoes on offer"}, {"page": {"path": "/cart"}}
    assert SHIPPED(event("", kind, searched, there)) is None
    assert "none" == SHIPPED.explain(event("Order Completed", kind, searched, there)).moment
    assert SHIPPED(event("", "page", searched, there)) is not None


BY_TYPE = '{name = "any", moment = "know", confidence = 0.2, types = ["screen"]}'
BY_NAME = '{name = "pay", moment = "buy", confidence = 0.9, names = ["Pay"]}'


@pytest.mark.parametrize(
    ("order", "expected"),
    [((BY_NAME, BY_TYPE), ["pay", "any", None, "pay"]), ((BY_TYPE, BY_NAME), ["any", "any", None, "pay"])],
)
def test_the_first_rule_that_applies_wins(order: tuple[str, str], expected: list[str | None]) -> None:
    """A rule for all events of a type has its place among those with names."""
    rules = classifier(f"event = [{', '.join(order)}]")
    events = [event("pay", "screen"), event("x", "screen"), event("x", "track"), event("pay", "track")]
    assert expected == [rules.explain(each).rule for each in events]
    assert [name is None for name in expected] == [rules(each) is None for each in events]


def test_rules_of_ones_own_come_first() -> None:
    """A rule without names that is somebody's own is tried before every shipped one, with a name or not."""
    where = '{ path = "context.userAgent", contains = ["storebot"] }'
    rules = classifier(
        'extends = "default"\n[[event]]\nname = "robot"\nmoment = "none"\ntypes = ["track", "page"]\n'
        f"where = {where}"
    )
    robot, person = {"userAgent": "Storebot-Google/1.0"}, {"userAgent": "Mozilla/5.0 (iPhone)"}
    assert [None, None] == [
        rules(event("Product Added", context=robot)),
        rules(event("", "page", context=robot)),
    ]
    assert "robot" == rules.explain(event("Product Added", context=robot)).rule
    assert "cart" == rules.explain(event("Product Added", context=person)).rule


def test_verdict_names_its_rule() -> None:
    """Verdict.rule is the place in Rules.rules, and all events of a rule share its verdict."""
    first, second = SHIPPED(event("Cart Viewed")), SHIPPED(event("view cart"))
    assert first is not None
    assert first is second
    assert SHIPPED.explain(event("Cart Viewed")).rule == "cart"
