"""The laws of docs/journeys.md: stream == batch, at every instant, whatever
the order, repetition, pauses and restarts.
"""

import os
import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.funnels.cells import MEASURE_REVENUE, MEASURE_SHIFT
from streams.core.funnels.windows import GROUP_BITS, GROUP_MASK, Windows
from streams.core.journeys import profile as profile_module
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.folding import fold
from streams.core.journeys.journey_step import CUE, UNMATCHED
from streams.core.journeys.population import Population
from streams.core.journeys.signal import NO_PLACE, PACK, SIZE, event_ref, facts_key, head_of, order_ref
from streams.core.journeys.state import State
from tests import oracle
from tests.laws.driving import (
    FOREVER,
    Said,
    counted,
    cue,
    expected,
    expected_cues,
    expected_unmatched,
    facts_of,
    figures,
    over_all_time,
    patience,
    put,
    step,
    unmatched,
)

EXAMPLES = int(os.environ.get("EXAMPLES", "400"))
LAW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
H = 3_600_000
OF = oracle.Patience((6 * H, 2 * H, 4 * H, 1 * H), abandon=12 * H, refund=20 * H, join=H, grace=H // 2)
EVENTS = list("abcdefgh")
CUES = 2  # cues of a journey, where sizes are small

needs = st.sampled_from([("",), ("",), ("",), ("car",), ("coffee",), ("car", "coffee")])
# Small amounts, so that some refunds give back just what is left, and a second currency.
amounts = st.sampled_from((None, 0, 3, 6, 6, 9))
money = st.one_of(
    st.none(),
    st.builds(
        oracle.Money,
        amount=amounts,
        currency=st.sampled_from((0, 0, 0, 1)),
        items=st.integers(0, 3),
        server=st.booleans(),
        shares=st.one_of(
            st.just(()),
            st.tuples(
                st.tuples(st.just("car"), amounts, st.integers(0, 2)),
                st.tuples(st.just("coffee"), amounts, st.integers(0, 2)),
            ),
        ),
    ),
)
signals = st.builds(
    oracle.Signal,
    # Half hours meet the deadlines and windows below exactly; a millisecond to either side passes them.
    at=st.builds(
        lambda h, edge: max(0, h * H // 2 + edge), st.integers(0, 48), st.sampled_from((0, 0, 0, -1, 1))
    ),
    event=st.sampled_from(EVENTS),
    mark=st.sampled_from((0, 0, 1, 2, 3, 3, 4, 4, 5)),
    sure=st.sampled_from((True, True, True, False)),
    dims=st.integers(0, 1),
    offset=st.sampled_from((0, 0, 4, -20)),
    rule=st.integers(0, 1),
    needs=needs,
    order=st.sampled_from((None, None, "o1", "o2")),
    update=st.sampled_from((0, 0, 0, oracle.UNTIMED, oracle.OLD_ORDER)),
    cue=st.sampled_from((0, 0, 0, 1, 5)),
    money=money,
)
histories = st.lists(signals, max_size=14)


def tidy(s: oracle.Signal) -> oracle.Signal:
    """As the pipeline makes signals: only buy signals, truths and refunds carry an order, only the latter two
    money, only truths are updates; a refund of an order that lists no products is about all needs.
    """
    # Orders compare by what stands for them.
    order = order_ref(s.order).hex() if s.order and s.mark >= 3 else None
    said = s.money if s.mark >= 4 else None
    if said is not None and said.amount is None:
        said = said._replace(currency=-1, shares=tuple((need, None, n) for need, _, n in said.shares))
    s = s._replace(order=order, needs=tuple(sorted(set(s.needs))), money=said)
    s = s._replace(update=s.update if s.mark == 4 else 0, cue=0 if s.mark == 5 else s.cue)
    return oracle.as_taken(s)


def one_profile(history: list[oracle.Signal]) -> list[oracle.Signal]:
    return [tidy(s) for s in history]


@LAW
@given(histories, st.integers(-1, 40 * H))
def test_fold_is_the_oracle(history: list[oracle.Signal], timer: int) -> None:
    """The fold of a whole journal says what the brute-force reading of the same set says."""
    rows = oracle.history(one_profile(history))
    names = ("", *sorted({n for s in rows for n in s.needs} - {"", "*"}))
    journal, facts = b"", {}
    for s in rows:
        for n in s.needs:
            number = 0xFFFF if n == "*" else names.index(n)
            head, ref = head_of(s.at, s.mark, s.sure, s.dims), event_ref(s.event)
            journal += PACK(head, ref, s.rule, number, s.offset, s.cue) + NO_PLACE
        if stated := facts_of(s):
            facts[facts_key(head_of(s.at, s.mark, s.sure, s.dims), event_ref(s.event))] = stated
    _, out = fold(journal, names, facts, timer, patience(OF))
    p = profile_module.Profile("p", [], names)
    unpublished = (*UNMATCHED, CUE)
    assert {step(p, t) for t in out if t.kind not in unpublished} == set(oracle.transitions(rows, timer, OF))
    assert {unmatched(p, t) for t in out if t.kind in UNMATCHED} == set(oracle.unmatched(rows, timer, OF))
    assert {cue(p, t) for t in out if t.kind == CUE} == set(oracle.cues(rows, OF))


@dataclass
class Life:
    """A population that lives through operations, and what must be true of it after each."""

    allowed_lateness: int = FOREVER
    population: Population = field(init=False)
    windows: Windows = field(default_factory=Windows)
    said: Said = field(default_factory=Said)
    accepted: dict[str, list[oracle.Signal]] = field(default_factory=dict)
    store: dict[str, dict[int, bytes]] = field(default_factory=dict)
    finals: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.population = Population(patience(OF), FinalityDelay(self.allowed_lateness))

    def put(self, key: str, s: oracle.Signal) -> str:
        self.population.watermark_ms = max(self.population.watermark_ms, s.at)
        if s.at < self.population.watermark_ms - self.allowed_lateness:
            return "late"
        before = [*self.accepted.get(key, ())]
        outcome, counted = put(self.population, key, s)
        if outcome == "applied" and s.needs != ("*",):
            oldest = self.population.watermark_ms - self.allowed_lateness
            assert oracle.left_out(before, s.needs, oldest, OF) == tuple(
                n for n in s.needs if n not in counted.needs
            )
        if outcome != "over_cap":
            self.accepted.setdefault(key, []).append(counted)
        return outcome

    def time(self, timer: int, limit: int = 10**9) -> None:
        while not self.population.advance(timer, limit):
            self.check()

    def commit(self) -> None:
        self.check()
        self.population.housekeep(10**9)
        self.finals += self.population.finals
        for part in self.population.commit():
            if part.value is None:
                self.store.get(part.key, {}).pop(part.number, None)
            else:
                self.store.setdefault(part.key, {})[part.number] = part.value
        self.store = {key: parts for key, parts in self.store.items() if parts}

    def restart(self) -> None:
        self.commit()
        before = self.population
        self.population = Population(patience(OF), FinalityDelay(self.allowed_lateness))
        self.population.restore(self.store, before.watermark_ms, before.timers_fired_ms)

    def check(self) -> None:
        self.said.hear(self.population, self.windows)
        assert self.said.steps() == expected(self.accepted, self.population.timers_fired_ms, OF)
        assert self.said.unmatched() == expected_unmatched(self.accepted, self.population.timers_fired_ms, OF)
        assert self.said.cues() == expected_cues(self.accepted, OF)
        self.check_figures()

    def check_figures(self) -> None:
        """They are the oracle's count, and as many journeys are under way as the states say."""
        self.windows.roll_up(0)
        now = self.windows.figures.figures()
        assert now == figures(self.accepted, self.population.timers_fired_ms, OF)
        states = [s for p in self.population.profiles for s in p.states if s.moment >= 0]
        assert now.open == tuple(sum(s.moment == m for s in states) for m in range(4))
        assert now.stalled == tuple(sum(s.moment == m and s.stalled for s in states) for m in range(4))

    def check_counters(self) -> None:
        assert over_all_time(self.windows) == counted(self.accepted, self.population.timers_fired_ms, OF)
        assert all(
            n >= 0 for (_, _, what), n in self.windows.cells() if what >> MEASURE_SHIFT != MEASURE_REVENUE
        )
        restored = Windows()
        for (window, start, what), n in self.windows.cells():
            restored.put((window, start, what >> GROUP_BITS), {what & GROUP_MASK: n})
        assert restored.figures.figures() == self.windows.figures.figures()


@LAW
@given(histories, st.randoms(use_true_random=False), st.integers(-1, 40 * H))
def test_any_permutation_with_duplicates_says_the_same(
    history: list[oracle.Signal], rnd: random.Random, timer: int
) -> None:
    """Inside the horizon the result is a function of the set of events: order and
    repetition do not matter, counters included.
    """
    rows = one_profile(history)
    order = rows + [s for s in rows if rnd.random() < 0.3]
    rnd.shuffle(order)
    life = Life()
    for s in order:
        life.put("p", s)
    life.time(timer)
    life.check()
    life.check_counters()


def standing(population: Population) -> dict[str, list[State]]:
    """Where everybody stands; needs that only a duplicate has named are nothing."""
    return {p.key: [s for s in p.states if s.journey] for p in population.profiles}


operations = st.lists(
    st.one_of(
        *[signals] * 5,
        st.tuples(st.just("time"), st.integers(0, 40 * H), st.sampled_from((1, 100))),
        st.tuples(st.just("commit")),
        st.tuples(st.just("restart")),
    ),
    max_size=30,
)


@LAW
@given(operations)
def test_after_every_step_what_stands_said_is_the_oracle(ops: list[Any]) -> None:
    """With timers, commits and restarts in between, at every instant and not only at the end.

    Two profiles share the partition.
    """
    life = Life()
    for op in ops:
        match op:
            case oracle.Signal():
                key = "pq"[op.event in EVENTS[5:]]
                life.put(key, tidy(op))
                life.check()
            case ("time", timer, limit):
                life.time(max(timer, life.population.timers_fired_ms), limit)
                life.check()
            case ("commit",):
                life.commit()
            case ("restart",):
                life.commit()
                before = standing(life.population)
                life.restart()
                assert standing(life.population) == before
    life.check_counters()


@LAW
@given(
    operations,
    st.sampled_from((2 * H, 8 * H, FOREVER)),
    st.sampled_from((1, 2, 8)),
    st.sampled_from((3, 6, 256)),
)
def test_trimming_caps_and_forgetting_change_nothing(
    ops: list[Any], allowed_lateness: int, segment: int, cap: int
) -> None:
    """The same under short horizons, small segments and low caps, when every event has an id of its own."""
    with small(segment, cap):
        life = Life(allowed_lateness)
        for n, op in enumerate(ops):
            match op:
                case oracle.Signal():
                    key = "pq"[op.event in EVENTS[5:]]
                    outcome = life.put(key, tidy(op)._replace(event=f"{op.event}{n}"))
                    assert outcome in ("applied", "late") or cap < 256, outcome
                    life.check()
                case ("time", timer, limit):
                    life.time(
                        max(life.population.timers_fired_ms, min(timer, life.population.watermark_ms - 1)),
                        limit,
                    )
                    life.check()
                case ("commit",):
                    life.commit()
                case ("restart",):
                    life.restart()
                    life.check()
        life.check_counters()


class small:
    """Runs with other segment and cap sizes than the product's, so that short histories meet them."""

    def __init__(self, segment: int, cap: int, places: int = 1_000) -> None:
        self.new = {"SEGMENT": segment, "SEGMENT_BYTES": segment * SIZE, "MAX_LIVE_SIGNALS": cap}
        self.new |= {"MAX_NEEDS": places, "PLACES": places, "MAX_CUES": CUES, "MATCHED": CUES}

    def __enter__(self) -> None:
        from streams.core.journeys import machine, needs, population, store, trimming

        self.old = [
            (m, k, getattr(m, k))
            for m in (profile_module, trimming, population, store, needs, machine, oracle)
            for k in self.new
            if hasattr(m, k)
        ]
        for m, k, _ in self.old:
            setattr(m, k, self.new[k])

    def __exit__(self, *_: object) -> None:
        for m, k, v in self.old:
            setattr(m, k, v)
