"""Drives the incremental code with the oracle's signals, and reads what it says in the oracle's words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from streams.core.funnels import cells
from streams.core.funnels.figures import JourneyFigures
from streams.core.funnels.windows import ALL_TIME, Windows
from streams.core.journeys.journey_step import (
    ADVANCED,
    CONVERTED,
    CUE,
    KIND_NAMES,
    REFUND_UNMATCHED,
    UNMATCHED,
    UPDATE_UNMATCHED,
    JourneyStep,
)
from streams.core.journeys.money import Money, Share
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import REFUND_EVERYWHERE, Signal, event_ref, event_text, head_of
from streams.core.journeys.state import Patience
from streams.core.moments.verdict import BUY, CUE_NAMES
from tests import oracle

FOREVER = 10**15  # a horizon within which nothing is late
OUTCOMES = ("applied", "duplicate", "over_cap")


def patience(of: oracle.Patience) -> Patience:
    """The oracle's settings as the code's."""
    return Patience(of.stall, of.abandon, of.refund, of.join, of.grace)


def facts_of(s: oracle.Signal) -> OrderFacts | None:
    """What a signal of the oracle says of an order, as the code's."""
    order = bytes.fromhex(s.order) if s.order is not None else None
    facts = OrderFacts(order, s.update, money_of(s.money))
    return facts if facts != OrderFacts() else None


def money_of(m: oracle.Money | None) -> Money | None:
    """Money of the oracle as the code's."""
    if m is None:
        return None
    return Money(
        m.amount, m.currency, m.items, by_server=m.server, shares=tuple(Share(*share) for share in m.shares)
    )


def signal_of(s: oracle.Signal) -> Signal:
    """The oracle's signal as the code's."""
    needs = REFUND_EVERYWHERE if oracle.everywhere(s) else s.needs
    facts = facts_of(s) if s.mark >= BUY else None
    h = head_of(s.at, s.mark, s.sure, s.dims)
    return Signal(h, event_ref(s.event), s.rule, s.offset, facts, needs, s.cue)


def put(population: Population, key: str, s: oracle.Signal) -> tuple[str, oracle.Signal]:
    """Hands one signal in; says how it ended, and the signal with the needs in which it counts."""
    outcome = population.take(key, signal_of(s))
    if isinstance(outcome, LeftOut):
        return "applied", s._replace(needs=tuple(n for n in s.needs if n not in outcome.needs))
    return OUTCOMES[outcome], s


def step(p: Profile, t: JourneyStep) -> oracle.Step:
    """A transition in the oracle's words."""

    def known(n: int) -> int | None:
        return n if n >= 0 else None

    skipped = (
        tuple(range(t.from_moment + 1, t.to_moment))
        if t.kind in (ADVANCED, CONVERTED) and t.from_moment >= 0
        else ()
    )
    return oracle.Step(
        kind=KIND_NAMES[t.kind], need=p.needs[t.need], at=t.at_ms, event=event_text(t.caused_by),
        journey=event_text(t.journey), from_=known(t.from_moment),
        to=known(t.to_moment), skipped=skipped, dwell_ms=known(t.dwell_ms), opened_at=t.opened_ms,
        furthest_before=known(t.furthest_before), furthest=t.furthest, first_entry=t.first_entry,
        dims=t.dims, opened_dims=t.opened_dims, offset=t.utc_offset_quarters, rule=known(t.rule),
        value=t.amount, currency=t.currency if t.amount is not None else -1, pieces=t.items,
        stitched=t.stitched,
    )  # fmt: skip


def unmatched(p: Profile, t: JourneyStep) -> oracle.Unmatched:
    return oracle.Unmatched(
        need=p.needs[t.need],
        at=t.at_ms,
        event=event_text(t.caused_by),
        dims=t.dims,
        update=t.kind == UPDATE_UNMATCHED,
    )


def cue(p: Profile, t: JourneyStep) -> oracle.Cue:
    matched = bool(t.journey)
    return oracle.Cue(
        need=p.needs[t.need], at=t.at_ms, event=event_text(t.caused_by), cue=t.cue,
        journey=event_text(t.journey) if matched else None, moment=t.from_moment if matched else None,
        opened_at=t.opened_ms if matched else None, dims=t.dims,
    )  # fmt: skip


