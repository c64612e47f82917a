"""The law of places: which needs of an event count depends on what counted before and on the watermark, on
nothing else (docs/journeys.md, Limits).
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.journeys.needs import shown_states
from streams.core.journeys.signal import order_ref
from tests import oracle
from tests.laws.driving import FOREVER, named_apart
from tests.laws.test_journeys import LAW, OF, H, Life, signals, small, standing, tidy

NAMES = ("", "car", "coffee", "milk", "tea", "water")
about_many = signals.flatmap(
    lambda s: st.sets(st.sampled_from(NAMES), min_size=1, max_size=4).map(
        lambda names: tidy(s._replace(needs=tuple(sorted(names))))
    )
)
# When an event is, seen from the watermark: within the allowed lateness (in hundredths), or a leap ahead
# by a span after which something is over, and a millisecond to either side of it.
LEAPS = ("lateness", "twice", "abandon", "refund")
when = st.one_of(
    *[st.integers(0, 100)] * 4,
    st.tuples(st.sampled_from(LEAPS), st.sampled_from((-1, 0, 1))),
)


def time_of(when: int | tuple[str, int], watermark: int, lateness: int) -> int:
    if isinstance(when, int):
        return max(0, watermark - lateness * when // 100)
    spans = {
        "lateness": lateness, "twice": 2 * lateness,
        "abandon": OF.abandon + lateness, "refund": OF.refund + lateness,
    }  # fmt: skip
    return watermark + spans[when[0]] + when[1]


def ending(before: list[oracle.Signal], s: oracle.Signal, oldest: int) -> str:
    """How an event ends that is not late."""
    if s in before or (s.event in {b.event for b in before} and s not in oracle.history([*before, s])):
        return "duplicate"
    placeless = s.needs != ("*",) and set(oracle.left_out(before, s.needs, oldest, OF)) == set(s.needs)
    return "over_cap" if placeless else "applied"


class OnePerson(Life):
    """The life of a profile. What `current` would show is always what the oracle says, and so is whether it
    never had a journey when it is forgotten.
    """

    begun = 0  # the events before these came before it was forgotten

    @property
    def since(self) -> list[oracle.Signal]:
        return self.accepted.get("p", [])[self.begun :]

    def check(self) -> None:
        super().check()
        p = self.population.profiles.get("p")
        found = {p.needs[s.need] for s in shown_states(p) if s.journey} if p is not None else set()
        timers_ms = self.population.timers_fired_ms
        shown = oracle.shown(self.since, timers_ms, OF)
        if timers_ms < self.population.watermark_ms - 1 and len(shown) > oracle.PLACES:
            assert found < shown  # until timers have caught up
            assert len(found) == oracle.PLACES
        else:
            assert shown == found

    def commit(self) -> None:
        before, was_there = self.population.forgotten_without_journey, self.population.profiles.get("p")
        super().commit()
        forgotten = was_there is not None and self.population.profiles.get("p") is None
        had = oracle.journeys(self.since, self.population.timers_fired_ms, OF)
        assert (forgotten and not had) == self.population.forgotten_without_journey - before
        if forgotten:
            self.begun += len(self.since)


@LAW
@given(
    st.lists(
        st.one_of(
            *[st.tuples(about_many, when)] * 8,
            st.sampled_from((("commit",), ("restart",), ("check",))),
        ),
        max_size=40,
    ),
    st.sampled_from((2 * H, 8 * H, FOREVER)),
    st.sampled_from((1, 1, 2, 8)),
    st.sampled_from((2, 3, 4)),
)
def test_needs_have_places_by_what_is_open_and_by_the_watermark_alone(
    ops: list[Any], allowed_lateness: int, segment: int, places: int
) -> None:
    """Which needs of an event are left out, and which event finds no place at all, is what the oracle says of
    the events that counted before: no tidying, restart or number of a need has a part in it. An event counts
    in its other needs, and what is published stays the oracle's, also where a number is given again. What
    `current` shows follows from the events and the timers. Copies come too, and time goes on for days.
    """
    with small(segment, 256, places):
        life = OnePerson(allowed_lateness)
        for op in ops:
            match op:
                case (oracle.Signal() as s, when):
                    before = [*life.accepted.get("p", [])]
                    watermark = life.population.watermark_ms
                    at = time_of(when, max(watermark, 0), min(allowed_lateness, 8 * H))
                    watermark = max(watermark, at)
                    s = named_apart(s._replace(at=at), oracle.history(before), allowed_lateness)
                    assert ending(before, s, watermark - allowed_lateness) == life.put("p", s)
                case ("check",):
                    life.check()
                case ("commit",):
                    life.time(max(life.population.timers_fired_ms, life.population.watermark_ms - 1))
                    life.commit()
                case ("restart",):
                    life.time(max(life.population.timers_fired_ms, life.population.watermark_ms - 1))
                    life.commit()
                    stood = standing(life.population)
                    life.restart()
                    assert standing(life.population) == stood
                    life.check()
        life.check()
        life.check_counters()


def lived(places: int, *ops: oracle.Signal | str) -> OnePerson:
    """A life in which each event is committed before the next one comes; the word stands for a restart."""
    life = OnePerson(2 * H)
    with small(1, 256, places):
        for op in ops:
            if isinstance(op, oracle.Signal):
                key = "q" if op.event == "other" else "p"
                assert "applied" == life.put(key, op)
                life.time(max(life.population.timers_fired_ms, life.population.watermark_ms - 1))
                life.commit()
            else:
                life.restart()
            life.check()
    return life


def look(at: int, *needs: str, event: str | None = None, sure: bool = True) -> oracle.Signal:
    return oracle.Signal(at, event or f"e{at}", oracle.KNOW, sure, 0, 0, 0, needs, None)


@pytest.mark.parametrize("fired", [False, True], ids=["timers-are-behind", "timers-fired"])
@pytest.mark.parametrize(("mark", "span"), [(oracle.KNOW, OF.abandon), (oracle.TRUTH, OF.refund)])
def test_a_place_is_free_a_millisecond_after_a_late_event_could_still_need_it(
    mark: int, span: int, fired: bool
) -> None:
    """It is the one place beside that of the nameless need."""
    for over_ms, outcome in (0, "over_cap"), (1, "applied"):
        life, at = OnePerson(2 * H), span + 2 * H + over_ms
        with small(1, 256, 2):
            life.put("p", look(0, "car")._replace(mark=mark))
            life.put("q", look(at, ""))
            if fired:
                life.time(at - 1)
            assert outcome == life.put("p", look(at, "coffee"))
            life.check()


def test_a_number_stands_for_its_need_while_a_signal_bears_it() -> None:
    """Coffee was only met, so its place is free; a copy of that event is still known as one."""
    life, first = OnePerson(2 * H), look(0, "coffee", sure=False)
    with small(1, 256, 2):
        assert ["applied", "applied", "duplicate"] == [
            life.put("p", s) for s in (first, look(1, "tea"), first)
        ]


def test_a_refund_whose_products_find_no_place_is_not_about_everything() -> None:
    """It lists products, and is about the nameless need alone: that time goes by is not said of the car."""
    life, refund = OnePerson(2 * H), look(13 * H, "", "coffee")._replace(mark=oracle.REFUND)
    refund = refund._replace(order=order_ref("o").hex(), money=oracle.Money(None, -1, 1, False, ()))
    with small(1, 256, 2):
        life.put("p", look(0, "", "car"))
        assert "applied" == life.put("p", refund)
        life.check()


def test_that_needs_were_forgotten_outlives_a_restart() -> None:
    """The last of four journeys ends, and `current` shows none, although the others are forgotten."""
    journeys = [look(20 * H * n, name) for n, name in enumerate(("car", "coffee", "tea", "milk"))]
    ended = look(60 * H + OF.abandon + H, "", event="other")
    life = lived(2, *journeys, "restart", ended)
    p = life.population.profiles.get("p")
    assert p is not None
    assert (["milk"], []) == ([p.needs[s.need] for s in p.states if s.journey], shown_by(life, 2))


def test_a_need_is_not_forgotten_where_the_others_never_had_a_journey() -> None:
    """The car's journey is over, and its signal is dropped. `current` still shows it: coffee was only met."""
    life = lived(2, look(0, "car"), look(20 * H, "coffee", sure=False), "restart")
    p = life.population.profiles.get("p")
    assert p is not None
    assert (3, ["car"]) == (len(p.needs), [p.needs[s.need] for s in p.states if s.journey])


