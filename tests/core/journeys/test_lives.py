"""Long lives of two people, with all that a partition does to them: what was said and what became
final is the oracle's, to the last record.

The laws in tests/laws try every small history; these are months long, so that trimming, caps,
forgetting and final records all take part.
"""

import random

import pytest

from streams.core.funnels.windows import Windows
from streams.core.journeys.folding import APPLIED, DUPLICATE
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.journeys.signal import event_text, order_ref
from streams.core.journeys.summary import MAX_PATH_STAYS, JourneySummary
from tests import oracle
from tests.core.journeys.people import ALL_OF_IT, BUY, DAY, HOUR, MINUTE, REFUND, People
from tests.laws.driving import expected, expected_unmatched
from tests.laws.test_journeys import small

SIGNALS = 250
PRODUCT_CAP = 256
SIZES = [(1, 3), (2, 2), (2, 6), (4, 20), (8, PRODUCT_CAP)]  # signals per segment, cap
HORIZONS = [6 * HOUR, 2 * DAY, 10 * DAY]


def live(rnd: random.Random, people: People, cap: int) -> dict[str, list[oracle.Signal]]:
    """Months of signals, in some disorder, with batches, floods of timers and
    restarts; returns what was accepted, by profile.
    """
    accepted: dict[str, list[oracle.Signal]] = {}
    allowed_lateness, at = people.population.finality.allowed_lateness_ms, 0
    for n in range(SIGNALS):
        at += rnd.choice(
            (MINUTE, HOUR, HOUR, 10 * HOUR, 3 * DAY if n % 10 == 0 else HOUR, 12 * DAY if n % 30 == 0 else 0)
        )
        when = max(0, at - rnd.choice((0, 0, 0, 0, HOUR, allowed_lateness * 9 // 10)))
        if when < people.population.watermark_ms - allowed_lateness:
            continue
        mark, sure, key = (
            rnd.choice((0, 0, 1, 2, 3, 4, 4, REFUND)),
            rnd.random() < 0.8,
            rnd.choice(("u:1", "u:2")),
        )
        needs = rnd.choice((("",), ("car",), ("car", "coffee")))
        order = rnd.choice((None, "o1", "o2", "o3")) if mark >= BUY else None
        outcome = people.put(when, f"e{n}", mark, key=key, sure=sure, needs=needs, order=order)
        if outcome in (APPLIED, DUPLICATE):
            about = ("*",) if mark == REFUND and order else needs
            stands_for = order_ref(order).hex() if order else None
            accepted.setdefault(key, []).append(
                oracle.Signal(when, f"e{n}", mark, sure, 0, 0, 0, about, stands_for)
            )
        else:
            assert cap < PRODUCT_CAP
        people.said.hear(people.population, Windows())
        if rnd.random() < 0.3:
            people.tick(limit=rnd.choice((1, ALL_OF_IT)))
        if rnd.random() < 0.1:
            people.tick()
            people.restart()
    people.tick()
    return accepted


def is_of(step: oracle.Step, journey: oracle.Journey) -> bool:
    return (step.need, step.journey) == (journey.need, journey.journey) and step.kind != "refunded"


Told = tuple[str, str, list[tuple[int, int]], int, int, int]
"""Of a final record: journey, outcome, path as (moment, when), how many stays it had, time
spent in moments, how often it fell silent.
"""


def told_of(f: JourneySummary) -> Told:
    path = [(stay.moment, stay.entered_ms) for stay in f.path]
    return (
        event_text(f.journey),
        KIND_NAMES[f.outcome],
        path,
        f.stays,
        sum(ms for ms in f.dwell_ms if ms > 0),
        f.stalls,
    )


def tale_of(j: oracle.Journey, steps: list[oracle.Step]) -> Told:
    moves = [
        step
        for step in steps
        if step.to != step.from_ and (step.kind != "converted" or step.from_ is not None)
    ]
    stays = [(step.to, step.at) for step in moves if step.to is not None]
    dwell_ms, stalls = (
        sum(step.dwell_ms or 0 for step in steps),
        sum(step.kind == "stalled" for step in steps),
    )
    return j.journey, j.outcome, stays[:MAX_PATH_STAYS], len(stays), dwell_ms, stalls


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("allowed_lateness", HORIZONS, ids=lambda ms: f"{ms // HOUR} h")
@pytest.mark.parametrize("seed", range(3))
def test_a_long_life_is_the_oracles(size: tuple[int, int], allowed_lateness: int, seed: int) -> None:
    """Steps and unmatched refunds as they stand; then, long after, one final record per closed journey and
    refund, with all of its steps, and nothing stored any more.
    """
    with small(*size):
        people = People(allowed_lateness)
        accepted = live(random.Random(f"{size} {allowed_lateness} {seed}"), people, size[1])
        timer = people.population.timers_fired_ms
        assert expected(accepted, timer, oracle.DEFAULTS) == people.said.steps()
        assert expected_unmatched(accepted, timer, oracle.DEFAULTS) == people.said.unmatched()
        people.tick(people.population.watermark_ms + 300 * DAY)
        timer = people.population.timers_fired_ms
        journeys = [(key, j) for key, signals in accepted.items() for j in oracle.journeys(signals, timer)]
        assert sorted((key, j.journey, j.outcome, j.closed_at) for key, j in journeys) == sorted(
            people.closed()
        )
        steps = [step for signals in accepted.values() for step in oracle.transitions(signals, timer)]
        told = sorted((key, told_of(f)) for key, f in people.finals if isinstance(f, JourneySummary))
        assert (
            sorted(
                (
                    key,
                    tale_of(j, [step for step in oracle.transitions(accepted[key], timer) if is_of(step, j)]),
                )
                for key, j in journeys
            )
            == told
        )
        assert sorted((step.journey, step.at) for step in steps if step.kind == "refunded") == sorted(
            people.refunds()
        )
        assert {} == people.store
