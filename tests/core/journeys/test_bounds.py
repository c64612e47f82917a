"""Every named bound, at it and one to either side: random histories of this size miss such edges.

What is kept, and what follows from it, is the oracle's.
"""

from itertools import combinations
from typing import Any

import pytest

from streams.core.journeys.folding import APPLIED, DUPLICATE, OVER_CAP
from streams.core.journeys.machine import MAX_CONVERSIONS, MAX_CUES
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.profile import SEGMENT, folded_count
from streams.core.journeys.signal import Signal, event_ref, head_of, order_ref
from streams.core.journeys.state import Patience
from streams.core.journeys.summary import MAX_PATH_STAYS, JourneySummary
from tests import oracle
from tests.core.journeys.people import BUY, DAY, GO, HORIZON, HOUR, JOIN, KNOW, MINUTE, REFUND, TRUTH, People
from tests.laws.driving import expected, expected_cues, expected_unmatched, facts_of

EDGE = (-1, 0, 1)
LIVE, FOLDED_IDS = 256, 2_048  # docs/journeys.md, Limits

# The fields by which copies of an event compare, in the order of the page, each with a smaller and a greater
# value. Orders compare by their hash.
_ORDERS = sorted(("o1", "o2"), key=order_ref)
FIELDS: dict[str, tuple[Any, Any]] = {
    "at": (HOUR - 1, HOUR),
    "mark": (BUY, TRUTH),
    "sure": (False, True),
    "dims": (0, 1),
    "offset": (-4, 4),
    "rule": (0, 1),
    "cue": (0, 5),
    "order": (_ORDERS[0], _ORDERS[1]),
    "update": (oracle.UNTIMED, oracle.OLD_ORDER),
    "needs": (("a",), ("b",)),
}
BASE: dict[str, Any] = {
    "at": HOUR, "mark": TRUTH, "sure": True, "dims": 0, "offset": 0, "rule": 0, "cue": 0, "order": None,
    "needs": ("a",),
}  # fmt: skip


def _copy(**fields: Any) -> oracle.Signal:
    given = BASE | fields
    order = order_ref(given["order"]).hex() if given["order"] and given["mark"] >= BUY else None
    return oracle.Signal(**given | {"event": "e", "order": order})


def _take(people: People, s: oracle.Signal) -> int | LeftOut:
    head = head_of(s.at, s.mark, s.sure, s.dims)
    return people.population.take(
        "u:1", Signal(head, event_ref(s.event), s.rule, s.offset, facts_of(s), s.needs, cue=s.cue)
    )


@pytest.mark.parametrize("numbered", [("a", "b"), ("b", "a")], ids="".join)
@pytest.mark.parametrize(("first", "second"), list(combinations(FIELDS, 2)))
def test_of_two_copies_the_oracles_stays(first: str, second: str, numbered: tuple[str, str]) -> None:
    """Copies that are smaller in one field and greater in a later one, in both orders of arrival: the earlier
    field decides, and needs compare by their names, in whatever order the profile has met them.
    """
    low = _copy(**{first: FIELDS[first][0], second: FIELDS[second][1]})
    high = _copy(**{first: FIELDS[first][1], second: FIELDS[second][0]})
    _check_copies(low, high, numbered)


@pytest.mark.parametrize("numbered", [("a", "b"), ("b", "a")], ids="".join)
@pytest.mark.parametrize("field", FIELDS)
def test_of_copies_that_differ_in_one_field_the_oracles_stays(field: str, numbered: tuple[str, str]) -> None:
    """In each field, the needs and the order ids included; no order comes before any."""
    low, high = (_copy(**{field: value}) for value in FIELDS[field])
    _check_copies(low, high, numbered)
    _check_copies(_copy(), _copy(order="o1"), numbered)


@pytest.mark.parametrize("numbered", [("a", "b"), ("b", "a")], ids="".join)
def test_of_two_sets_of_needs_the_one_with_fewer_is_the_smaller(numbered: tuple[str, str]) -> None:
    """Whatever their names: so a copy never sorts before what is left of it when needs are left out."""
    few, many = _copy(needs=("b",)), _copy(needs=("a", "b"))
    assert [few] == oracle.history([few, many])
    _check_copies(few, many, numbered)


