"""Cue rules see what happened inside a moment, whatever the moment is."""

from typing import Any

import pytest

from streams.core.moments.rules import load_rules
from streams.core.moments.verdict import CUE_NAMES, NO_CUE
from streams.errors import ConfigError
from tests.core.moments.examples import SHIPPED, classifier, event

CUE = '[[cue]]\nname = "c"\ncue = "call"\nnames = ["Ring"]\n'
RING = '[[event]]\nname = "ring"\nmoment = "go"\nconfidence = 0.9\nnames = ["Ring"]\n'

# Tool: name, kind, properties, cue
KNOWN: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("Coupon Denied", "track", {"reason": "expired"}, "coupon_denied"),  # Segment
    ("Coupon Applied", "track", {}, None),
    ("Products Searched", "track", {"query": "lamp", "results_count": 0}, "zero_results"),
    ("Products Searched", "track", {"query": "lamp", "results": "0"}, "zero_results"),
    ("Products Searched", "track", {"query": "lamp", "results": 7}, None),
    ("Products Searched", "track", {"query": "lamp"}, None),
    ("Order Failed", "track", {}, "payment_error"),
    ("payment_failed", "track", {}, "payment_error"),  # GA4, by custom
    ("view_search_results", "track", {"search_term": "lamp", "number_of_results": 0}, "zero_results"),
    ("exception", "track", {"description": "Payment intent failed", "fatal": False}, "payment_error"),
    ("exception", "track", {"description": "x is undefined"}, None),
    ("form_error", "track", {"form_id": "address"}, "form_error"),
    ("form_submit", "track", {}, None),
    ("click", "track", {"link_url": "tel:+390401234"}, "call"),
    ("click", "track", {"link_url": "https://maps.google.com/?q=x"}, "directions_asked"),
    ("click", "track", {"link_url": "https://shop.example/hotel:room"}, None),
    ("LCP", "track", {"value": 3001}, "slow_page"),
    ("LCP", "track", {"value": 3000}, None),
    ("trns_error", "track", {"error_code": "E05"}, "payment_error"),  # Snowplow
    ("site_search", "track", {"terms": ["lamp"], "total_results": 0, "page_results": 0}, "zero_results"),
    ("web_vitals", "track", {"lcp": 4180.5}, "slow_page"),
    ("web_vitals", "track", {"lcp": 1200}, None),
    ("Desk lamp", "page", {"page_load_ms": 3001}, "slow_page"),
    ("Desk lamp", "page", {"page_load_ms": 3000}, None),
    ("alert_displayed", "track", {"alert": {"type": "PAYMENT_ERROR"}}, "payment_error"),  # Shopify
    ("alert_displayed", "track", {"alert": {"type": "DISCOUNT_ERROR"}}, "coupon_denied"),
    ("alert_displayed", "track", {"alert": {"type": "INVENTORY_ERROR"}}, "out_of_stock"),
    ("alert_displayed", "track", {"alert": {"type": "INPUT_REQUIRED"}}, "form_error"),
    ("alert_displayed", "track", {"alert": {"type": "UNKNOWN_ERROR"}}, None),
    ("search_submitted", "track", {"query": "lamp", "search_results": 0}, "zero_results"),
    ("search", "track", {"query": "lamp", "search_count": "0"}, "zero_results"),  # Matomo
    ("search", "track", {"query": "lamp", "siteSearchCount": 0}, "zero_results"),
    ("outlink", "track", {"link_url": "tel:+390401234"}, "call"),
    ("$web_vitals", "track", {"$web_vitals_LCP_value": 3900.2}, "slow_page"),  # PostHog
    ("$exception", "track", {"$exception_values": ["Card declined"]}, "payment_error"),
    ("$autocapture", "track", {"$external_click_url": "https://maps.apple.com/?q=x"}, "directions_asked"),
    ("searchResponseReceived", "track", {"siteSearch": {"numberOfResults": 0}}, "zero_results"),  # Adobe
    ("searchRequestSent", "track", {"internalSiteSearch": {"nullInstances": 1}}, "zero_results"),
    ("web.webinteraction.linkClicks", "track", {"link_url": "tel:1"}, "call"),
    ("Directions Requested", "track", {}, "directions_asked"),
]


@pytest.mark.parametrize(("name", "kind", "properties", "cue"), KNOWN)
def test_shipped_rules_know_the_cues_of_each_tool(
    name: str, kind: str, properties: dict[str, Any], cue: str | None
) -> None:
    """The shipped rules see a cue by the names and fields of each tool, and by nothing else."""
    verdict, explained = (
        SHIPPED(event(name, kind, properties)),
        SHIPPED.explain(event(name, kind, properties)),
    )
    seen = verdict.cue if verdict is not None else NO_CUE
    assert (cue, cue) == (CUE_NAMES[seen - 1] if seen else None, explained.cue)
    assert verdict == explained.verdict


def test_every_cue_has_a_shipped_rule() -> None:
    """There is a shipped rule for each of the cues."""
    assert set(CUE_NAMES) == {cue for _, _, _, cue in KNOWN if cue is not None}


def test_cue_leaves_the_moment_alone() -> None:
    """The moment, its rule and its confidence are those of the event without its cue."""
    plain, cued = (
        SHIPPED(event("search", "track", {})),
        SHIPPED(event("search", "track", {"search_count": 0})),
    )
    assert plain is not None
    assert cued is not None
    assert (plain.intent, plain.sure, plain.rule) == (cued.intent, cued.sure, cued.rule)


