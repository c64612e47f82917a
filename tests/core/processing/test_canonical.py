"""An event in canonical form says all that is known of it: what is read back is what was written."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.funnels.currencies import CURRENCIES
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.event import Reason, Rejection
from streams.core.journeys.money import Money, Share
from streams.core.journeys.order_facts import OrderFacts, Update
from streams.core.journeys.signal import (
    NAMELESS,
    REFUND_EVERYWHERE,
    TIME,
    Signal,
    event_ref,
    event_text,
    head_of,
    order_ref,
    parse_event_text,
)
from streams.core.moments.verdict import CUE_NAMES, INTENTS
from streams.core.processing.canonical import DeviceEvent, canonical_json, read_canonical
from streams.core.processing.rulebook import Rulebook
from tests.core.processing.feeding import START
from tests.core.processing.test_rulebook import DOOR, FIRST, SECOND

DIMENSIONS = Dimensions()
IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda found: str(found).upper()),
    st.uuids().map(lambda found: found.hex),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=40),
    st.just("blake2b:" + "0f" * 16),
)
AMOUNTS = st.none() | st.integers(0, 10**15)
MONEY = st.builds(
    Money,
    AMOUNTS,
    st.integers(-1, len(CURRENCIES) - 1),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
    st.lists(st.builds(Share, st.text(max_size=5), AMOUNTS, st.integers(0, 9)), max_size=3).map(tuple),
)
FACTS = st.builds(
    OrderFacts,
    st.none() | st.text(max_size=5).map(order_ref),
    st.sampled_from(Update).map(int),
    st.none() | MONEY,
).filter(lambda facts: facts != OrderFacts())
NEEDS = (
    st.just(NAMELESS)
    | st.just(REFUND_EVERYWHERE)
    | st.lists(st.text("ab*", min_size=1), min_size=1).map(tuple)
)


def book(*, of: object = FIRST) -> Rulebook:
    found = Rulebook()
    found.adopt(of, DOOR, {})  # type: ignore[arg-type]  # rules
    return found


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    head = head_of(
        START + draw(st.integers(0, 10**12)),
        draw(st.integers(0, len(INTENTS) - 1)),
        draw(st.booleans()),
        draw(st.integers(0, DIMENSIONS.codes - 1)),
    )
    ref = event_ref(draw(IDS))
    rule, quarters = draw(st.integers(0, len(FIRST.rules) - 1)), draw(st.integers(-56, 56))
    cue = draw(st.integers(0, len(CUE_NAMES)))
    return Signal(head, ref, rule, quarters, draw(st.none() | FACTS), draw(NEEDS), cue=cue)


@given(signals(), st.sampled_from(("", "shop\x1f")), st.booleans())
def test_what_is_written_is_read_back(signal: Signal, tenant: str, is_users: bool) -> None:
    """Of every event: whose it is, and its signal to the last bit, even where the rules are others by now."""
    user = f"{tenant}u:ann" if is_users else None
    event = DeviceEvent(f"{tenant}d:phone", user, signal.ref, signal.head >> TIME, signal)
    value = canonical_json(event, DIMENSIONS, book())
    assert event == read_canonical(value, DIMENSIONS, book())
    there = book(of=SECOND)
    found = read_canonical(value, DIMENSIONS, there)
    assert isinstance(found, DeviceEvent)
    assert found.signal is not None
    assert book().rule_of(signal.rule) == there.rule_of(found.signal.rule)
    for known in (NAMELESS, REFUND_EVERYWHERE):  # they are recognized by identity
        assert (found.signal.needs is known) == (signal.needs == known)


@given(IDS)
def test_the_text_of_an_id_is_the_id_again(name: str) -> None:
    """Also of one of which a hash is kept."""
    ref = event_ref(name)
    assert ref == parse_event_text(event_text(ref))


def test_a_link_has_no_signal() -> None:
    """It says who was on which device, and when."""
    link = DeviceEvent("d:phone", "u:ann", event_ref("e"), START, None)
    value = canonical_json(link, DIMENSIONS, book())
    assert (
        b'{"tenant":null,"device":"phone","user":"ann","event":"e","at":"2024-01-01T00:00:00.000Z","signal":null}'
        == value
    )
    assert link == read_canonical(value, DIMENSIONS, book())


GOOD = canonical_json(
    DeviceEvent(
        "d:phone", "u:ann", event_ref("e"), START, Signal(head_of(START, 3, True, 0), event_ref("e"), 0, 0)
    ),
    DIMENSIONS,
    book(),
)


@pytest.mark.parametrize(
    ("changed", "to", "reason"),
    [
        (b'"device":"phone"', b'"device":7', Reason.UNDECODABLE),
        (b'"at":"2024-01-01T00:00:00.000Z"', b'"at":"noon"', Reason.BAD_TIME),
        (b'"intent":"buy"', b'"intent":"steal"', Reason.UNDECODABLE),
        (b'"order":null', b'"order":"xyz"', Reason.UNDECODABLE),
        (b'{"tenant"', b'{{"tenant"', Reason.UNDECODABLE),
    ],
)
def test_what_is_none_is_rejected(changed: bytes, to: bytes, reason: Reason) -> None:
    """Somebody else may have written the dead letter."""
    assert changed in GOOD
    found = read_canonical(GOOD.replace(changed, to), DIMENSIONS, book())
    assert isinstance(found, Rejection)
    assert reason == found.reason
    assert msgspec.json.decode(GOOD)["signal"]["rule"] == FIRST.rules[0].name
