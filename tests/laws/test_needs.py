"""The law of places: which needs of an event count depends on what counted before and on the watermark, on
nothing else (docs/journeys.md, Limits).
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests import oracle
from tests.laws.driving import FOREVER
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
    in its other needs, and what is published stays the oracle's, also where a number is given again. Copies
    come too, and time goes on for days.
    """
    with small(segment, 256, places):
        life = Life(allowed_lateness)
        for op in ops:
            match op:
                case (oracle.Signal() as s, when):
                    before = [*life.accepted.get("p", [])]
                    watermark = life.population.watermark_ms
                    at = time_of(when, max(watermark, 0), min(allowed_lateness, 8 * H))
                    watermark = max(watermark, at)
                    kept = {a.event: a.at for a in oracle.history(before)}
                    event = s.event
                    while kept.get(event, FOREVER) < watermark - 2 * allowed_lateness:
                        event += "'"  # a forgotten id is another event, and the oracle does not forget
                    s = s._replace(at=at, event=event)
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