def test_a_need_is_not_forgotten_while_a_copy_can_undo_that_there_are_too_many() -> None:
    """Coffee and tea are one journey too many for `current`, until tea's turns out to be none."""
    first = look(0, "car", "milk"), look(20 * H, "coffee")
    tea = look(20 * H, "tea", event="t")
    assert ["coffee", "tea"] == shown_by(lived(3, *first, tea, "restart"), 3)
    unsure = look(20 * H - 1, "tea", event="t", sure=False)
    assert ["car", "coffee", "milk"] == shown_by(lived(3, *first, tea, "restart", unsure, "restart"), 3)


def test_a_person_whose_needs_are_all_forgotten_had_journeys() -> None:
    """When the person is forgotten, no state and no signal that is kept tells of them."""
    journeys = [look(20 * H * n, name) for n, name in enumerate(("car", "coffee", "tea", "milk"))]
    silent = look(80 * H, "", sure=False)
    life = lived(2, *journeys, silent, "restart")
    p = life.population.profiles.get("p")
    assert p is not None
    assert not any(s.journey for s in p.states)
    life = lived(2, *journeys, silent, look(90 * H, "", event="other"))
    assert (None, 0) == (life.population.profiles.get("p"), life.population.forgotten_without_journey)


def shown_by(life: OnePerson, places: int) -> list[str]:
    with small(1, 256, places):
        p = life.population.profiles.get("p")
        assert p is not None
        return sorted(p.needs[s.need] for s in shown_states(p) if s.journey)
