"""What time does to people: silence, limits per batch, trimming, forgetting.

The laws hold the rest (tests/laws).
"""

import sys
from types import FrameType

import pytest

from streams.core.funnels.currencies import currency_number
from streams.core.journeys import machine
from streams.core.journeys.folding import APPLIED, DUPLICATE, OVER_CAP
from streams.core.journeys.money import Money
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.profile import (
    MAX_LIVE_SIGNALS,
    SEGMENT,
    SEGMENT_BYTES,
    folded_count,
    folded_journal,
)
from streams.core.journeys.signal import MAX_NEEDS, SIZE
from streams.core.journeys.store import HEAD_PART
from tests.core.journeys.people import (
    ALL_OF_IT,
    BUY,
    DAY,
    DO,
    GO,
    HORIZON,
    HOUR,
    KNOW,
    MINUTE,
    REFUND,
    TRUTH,
    People,
)

IDS = 2_048  # of folded signals that a profile over its cap keeps at most


def test_all_timers_of_one_deadline_fire_together() -> None:
    """A limit never cuts through one deadline: the timer position would claim what was not said."""
    people = People()
    for n in range(5):
        people.put(0, "look", BUY, key=f"u:{n}")
    people.put(MINUTE, "look", BUY, key="u:later")
    people.commit()
    assert not people.population.advance(DAY, limit=2)
    assert (HOUR, 5) == (people.population.timers_fired_ms, len(people.population.changes))
    assert people.population.advance(DAY, limit=2)
    assert (DAY, 6) == (people.population.timers_fired_ms, len(people.population.changes))


def test_a_timer_that_goes_off_early_is_set_again() -> None:
    """A later sign of life moves the deadline on; the old entry says nothing."""
    people = People()
    people.put(0, "a", BUY)
    people.put(50 * MINUTE, "b", BUY)
    people.population.advance(HOUR, ALL_OF_IT)
    people.commit()
    assert [(0, "opened")] == people.kinds()
    people.population.advance(HOUR + 50 * MINUTE, ALL_OF_IT)
    people.commit()
    assert [(0, "opened"), (HOUR + 50 * MINUTE, "stalled")] == people.kinds()


def test_a_copy_that_moves_the_last_sign_of_life_back_moves_the_timer_back() -> None:
    """It changes no step by itself, but silence now began earlier, and is said when it is due and
    not when the later copy's would have been.
    """
    people = People()
    people.put(0, "a")
    people.put(2 * DAY, "b")
    people.population.advance(3 * DAY, ALL_OF_IT)  # goes off for `a`, finds `b`, is set to day 5
    assert APPLIED == people.put(DAY, "b")
    people.population.advance(4 * DAY, ALL_OF_IT)
    people.commit()
    assert [(0, "opened"), (4 * DAY, "stalled")] == people.kinds()


def test_a_signal_exactly_at_its_deadline_is_in_time() -> None:
    """Silence is over when its deadline has passed, not when it has come;
    after it has fired, the signal takes it back.
    """
    people = People()
    people.put(0, "a", BUY)
    people.population.advance(HOUR, ALL_OF_IT)
    people.commit()
    assert (HOUR, "stalled") in people.kinds()
    people.put(HOUR, "b", BUY)
    people.commit()
    assert [(0, "opened")] == people.kinds()


@pytest.mark.parametrize("every", [6 * HOUR, DAY, 5 * DAY], ids=str)
def test_a_long_journey_with_signs_of_life_stays_one(every: int) -> None:
    """Trimming must not take a pause for the end: whatever is folded, the
    journey goes on, also for whoever restores it.
    """
    people = People()
    for n in range(600 if every < DAY else 60):
        people.put(n * every, f"e{n}")
        people.tick()
    people.restart()
    states = people.profile().states
    assert [KNOW] == [s.moment for s in states]
    assert {"e0"} == people.journeys()
    last = (599 if every < DAY else 59) * every
    people.put(last - HOUR, "late", BUY)
    people.commit()
    assert {"e0"} == people.journeys()
    assert [] == people.finals


def test_needs_are_trimmed_each_by_its_own_silence() -> None:
    """One need's abandonment does not wait for the silence of another, and
    one's signs of life do not close another.
    """
    people = People()
    people.put(0, "car", needs=("car",))
    for n in range(1, 100):
        people.put(n * DAY, f"coffee{n}", needs=("coffee",))
        people.tick()
    assert ("u:1", "car", "abandoned", 30 * DAY) in people.closed()
    assert {"car": -1, "coffee": KNOW} == {
        people.profile().needs[s.need]: s.moment for s in people.profile().states if s.journey
    }