class Said:
    """What stands said: asserts minus retracts, checked at every single record."""

    def __init__(self) -> None:
        self.standing: dict[tuple[str, str, str, str], oracle.Step] = {}
        self.lonely: Counter[tuple[str, oracle.Unmatched]] = Counter()
        self.cued: dict[tuple[str, str, str], oracle.Cue] = {}  # by profile, need and event
        self.records = 0

    def hear(self, population: Population, windows: Windows) -> None:
        """Takes the changes of the open batch in, counts them, and begins the next."""
        for changed in population.changes:
            p = changed.profile
            for t in changed.retracted:
                cells.count_step(t, -1, windows.delta)
                self.say(p, t, -1)
            for t in changed.asserted:
                cells.count_step(t, 1, windows.delta)
                self.say(p, t, 1)
        population.changes = []

    def say(self, p: Profile, t: JourneyStep, sign: int) -> None:
        self.records += 1
        if t.kind in UNMATCHED:
            self.lonely[p.key, unmatched(p, t)] += sign
            assert self.lonely[p.key, unmatched(p, t)] in (0, 1)
            return
        if t.kind == CUE:
            self.say_cue(p.key, cue(p, t), sign)
            return
        s = step(p, t)
        name = (p.key, s.need, s.kind, s.event)
        if sign > 0:
            assert name not in self.standing, f"asserted twice: {name}"
            self.standing[name] = s
        else:
            assert self.standing.pop(name, None) == s, (
                "a retraction carries the full old content of what stands"
            )

    def say_cue(self, key: str, said: oracle.Cue, sign: int) -> None:
        name = key, said.need, said.event
        if sign > 0:
            assert name not in self.cued, f"asserted twice: {name}"
            self.cued[name] = said
        else:
            assert self.cued.pop(name, None) == said, "a retraction carries the full old content"

    def cues(self) -> set[tuple[str, oracle.Cue]]:
        return {(name[0], said) for name, said in self.cued.items()}

    def steps(self) -> set[tuple[str, oracle.Step]]:
        return {(name[0], s) for name, s in self.standing.items()}

    def unmatched(self) -> set[tuple[str, oracle.Unmatched]]:
        return {k for k, n in self.lonely.items() if n}


def named_apart(s: oracle.Signal, before: Sequence[oracle.Signal], apart: int) -> oracle.Signal:
    """An event under an id of its own where one of that id lies more than so many ms away: it names another
    event then, and the oracle goes by ids alone.
    """
    while any(known.event == s.event and abs(known.at - s.at) > apart for known in before):
        s = s._replace(event=f"{s.event}'")
    return s


def expected_cues(by: dict[str, list[oracle.Signal]], of: oracle.Patience) -> set[tuple[str, oracle.Cue]]:
    return {(key, c) for key, signals in by.items() for c in oracle.cues(signals, of)}


def expected(
    by: dict[str, list[oracle.Signal]], timer: int, of: oracle.Patience
) -> set[tuple[str, oracle.Step]]:
    return {(key, s) for key, signals in by.items() for s in oracle.transitions(signals, timer, of)}


def expected_unmatched(
    by: dict[str, list[oracle.Signal]], timer: int, of: oracle.Patience
) -> set[tuple[str, oracle.Unmatched]]:
    return {(key, u) for key, signals in by.items() for u in oracle.unmatched(signals, timer, of)}


def over_all_time(windows: Windows) -> dict[int, int]:
    """The `all` cells that are not back at zero."""
    return {what: n for (window, _, what), n in windows.cells() if window == ALL_TIME and n}


