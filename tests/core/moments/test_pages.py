"""Pages are read by the segments of their paths, in three languages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.moments.pages import PageMatcher, glob_segments, path_segments, same_segment
from streams.core.moments.spec import PageRule
from streams.core.moments.wildcard import glob_matches
from tests.core.moments.examples import SHIPPED, event

MOMENTS = {
    "know": "/blog/x /faq /product/42 /it/guida /es/producto/7 /recensioni /opiniones /search",
    "go": "/stores /store-locator /it/negozi/milano /tiendas /contact /orari /es/contacto",
    "do": "/how-to/clean /help /istruzioni /tutorial /configurator /track-order /es/ayuda /it/come-fare/x",
    "buy": "/cart /carrello /carrito /checkout/step-2 /payment /offer /it/pagamento /es/rebajas",
    "truth": "/thank-you /order-confirmation /checkout/thank-you /it/grazie /es/pedido-confirmado "
    "/checkout/order-received/123",
    "none": "/newsletter/thank-you /contact-us/thank-you",
    "nothing": "/ /it /cartography /my-cart-is-full/x /impressum",
}


@pytest.mark.parametrize(
    ("path", "moment"), [(path, moment) for moment, paths in MOMENTS.items() for path in paths.split()]
)
def test_paths(path: str, moment: str) -> None:
    """Each kind of page has its moment, whatever language it is in."""
    explained = SHIPPED.explain(event("", "page", context={"page": {"path": path}}))
    assert ("none" if moment == "nothing" else moment) == explained.moment
    assert (moment == "nothing") == (explained.rule is None)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/It/Cart/", ["it", "cart"]),
        ("https://shop.example/cart?step=2#top", ["cart"]),
        ("https://shop.example", []),
        ("//a//b", ["a", "b"]),
        ("/order_confirmation.html", ["order-confirmation"]),
        ("/ré/c%C3%A1rt/%ff", ["re", "cart", "\ufffd"]),
        ("/#/cart", ["cart"]),
        ("https://x.example/app#!/cart/2", ["cart", "2"]),
        ("Order Confirmation", ["order-confirmation"]),
        ("", []),
        ("\ud800/%", ["\ud800", "%"]),
    ],
)
def test_addresses_are_folded(address: str, expected: list[str]) -> None:
    """Host, query, case, accents, suffix and slashes make no difference."""
    assert expected == path_segments(address)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("/cart", ["/cart", "/Cart/"], ["/", "/a/cart", "/cart/a", "/carts"]),
        ("**/cart", ["/cart", "/a/b/cart", "/cart/cart"], ["/cart/a"]),
        ("/cart/**", ["/cart", "/cart/a/b"], ["/a/cart"]),
        ("/*/cart*", ["/it/cart", "/it/cartoon"], ["/cart", "/a/b/cart"]),
        ("/a*c*e/x", ["/ace/x", "/abcde/x"], ["/acd/x", "/ace"]),
        ("/**/a/**/b", ["/a/b", "/x/a/y/a/b"], ["/b/a"]),
        ("/**", ["/", "/a"], []),
    ],
)
def test_globs(glob: str, yes: list[str], no: list[str]) -> None:
    """`*` stays within a segment, `**` is any number of segments."""
    pages = PageMatcher([PageRule("r", "buy", 0.7, (glob,))])
    assert yes == [path for path in yes + no if pages.find(path, True)]


@pytest.mark.parametrize(
    ("name", "kind", "properties", "context", "rule"),
    [
        ("", "page", {"path": "/cart"}, {}, "page.buy"),
        ("", "page", {"url": "https://x.example/cart"}, {}, "page.buy"),
        ("Cart", "screen", {}, {}, "page.buy"),
        ("Order Confirmation", "screen", {}, {}, "page.order-done"),
        ("Cart", "track", {}, {}, None),
        ("Whatever", "page", {}, {"page": {"path": "/stores"}}, "page.go"),
        ("Newsletter Shown", "track", {}, {"page": {"path": "/stores"}}, "page.go"),
        ("page_view", "track", {"page_location": "https://x.example/carrello"}, {}, "page.buy"),
        ("page_view", "track", {"page_location": "https://x.example/"}, {}, "page-view"),
        ("page_view", "track", {"page_location": "https://x.example/thank-you"}, {}, "page.order-done"),
        ("click", "track", {"page_location": "https://x.example/thank-you"}, {}, "click"),
        ("scroll", "track", {"page_location": "https://x.example/thank-you"}, {}, "scroll"),
        ("scroll", "track", {"page_location": "https://x.example/cart"}, {}, "page.buy"),
        ("Survey Shown", "track", {}, {"page": {"path": "/thank-you"}}, None),
        ("Product Viewed", "track", {}, {"page": {"path": "/cart"}}, "product"),
        (
            "",
            "page",
            {},
            {"page": {"path": "/search", "search": "?q=buy+shoes"}, "locale": "en"},
            "query.buy",
        ),
        (
            "",
            "page",
            {},
            {"page": {"path": "/search", "search": "?q=zzz"}, "locale": "en"},
            "query.otherwise",
        ),
        ("", "page", {}, {"page": {"path": "/cart", "search": "?q=zzz"}, "locale": "en"}, "page.buy"),
        ("Products Searched", "track", {"query": "zzz", "url": "/cart"}, {}, "query.otherwise"),
        ("Products Searched", "track", {"query": "", "url": "/cart"}, {}, "search"),
        ("page_view", "track", {"page_location": "https://x.example/search?q=zzz"}, {}, "query.otherwise"),
        ("page_view", "track", {"page_location": "https://x.example/cart?q=zzz"}, {}, "page.buy"),
        ("", "page", {}, {"page": {"path": "/zzz", "search": "?q=shoes"}, "locale": "en"}, "query.otherwise"),
        ("", "page", {"path": 5}, {"page": "cart"}, None),
    ],
)
def test_order_of_evidence(
    name: str, kind: str, properties: dict[str, Any], context: dict[str, Any], rule: str | None
) -> None:
    """The name comes before the query, the query before the page.

    A page of another moment comes before a search that no rule reads, one of the same moment after it.

    An order is done where its page is seen, not where something else happens on it.
    """
    assert rule == SHIPPED.explain(event(name, kind, properties, context)).rule


WORDS = st.sampled_from(["cart", "carts", "c", "p", "help", "help-me", "x", "it"])
GLOBS = st.lists(
    st.one_of(WORDS, st.sampled_from(["*", "**", "c*", "help*", "*p", "h*p*"])), min_size=1, max_size=4
).map("/".join)


@given(st.lists(GLOBS, min_size=1, max_size=6), st.lists(WORDS, max_size=4), st.booleans())
def test_the_index_only_saves_time(globs: list[str], path: list[str], seen: bool) -> None:
    """The rule that is found is the first whose glob matches, as if each had been tried in turn."""
    rules = [PageRule(f"r{n}", "know", 0.7, (glob,), views_only=n % 2 == 0) for n, glob in enumerate(globs)]
    alone = [PageMatcher([rule]).find("/".join(path), seen) for rule in rules]
    expected = next(((n, found[1]) for n, found in enumerate(alone) if found), None)
    tried = next(
        (
            (n, g)
            for n, g in enumerate(globs)
            if (seen or n % 2)
            and glob_matches(glob_segments(g), path_segments("/".join(path)), "**", same_segment)
        ),
        None,
    )
    assert PageMatcher(rules).find("/".join(path), seen) == expected == tried