def _check_copies(one: oracle.Signal, other: oracle.Signal, numbered: tuple[str, str]) -> None:
    (kept,) = oracle.history([one, other])
    for came in ((one, other), (other, one)):
        people = People()
        for n, need in enumerate(numbered):
            people.put(n, f"before {need}", KNOW, needs=(need,))
        assert _take(people, came[0]) == APPLIED
        assert _take(people, came[1]) == (DUPLICATE if came[0] == kept else APPLIED), came


def _same_as_the_oracle(people: People, signals: list[oracle.Signal]) -> None:
    people.commit()
    timer, accepted = people.population.timers_fired_ms, {"u:1": signals}
    assert expected(accepted, timer, oracle.DEFAULTS) == people.said.steps()
    assert expected_unmatched(accepted, timer, oracle.DEFAULTS) == people.said.unmatched()
    assert expected_cues(accepted, oracle.DEFAULTS) == people.said.cues()


def _signal(at: int, event: str, mark: int, order: str | None = None) -> oracle.Signal:
    about = ("*",) if mark == REFUND and order else ("",)
    return oracle.Signal(at, event, mark, True, 0, 0, 0, about, order_ref(order).hex() if order else None)


def _lived(people: People, signals: list[tuple[int, str, int, str | None]]) -> list[oracle.Signal]:
    for at, event, mark, order in signals:
        assert people.put(at, event, mark, order=order) == APPLIED
    return [_signal(*s) for s in signals]


@pytest.mark.parametrize("more", EDGE)
def test_as_many_conversions_are_remembered_as_the_page_says(more: int) -> None:
    """The first of 64 purchases can be refunded, the first of 65 can't."""
    assert MAX_CONVERSIONS == oracle.REMEMBERED
    count = MAX_CONVERSIONS + more
    people = People()
    bought = [(n * HOUR, f"order{n}", TRUTH, f"o{n}") for n in range(count)]
    lived = _lived(people, [*bought, (count * HOUR, "back", REFUND, "o0")])
    _same_as_the_oracle(people, lived)
    assert (more <= 0) == ((count * HOUR, "refunded") in people.kinds())


@pytest.mark.parametrize("more", EDGE)
def test_a_journey_has_as_many_cues_as_the_page_says(more: int) -> None:
    """The 64th is matched with it, and the 65th only counted."""
    assert MAX_CUES == oracle.MATCHED
    people = People()
    signals = [_signal(0, "look", KNOW)]
    signals += [_signal(n, f"cue{n}", KNOW)._replace(cue=5) for n in range(1, 1 + MAX_CUES + more)]
    for s in signals:
        assert _take(people, s) == APPLIED
    _same_as_the_oracle(people, signals)


@pytest.mark.parametrize("late", EDGE)
@pytest.mark.parametrize("between", [True, False])
def test_a_purchase_is_remembered_for_the_whole_refund_window(late: int, between: bool) -> None:
    """To its last millisecond, also if another purchase comes in that very millisecond."""
    window = Patience().refund
    people = People()
    signals: list[tuple[int, str, int, str | None]] = [(0, "order", TRUTH, "A")]
    if between:
        signals.append((window + late, "other order", TRUTH, "B"))
    signals.append((window + late, "back", REFUND, "A"))
    _same_as_the_oracle(people, _lived(people, signals))


@pytest.mark.parametrize("late", EDGE)
@pytest.mark.parametrize("orders", [("A", "A"), (None, "A"), (None, None)], ids=str)
def test_a_truth_joins_up_to_the_end_of_its_window(orders: tuple[str | None, str | None], late: int) -> None:
    """By order id within the refund window, by time within the join window; then it is another purchase."""
    window = Patience().refund if orders[0] else Patience().join
    people = People()
    first, second = orders
    lived = _lived(people, [(0, "order", TRUTH, first), (window + late, "again", TRUTH, second)])
    _same_as_the_oracle(people, lived)


@pytest.mark.parametrize("more", [*EDGE, 6])
def test_the_path_of_a_long_journey_is_its_first_stays(more: int) -> None:
    """Up to the bound with all their dwells; later stays change none of them."""
    people = People()
    count = MAX_PATH_STAYS + more
    for n in range(count):
        people.put(n * n * MINUTE, f"e{n}", (KNOW, GO)[n % 2])
    closed = count * count * MINUTE
    people.put(closed, "order", TRUTH)
    people.tick(closed + JOIN + HORIZON + 1)
    ((_, final),) = people.finals
    assert isinstance(final, JourneySummary)
    stays = [((KNOW, GO)[n % 2], n * n * MINUTE, (2 * n + 1) * MINUTE) for n in range(count)]
    stays.append((TRUTH, closed, -1))
    told = [(stay.moment, stay.entered_ms, stay.dwell_ms) for stay in final.path]
    assert told == stays[:MAX_PATH_STAYS]
    assert final.stays == len(stays)