def counted(by: dict[str, list[oracle.Signal]], timer: int, of: oracle.Patience) -> dict[int, int]:
    """What the `all` cells must be, by the oracle alone."""
    out: Counter[int] = Counter()
    for (_, kind, frm, to, dims), n in oracle.moves(by, timer, of, FOREVER * 10).items():
        out[
            cells.counter_code(cells.MEASURE_TRANSITIONS, KIND_NAMES.index(kind), one(frm), one(to)) + dims
        ] += n
    for (_, dims, update), n in oracle.unmatched_signals(by, of, FOREVER * 10).items():
        found_nothing = UPDATE_UNMATCHED if update else REFUND_UNMATCHED
        out[cells.counter_code(cells.MEASURE_TRANSITIONS, found_nothing, 0, 0) + dims] += n
    for (_, furthest, outcome, dims), n in oracle.funnel(by, timer, of, FOREVER * 10).items():
        out[
            cells.counter_code(cells.MEASURE_COHORT, furthest + 1, 0, cells.COHORT_OUTCOMES.index(outcome))
            + dims
        ] += n
    for (_, entered, dims), n in oracle.been_in(by, timer, of, FOREVER * 10).items():
        out[cells.counter_code(cells.MEASURE_BEEN_IN, entered + 1, 0, 0) + dims] += n
    for (_, moment, dwell_ms, dims), n in oracle.dwells(by, timer, of, FOREVER * 10).items():
        out[cells.counter_code(cells.MEASURE_DWELL, one(moment), 0, cells.dwell_bucket(dwell_ms)) + dims] += n
    for (_, took_ms, dims), n in oracle.times_to_convert(by, timer, of, FOREVER * 10).items():
        whole = cells.counter_code(cells.MEASURE_DWELL, cells.WHOLE_JOURNEY, 0, cells.dwell_bucket(took_ms))
        out[whole + dims] += n
    for (_, kind, frm, currency, dims), n in oracle.revenue(by, timer, of, FOREVER * 10).items():
        if n:
            out[
                cells.counter_code(cells.MEASURE_REVENUE, KIND_NAMES.index(kind), one(frm), currency) + dims
            ] += n
    for s in [s for signals in by.values() for s in oracle.transitions(signals, timer, of) if s.stitched]:
        out[cells.counter_code(cells.MEASURE_STITCHED, 0, one(s.from_), 0) + s.dims] += 1
    for (hour, to, dims), n in oracle.hours(by, timer, of).items():
        out[cells.counter_code(cells.MEASURE_HOURS, one(to), 0, hour) + dims] += n
    for (_, number, moment, dims), n in oracle.cue_counts(by, of, FOREVER * 10).items():
        out[cells.counter_code(cells.MEASURE_CUES, number, one(moment), 0) + dims] += n
    return dict(out)


def figures(by: dict[str, list[oracle.Signal]], timer: int, of: oracle.Patience) -> JourneyFigures:
    """What the business figures must be, by the oracle alone: a count of everybody's journeys."""
    journeys = [(key, j) for key, signals in by.items() for j in oracle.journeys(signals, timer, of)]
    under_way, silent = [0] * 4, [0] * 4
    for key, j in journeys:
        if j.outcome == "open":
            steps = [s for s in oracle.transitions(by[key], timer, of) if (s.need, s.journey) == j[:2]]
            entered = [s.to for s in steps if s.kind in ("opened", "advanced", "returned")][-1]
            assert entered is not None
            under_way[entered] += 1
            silent[entered] += j.stalled
    ends = Counter(j.outcome for _, j in journeys)
    cues = Counter(
        (c.cue, c.journey is not None) for signals in by.values() for c in oracle.cues(signals, of)
    )
    told = [s for signals in by.values() for s in oracle.transitions(signals, timer, of)]
    bought = [s for s in told if s.kind == "converted"]
    unmatched = [found.update for signals in by.values() for found in oracle.unmatched(signals, timer, of)]
    return JourneyFigures(
        open=tuple(under_way),
        stalled=tuple(silent),
        opened=len(journeys),
        converted=ends["converted"],
        abandoned=ends["abandoned"],
        refunded=sum(j.refunded for _, j in journeys),
        cues=tuple(cues[n, True] for n in range(1, len(CUE_NAMES) + 1)),
        unmatched_cues=tuple(cues[n, False] for n in range(1, len(CUE_NAMES) + 1)),
        unmatched_refunds=sum(not update for update in unmatched),
        unmatched_updates=sum(unmatched),
        stitched=sum(s.stitched for s in bought),
        from_nowhere=sum(s.from_ is None for s in bought),
    )


def one(moment: int | None) -> int:
    return 0 if moment is None else moment + 1


def keyed(signals: Iterable[tuple[str, oracle.Signal]]) -> dict[str, list[oracle.Signal]]:
    by: dict[str, list[oracle.Signal]] = {}
    for key, s in signals:
        by.setdefault(key, []).append(s)
    return by