@pytest.mark.parametrize("name", ["web_vitals", "alert_displayed"])
def test_event_with_a_cue_and_no_moment_is_unsure(name: str) -> None:
    """An event that no other rule reads, or that is known as none, is an unsure signal by its cue."""
    cued = event(name, "track", {"lcp": 5000, "alert": {"type": "PAYMENT_ERROR"}})
    verdict, explained = SHIPPED(cued), SHIPPED.explain(cued)
    assert verdict is not None
    assert (0, False) == (verdict.intent, verdict.sure)
    assert ("know", 0.4, "cue") == (explained.moment, explained.confidence, explained.evidence)
    assert explained.rule == explained.cue_rule


def test_refund_has_no_cue() -> None:
    """A refund is about a purchase that is over: a cue rule that fits it changes nothing."""
    rules = '[[event]]\nname = "r"\nmoment = "refund"\nconfidence = 0.9\nnames = ["Ring"]\n' + CUE
    verdict, explained = classifier(rules)(event("Ring")), classifier(rules).explain(event("Ring"))
    assert verdict is not None
    assert (NO_CUE, None) == (verdict.cue, explained.cue)


def test_first_cue_rule_that_fits_wins() -> None:
    """An event has one cue: that of the first rule that is for it, with a name or without."""
    by_type = '[[cue]]\nname = "any"\ncue = "slow_page"\ntypes = ["track"]\n'
    assert ["slow_page", "call"] == [
        classifier(rules + RING).explain(event("Ring")).cue for rules in (by_type + CUE, CUE + by_type)
    ]


def test_own_cue_rules_come_before_shipped_ones_and_switch_them_off() -> None:
    """A file that extends the shipped rules adds cues before them, and can switch them off by name."""
    own = CUE.replace('"Ring"', '"Coupon Denied"')
    assert "call" == classifier('extends = "default"\n' + own).explain(event("Coupon Denied")).cue
    off = classifier('extends = "default"\noff = ["cue.coupon-denied"]\n')
    assert off.explain(event("Coupon Denied")).cue is None
    assert "buy" == off.explain(event("Coupon Denied")).moment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CUE.replace('"call"', '"ring"'), "rule \"c\": cue = 'ring': must be one of payment_error, "),
        (CUE.replace('cue = "call"', ""), 'rule "c": cue = (missing): must be one of payment_error, '),
        (CUE.replace('name = "c"', ""), "[[cue]] number 1: name = (missing): every rule needs a name"),
        (CUE.replace('names = ["Ring"]', ""), 'rule "c": names = (missing): which events is it for?'),
        (CUE + "confidence = 0.5", 'rule "c": confidence = 0.5: unknown key'),
        (CUE + "where = {path = 'properties.a', above = 'x'}", "above = 'x': must be a number, such as 3000"),
        (CUE + "where = {path = 'properties.a', above = true}", "above = True: must be a number"),
        (CUE + "where = {path = 'properties.a', above = nan}", "above = nan: must be a number"),
        (CUE + "where = {path = ['properties.a', 'b'], above = 1}", "must be a path into the event"),
        (CUE + "where = {path = [], above = 1}", "path = []: is empty"),
        ("cue = 3", "cue = 3: must be written as [[cue]]"),
        (CUE + CUE, 'rule "c": name = "c": another rule has it'),
    ],
)
def test_wrong_cue_rule_is_refused(text: str, message: str) -> None:
    """A mistake in a cue rule is refused with the rule, the key, the value, and what would be right."""
    with pytest.raises(ConfigError) as refused:
        load_rules(text)
    assert message in str(refused.value)


def test_canonical_text_of_cue_rules_makes_equal_rules() -> None:
    """The stored text of rules with cues gives equal rules; another cue or condition is another version."""
    text = CUE + 'where = { path = ["properties.a", "properties.b"], above = 2.5 }\ntypes = ["page"]\n'
    rules = load_rules(text)
    assert rules == load_rules(rules.text)
    assert 1 == len({load_rules(t).version for t in (text, text + "# a comment\n")})
    assert 3 == len(
        {
            load_rules(t).version
            for t in (text, text.replace("2.5", "2"), text.replace('"call"', '"form_error"'))
        }
    )


@pytest.mark.parametrize(
    ("value", "is_met"),
    [(3001, True), (3000, False), (3000.5, True), ("3001", True), ("3,001", False), ("", False),
     (None, False), (True, False), ([1, 4000], True), ([], False), ({"a": 4000}, False), ("9" * 40, False),
     ("nan", False)],
)  # fmt: skip
def test_condition_above(value: Any, is_met: bool) -> None:
    """`above` compares numbers, and text that is one; anything else does not meet it."""
    rules = classifier(CUE + "where = { path = 'properties.n', above = 3000 }")
    assert is_met is (rules(event("Ring", properties={"n": value})) is not None)


def test_condition_of_several_paths() -> None:
    """It is enough if one path meets the condition; with `exists = false` none may be there."""
    where = "where = { path = ['properties.a', 'properties.b'], "
    one, none = classifier(CUE + where + "is = ['x'] }"), classifier(CUE + where + "exists = false }")
    given = [{}, {"a": "y", "b": "x"}, {"a": "y"}]
    assert [False, True, False] == [one(event("Ring", properties=each)) is not None for each in given]
    assert [True, False, False] == [none(event("Ring", properties=each)) is not None for each in given]