@pytest.mark.parametrize("older", EDGE)
def test_a_copy_lies_within_the_finality_delay(older: int) -> None:
    """To the millisecond: a copy that is stamped anew is the same event, or a millisecond later another."""
    people = People()
    people.put(DAY, "look")
    assert people.put(DAY + HORIZON + older, "look") == (DUPLICATE if older <= 0 else APPLIED)


@pytest.mark.parametrize("older", EDGE)
def test_how_far_time_has_come_makes_no_difference_to_a_copy(older: int) -> None:
    """What is not late meets each copy of itself, folded or not, also the oldest that it can have."""
    people = People()
    for n in range(SEGMENT):
        people.put(DAY + n, f"look{n}", KNOW, sure=False)
    people.put(DAY + 2 * HORIZON, "somebody", key="u:2")
    people.put(DAY + 2 * HORIZON, "now")
    people.population.trim_profile(people.profile())
    assert SEGMENT == folded_count(people.profile())
    last = SEGMENT - 1
    copy = people.put(DAY + last + HORIZON + older, f"look{last}")
    assert copy == (DUPLICATE if older <= 0 else APPLIED)


@pytest.mark.parametrize("older", EDGE)
def test_nothing_is_folded_that_an_event_in_time_could_change(older: int) -> None:
    """A segment whose last signal is exactly as old as the allowed lateness permits stays live: an event of
    that instant may still come before it.
    """
    people = People()
    for n in range(SEGMENT + 1):
        people.put(n * HOUR, f"z{n}", KNOW, sure=False)  # no journey keeps them
    last = (SEGMENT - 1) * HOUR
    people.put(last + HORIZON + older, "somebody", key="u:2")
    people.population.trim_profile(people.profile())
    assert (folded_count(people.profile()) > 0) == (older > 0)
    if older <= 0:
        assert people.put(last, "a", KNOW) == APPLIED


@pytest.mark.parametrize("more", EDGE)
def test_as_many_signals_are_held_in_full_as_the_page_says(more: int) -> None:
    """Of one more, the oldest segment is folded: an event before its last signal has no place any more, one
    right behind it has.
    """
    people = People()
    for n in range(LIVE + more):
        people.put(MINUTE + n * 1_000, f"e{n}")
    people.population.trim_profile(people.profile())
    assert folded_count(people.profile()) == (SEGMENT if more > 0 else 0)
    last_folded = MINUTE + (SEGMENT - 1) * 1_000
    assert people.put(last_folded + 1, "behind it") == APPLIED
    assert people.put(last_folded - 1, "before it") == (OVER_CAP if more > 0 else APPLIED)
    assert people.put(1, "before all") == (OVER_CAP if more > 0 else APPLIED)


@pytest.mark.parametrize("more", EDGE)
def test_as_many_ids_of_folded_signals_are_known_as_the_page_says(more: int) -> None:
    """Of a person over the cap: the last 2,048. With a segment more, copies of the first segment's events
    that are stamped anew are new events, and no others.
    """
    people = People()
    count = LIVE + FOLDED_IDS + more * SEGMENT
    for n in range(count):
        people.put(n * 1_000, f"e{n}")
    assert folded_count(people.profile()) == FOLDED_IDS + min(more, 0) * SEGMENT
    assert people.put(count * 1_000, f"e{SEGMENT}") == DUPLICATE
    for number in (0, SEGMENT - 1):
        assert people.put(count * 1_000, f"e{number}") == (APPLIED if more > 0 else DUPLICATE)


@pytest.mark.parametrize("older", EDGE)
def test_a_journey_that_closed_as_long_ago_as_may_be_is_not_final(older: int) -> None:
    """An event of the instant of its purchase may still come; that another journey of the person is final by
    then, so that the person is looked at, changes nothing.
    """
    people = People()
    people.put(HOUR - 2, "first", TRUTH, needs=("a",))
    people.put(HOUR, "second", TRUTH, needs=("b",))
    people.tick(HOUR + JOIN + HORIZON + older)
    final = [journey for _, journey, _, _ in people.closed()]
    assert final == ["first", *(["second"] if older > 0 else [])]