def test_a_finished_past_does_not_pile_up() -> None:
    """Closed journeys are folded and their signals let go: what a customer
    of years holds is what two horizons hold.
    """
    people = People()
    for n in range(400):
        people.put(n * DAY, f"look{n}", KNOW)
        people.put(n * DAY + HOUR, f"buy{n}", TRUTH)
        people.tick()
    p = people.profile()
    assert len(folded_journal(p) + p.journal) <= 4 * SEGMENT_BYTES
    assert 400 == len(people.closed()) + sum(1 for _ in (397, 398, 399))
    assert len(people.store["u:1"]) == 2 + p.sealed


def test_a_robot_stays_bounded() -> None:
    """Thousands of signals within the horizon: the newest MAX_LIVE_SIGNALS are held in full,
    and the ids of a few thousand before them.
    """
    people = People()
    for n in range(5_000):
        assert APPLIED == people.put(n * 1_000, f"e{n}", n % 4)
        if n % 100 == 0:
            people.tick()
    p = people.profile()
    assert MAX_LIVE_SIGNALS <= len(p.journal) // SIZE <= MAX_LIVE_SIGNALS + SEGMENT
    assert folded_count(p) <= IDS
    assert len(people.store["u:1"]) <= (IDS + MAX_LIVE_SIGNALS) // SEGMENT + 3
    assert OVER_CAP == people.put(1_500, "before what is held")
    assert DUPLICATE == people.put(4_990_000, "e4990", 4990 % 4)


def test_a_signal_of_a_robot_is_read_twice() -> None:
    """When it comes and when it is folded, whatever its purchases say of money."""
    people, steps = People(), 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal steps
        steps += event == "call" and frame.f_code is machine.step.__code__

    def put(n: int) -> None:
        money = Money(100 + n, currency_number("EUR")) if n % 2 else None
        people.put(n * 1_000, f"e{n}", (KNOW, TRUTH)[n % 2], order=f"o{n}" if n % 2 else None, money=money)

    for n in range(2 * MAX_LIVE_SIGNALS):
        put(n)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for n in range(2 * MAX_LIVE_SIGNALS, 3 * MAX_LIVE_SIGNALS):
            put(n)
    finally:
        sys.setprofile(before)
    assert 2 * MAX_LIVE_SIGNALS == steps


def test_an_event_of_a_robot_costs_what_anybodys_does() -> None:
    """However many signals came before: the live ones are few, and a change writes a small head.

    The needs and the base, and each full segment with its orders, are written when signals are folded.
    """
    people = People()
    for n in range(3_000):
        people.put(n * 1_000, f"e{n}", (KNOW, TRUTH)[n % 2], order=f"o{n}" if n % 2 else None)
        people.commit()
        assert len(people.profile().journal) <= (MAX_LIVE_SIGNALS + SEGMENT) * SIZE
        assert len(people.store["u:1"][HEAD_PART]) < SEGMENT * (SIZE + 40) + 20
    assert IDS - SEGMENT < folded_count(people.profile())
    assert DUPLICATE == people.put(2_999_000, "e900", KNOW)


def test_a_profile_holds_so_many_needs() -> None:
    """A robot that walks every category: a signal about one more need finds no place, known needs go on."""
    people = People()
    for n in range(1, MAX_NEEDS):
        people.put(n, f"e{n}", needs=(f"need {n}",))
    assert OVER_CAP == people.put(MAX_NEEDS, "one more", needs=("one more",))
    assert APPLIED == people.put(MAX_NEEDS, "known", needs=("need 7",))


def test_only_an_applied_event_takes_a_place_for_its_needs() -> None:
    """A copy that is not applied leaves none behind, an event gets those that are free, by name."""
    people = People()
    for n in range(1, MAX_NEEDS - 1):
        people.put(n, f"e{n}", needs=(f"need {n}",))
    for more in ("one more",), ("one more", "two more"):
        assert DUPLICATE == people.put(MAX_NEEDS, f"e{MAX_NEEDS - 2}", needs=more)
    assert MAX_NEEDS - 1 == len(people.profile().needs) == len(people.profile().states)
    named = ("a third", "need 7", "one more", "two more")
    assert LeftOut(("one more", "two more")) == people.put(MAX_NEEDS, "two", needs=named)
    assert (MAX_NEEDS, "a third") == (len(people.profile().needs), people.profile().needs[-1])
    assert DUPLICATE == people.put(MAX_NEEDS, "two", needs=named)
    assert OVER_CAP == people.put(MAX_NEEDS, "three", needs=("one more",))


