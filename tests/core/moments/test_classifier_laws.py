"""The interpreter is total and pure: any event has an answer, and always the same one."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.ingest.event import Event
from streams.core.moments.classifier import Classifier
from streams.core.moments.names import MAX_KNOWN_NAMES
from streams.core.moments.verdict import Verdict
from tests.core.moments.examples import DEFAULT, SHIPPED, event

NAMES = [
    "Products Searched",
    "page_view",
    "click",
    "select_content",
    "Order Updated",
    "Product Viewed",
    "",
    "Cart",
]
KEYS = [
    "query",
    "search_term",
    "q",
    "url",
    "path",
    "locale",
    "page",
    "search",
    "link_url",
    "href",
    "content_type",
    "order_id",
    "page_location",
    "x",
]
WORDS = [
    "buy",
    "how",
    "to",
    "near",
    "me",
    "come",
    "fare",
    "*",
    "please",
    "could you",
    "?q=buy",
    "https://x/cart",
    "/cart#/",
    "%",
    "%ff",
    "\0",
    "\ud800",
    "ǅ",
    "ﬁ",
    "\u0301",
]

texts = st.one_of(
    st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), st.sampled_from(WORDS)
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), texts), inner, max_size=4),
    ),
    max_leaves=12,
)
bags = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
events = st.builds(
    event,
    st.one_of(st.sampled_from(NAMES), texts),
    st.sampled_from(["track", "page", "screen", "identify"]),
    bags,
    bags,
)


@settings(max_examples=400)
@given(events)
def test_every_event_has_an_answer(each: Event) -> None:
    """`classify` never raises and gives verdicts of the rules.

    It agrees with `explain`, and with a classifier that has seen nothing before.
    """
    verdict = SHIPPED(each)
    explained = SHIPPED.explain(each)
    assert verdict == explained.verdict
    assert verdict is None or DEFAULT.rules[verdict.rule].name == explained.rule
    assert (verdict is None) == (explained.moment == "none")


SPELT = st.lists(
    st.sampled_from(
        ["prezzo", "hotel", "come", "dove", "auto", "buy", "tv", "mensola", "zzz", "5", "farmacia"]
    ),
    min_size=1,
    max_size=5,
)
GAPS = st.sampled_from([" ", "  ", "-", " - ", "'", "\u2019", "_", ' "', '" ', ", ", "\u00a0"])
FRAMES = st.sampled_from(
    [("", ""), ('"', '"'), ("\u00ab", "\u00bb"), ("\u201c", "\u201d"), ("'", "'"), ("(", ")"), ("", "?!")]
)
MARKS = st.sampled_from(["", "\u0301", "\u0300", "\u0308"])


@given(SPELT, st.lists(GAPS, min_size=5, max_size=5), FRAMES, MARKS, st.booleans())
def test_spelling_changes_nothing(
    words: list[str], gaps: list[str], frame: tuple[str, str], mark: str, is_upper: bool
) -> None:
    """Accents, case, apostrophes, quotes and hyphens change nothing about a search."""
    plain = " ".join(words)
    spelt = "".join(word + gap for word, gap in zip(words, gaps, strict=False))[: -len(gaps[len(words) - 1])]
    spelt = frame[0] + spelt.replace("e", "e" + mark).replace("a", "a" + mark) + frame[1]
    spelt = unicodedata.normalize("NFC", spelt.upper() if is_upper else spelt)
    for locale in ("en", "it", "es", None):
        expected, found = SHIPPED.query(plain, locale), SHIPPED.query(spelt, locale)
        assert (expected.rule, expected.language) == (found.rule, found.language)


def test_answers_do_not_depend_on_what_came_before() -> None:
    """Memory changes the speed and never the answer.

    More names, queries and paths than are remembered leave all answers as they were.
    """
    fresh = Classifier(DEFAULT)
    before = [fresh.explain(event(name)) for name in NAMES]
    for n in range(MAX_KNOWN_NAMES + 10):
        fresh(event(f"name {n}"))
    assert before == [fresh.explain(event(name)) for name in NAMES]
    assert SHIPPED.explain(event("brand new name", "page", {"path": "/cart"})) == fresh.explain(
        event("brand new name", "page", {"path": "/cart"})
    )
    assert isinstance(fresh(event("Checkout   Started")), Verdict)


@pytest.mark.parametrize(
    "value",
    [
        "a" * 1_000_000,
        "buy " * 250_000,
        "/" * 1_000_000,
        "?q=" * 300_000,
        10**5000,
        ["x"] * 100_000,
        {"a": {"b": {}}},
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("name", NAMES)
def test_huge_values(name: str, value: Any) -> None:
    """A value of any size in any place costs no more than its bound, and is no error."""
    keys = dict.fromkeys(KEYS, value)
    for each in (event(name, "track", keys, keys), event(name, "page", {}, {"page": keys, "locale": value})):
        assert SHIPPED(each) == SHIPPED.explain(each).verdict


def test_a_huge_name() -> None:
    """A name of any length is no error and is not remembered."""
    assert SHIPPED(event("x" * 1_000_000)) is None


def test_deep_values() -> None:
    """Nesting that would exhaust a recursive reader is no error."""
    deep: Any = "store"
    for _ in range(5_000):
        deep = [deep]
    assert "content" == SHIPPED.explain(event("select_content", properties={"content_type": deep})).rule