def test_a_number_is_not_given_again_before_its_steps_are_published() -> None:
    """A copy takes the only signal of a need back, and another need comes in the same batch: the retraction
    still names the first.
    """
    people = People()
    for n in range(1, MAX_NEEDS - 1):
        people.put(n, f"e{n}", needs=(f"need {n}",))
    people.put(MAX_NEEDS + 1, "copied", needs=("first",))
    people.commit()
    assert APPLIED == people.put(MAX_NEEDS, "copied")
    assert APPLIED == people.put(MAX_NEEDS + 2, "next", needs=("second",))
    people.commit()
    needs = {step.need for _, step in people.said.steps()}
    assert (False, True) == ("first" in needs, "second" in needs)


def test_a_loyal_customers_next_product_counts() -> None:
    """After 999 products, with a purchase of known ones: in these at once, in the new one as soon as an old
    one is over. Its number is then free as well, so a life of them takes no more memory.
    """
    people = People()
    for n in range(1, MAX_NEEDS):
        people.put(n * MINUTE, f"e{n}", needs=(f"need {n}",))
    end = MAX_NEEDS * MINUTE
    people.tick(end)
    assert LeftOut(("new",)) == people.put(end, "order", TRUTH, needs=("need 7", "new"))
    for n in range(1, 1_200):
        at = end + n * 8 * HOUR
        outcome = OVER_CAP if at <= 32 * DAY + MINUTE else APPLIED
        assert outcome == people.put(at, f"later{n}", needs=(f"later {n}",))
        if n % 60 == 0:
            people.tick()
            people.restart()
    assert len(people.profile().needs) <= MAX_NEEDS + 2 * 60
    assert len(people.profile().states) == len(people.profile().needs)


def test_a_profile_with_nothing_open_is_forgotten() -> None:
    """No purchase: two horizons after its newest signal it is gone, with a
    tombstone for each record that was stored.
    """
    people = People()
    for n in range(20):
        people.put(n, f"e{n}", sure=False)
    people.tick()
    assert 3 == len(people.store["u:1"])
    people.tick(19 + 2 * HORIZON)
    assert [] == people.forgotten
    people.tick(20 + 2 * HORIZON)
    assert ["u:1"] == people.forgotten
    assert {} == people.store


def test_an_open_journey_is_not_forgotten() -> None:
    """However long ago its newest signal was, until silence has closed it and that is final."""
    people = People()
    people.put(0, "look")
    people.tick(30 * DAY + HORIZON)
    assert [] == people.forgotten
    people.tick(30 * DAY + HORIZON + 1)
    assert [("u:1", "look", "abandoned", 30 * DAY)] == people.closed()
    assert ["u:1"] == people.forgotten


def test_forgetting_waits_for_refunds() -> None:
    """A refund within the window may come a horizon late: until then the purchase is remembered."""
    window = 90 * DAY
    people = People()
    people.put(0, "order", TRUTH)
    people.tick(window + HORIZON)
    assert [] == people.forgotten
    assert APPLIED == people.put(window, "refund", REFUND)
    people.tick()
    assert (window, "refunded") in people.kinds()

    alone = People()
    alone.put(0, "order", TRUTH)
    alone.tick(window + HORIZON + 1)
    assert ["u:1"] == alone.forgotten
    assert {} == alone.store


def test_who_was_forgotten_can_come_back() -> None:
    """A new journey, and the timers of the old one say nothing to it."""
    people = People()
    people.put(0, "look")
    people.tick(40 * DAY)
    assert ["u:1"] == people.forgotten
    people.put(40 * DAY, "again", GO)
    people.tick(40 * DAY + 4 * HOUR + 1)
    assert [(40 * DAY, "opened"), (40 * DAY + 4 * HOUR, "stalled")] == people.kinds()[-2:]


@pytest.mark.parametrize("limit", [1, 2, 1_000])
def test_limits_change_when_not_what(limit: int) -> None:
    """However little is done per batch, the same is said, final and forgotten in the end."""
    people = People()
    for n in range(6):
        people.put(n * HOUR, "look", (KNOW, GO, DO)[n % 3], key=f"u:{n}", needs=("car", "coffee"))
        people.put(n * HOUR + MINUTE, "order", TRUTH, key=f"u:{n}", needs=("car",))
    people.tick(32 * DAY + 10 * HOUR, limit)
    assert sorted([(f"u:{n}", "look", "converted", n * HOUR + MINUTE) for n in range(6)] + [
        (f"u:{n}", "look", "abandoned", 30 * DAY + n * HOUR) for n in range(6)
    ]) == sorted(people.closed())  # fmt: skip
