"""What must be true of the oracle whatever it is asked: it judges the rest, so somebody must judge it."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.oracle import DAY, DEFAULTS, HOUR, MINUTE, NO_TIMER, Signal, Step

# Gaps sit on and beside every deadline and window of the defaults, which is where readings differ.
EDGES_MS = (
    0,
    MINUTE,
    DEFAULTS.join,
    *DEFAULTS.stall,
    DEFAULTS.abandon,
    DEFAULTS.refund - DEFAULTS.abandon,
    2 * DAY,
)
GAPS_MS = sorted({max(0, edge + beside) for edge in EDGES_MS for beside in (-1, 0, 1)})
NEEDS = (("",), ("car",), ("bike",), ("bike", "car"))

law = settings(deadline=None)  # how busy the machine is proves nothing about the oracle
gaps = st.lists(st.sampled_from(GAPS_MS), max_size=14)
timers = st.sampled_from([NO_TIMER, 0, HOUR, DAY, 3 * DAY, 31 * DAY, 100 * DAY, 400 * DAY])


@st.composite
def signals(draw: st.DrawFn) -> list[Signal]:
    """A history of up to 14 signals in any order.

    Few event ids, so copies are common; few order ids, so they meet.
    """
    drawn, at = [], 0
    for gap in draw(gaps):
        at += gap
        drawn.append(
            Signal(
                at=at,
                event=draw(st.sampled_from("abcdefghijklmnopqrst")),
                mark=draw(st.sampled_from([0, 1, 2, 3, 3, 4, 4, 4, 5, 5])),
                sure=draw(st.sampled_from([True, True, True, False])),
                dims=draw(st.integers(0, 1)),
                offset=draw(st.sampled_from([-20, 0, 8])),
                rule=draw(st.integers(0, 2)),
                needs=draw(st.sampled_from(NEEDS)),
                order=draw(st.sampled_from([None, None, "A1", "B2"])),
                update=draw(st.sampled_from([0, 0, 0, oracle.UNTIMED, oracle.OLD_ORDER])),
                cue=draw(st.sampled_from([0, 0, 2])),
            )
        )
    return [oracle.as_taken(s) for s in draw(st.permutations(drawn))]


def _everything(history: list[Signal], timer: int) -> object:
    return (
        oracle.transitions(history, timer),
        oracle.journeys(history, timer),
        oracle.unmatched(history, timer),
        oracle.cues(history),
    )


def _closings(steps: list[Step]) -> Counter[tuple[str, str]]:
    return Counter((s.need, s.journey) for s in steps if s.kind in ("converted", "abandoned"))


@law
@given(signals(), timers, st.randoms(use_true_random=False))
def test_only_the_set_counts(history: list[Signal], timer: int, random: Random) -> None:
    """Another order of arrival and copies sent again change nothing."""
    again = history + random.choices(history, k=5) if history else []
    random.shuffle(again)
    assert _everything(history, timer) == _everything(again, timer)


@law
@given(signals(), timers)
def test_a_need_a_kind_and_a_cause_name_one_step(history: list[Signal], timer: int) -> None:
    """No two transitions share their id."""
    ids = Counter((s.need, s.kind, s.event) for s in oracle.transitions(history, timer))
    assert all(count == 1 for count in ids.values())


@law
@given(signals(), timers)
def test_a_journey_opens_once_and_closes_once(history: list[Signal], timer: int) -> None:
    """Every journey has one opening, at most one closing, and they agree with its outcome."""
    steps, told = oracle.transitions(history, timer), oracle.journeys(history, timer)
    assert Counter((j.need, j.journey) for j in told) == Counter(
        (s.need, s.journey) for s in steps if s.kind == "opened"
    )
    assert Counter((j.need, j.journey) for j in told if j.outcome != "open") == _closings(steps)
    for j in told:
        assert (j.closed_at is None) == (j.outcome == "open")
        assert not j.stalled or j.outcome == "open"
        assert not j.refunded or j.outcome == "converted"


@law
@given(signals(), timers)
def test_steps_of_a_journey_follow_from_each_other(history: list[Signal], timer: int) -> None:
    """Each step starts where the one before ended, in moment, furthest and time;
    resumed follows stalled and nothing else.
    """
    steps = oracle.transitions(history, timer)
    for need, journey in {(s.need, s.journey) for s in steps}:
        path = [s for s in steps if (s.need, s.journey) == (need, journey) and s.kind != "refunded"]
        moment: int | None = None
        furthest: int | None = None
        for before, s in zip([None, *path], path, strict=False):
            from_nowhere = (
                before is not None
                and before.kind == "opened"
                and s.kind == "converted"
                and before.event == s.event
            )
            assert s.from_ == (None if from_nowhere else moment)
            assert s.furthest_before == furthest
            assert before is None or before.at <= s.at
            assert (s.kind in ("resumed", "abandoned")) == (before is not None and before.kind == "stalled")
            moment, furthest = s.to, s.furthest


@law
@given(signals(), timers)
def test_a_journey_enters_each_moment_that_it_has_been_in_first_once(
    history: list[Signal], timer: int
) -> None:
    """Its first entries are those moments, each once. The furthest moment is one of them, and none is
    further.
    """
    steps = oracle.transitions(history, timer)
    for j in oracle.journeys(history, timer):
        own = [s for s in steps if (s.need, s.journey) == (j.need, j.journey)]
        firsts = [s.to for s in own if s.first_entry]
        entering = {s.to for s in own if s.kind in ("opened", "advanced", "returned", "converted")}
        assert sorted(j.been_in) == sorted(firsts, key=lambda moment: moment or 0)
        assert j.been_in == entering
        assert j.furthest == max(j.been_in)


@law
@given(signals(), timers)
def test_dwells_fill_the_journey(history: list[Signal], timer: int) -> None:
    """The stays of a closed journey add up to its length, but for the
    silence that an abandoned one ends with.
    """
    steps = oracle.transitions(history, timer)
    for j in oracle.journeys(history, timer):
        if j.closed_at is not None:
            spent_ms = sum(s.dwell_ms or 0 for s in steps if (s.need, s.journey) == (j.need, j.journey))
            assert spent_ms == j.closed_at - j.opened_at - (
                DEFAULTS.abandon if j.outcome == "abandoned" else 0
            )


@law
@given(signals(), timers, timers)
def test_the_timer_only_adds_silence(history: list[Signal], one: int, other: int) -> None:
    """A greater timer position takes nothing back: it adds stalls and
    abandonments, dated after the smaller position.
    """
    earlier, later = sorted((one, other))
    before, after = (Counter(oracle.transitions(history, timer)) for timer in (earlier, later))
    assert not before - after
    assert all(s.kind in ("stalled", "abandoned") and earlier < s.at <= later for s in after - before)


@law
@given(signals(), timers)
def test_every_sure_refund_ends_somewhere(history: list[Signal], timer: int) -> None:
    """A sure refund is matched or unmatched: per need without an order id, once in all with one."""
    refunds = {s.event: s for s in oracle.history(history) if s.mark == oracle.REFUND and s.sure}
    matched = [(s.need, s.event) for s in oracle.transitions(history, timer) if s.kind == "refunded"]
    missed = [(r.need, r.event) for r in oracle.unmatched(history, timer) if not r.update]
    for event, refund in refunds.items():
        needs = sorted(need for need, by in [*matched, *missed] if by == event)
        if refund.order is None:
            assert needs == sorted(refund.needs)
        else:
            assert needs
            assert ([need for need, by in missed if by == event] == [""]) == all(
                by != event for _, by in matched
            )


@law
@given(st.dictionaries(st.sampled_from("pqr"), signals()), timers)
def test_the_funnel_is_a_sum_over_transitions(profiles: dict[str, list[Signal]], timer: int) -> None:
    """The cohorts, told from the journeys, are also what each transition adds and takes away;
    and opened - converted - abandoned = open.
    """
    cells: Counter[tuple[int, int, str, int]] = Counter()
    opened: Counter[tuple[int, int]] = Counter()
    ends = {"converted": "converted", "abandoned": "abandoned"}
    for history in profiles.values():
        for s in oracle.transitions(history, timer):
            cohort, dims = s.opened_at - s.opened_at % HOUR, s.opened_dims
            if s.kind == "refunded":
                cells[cohort, s.furthest, "refunded", dims] += 1
                continue
            if s.furthest_before is None:
                opened[cohort, dims] += 1
            else:
                cells[cohort, s.furthest_before, "open", dims] -= 1
            cells[cohort, s.furthest, ends.get(s.kind, "open"), dims] += 1
            if s.kind == "stalled":
                cells[cohort, s.furthest, "stalled", dims] += 1
            elif s.kind in ("resumed", "abandoned"):
                cells[cohort, s.furthest, "stalled", dims] -= 1
    funnel = oracle.funnel(profiles, timer, DEFAULTS, HOUR)
    assert funnel == Counter({cell: count for cell, count in cells.items() if count})
    for (cohort, dims), count in opened.items():
        sums = Counter[str]()
        for (window, _, outcome, of), n in funnel.items():
            if (window, of) == (cohort, dims):
                sums[outcome] += n
        assert count - sums["converted"] - sums["abandoned"] == sums["open"] >= sums["stalled"]
        assert sums["converted"] >= sums["refunded"]


@law
@given(signals(), timers)
def test_counters_hold_every_step(history: list[Signal], timer: int) -> None:
    """Every transition is in one cell of `moves`, every dwell in one of `dwells`,
    every entry into a moment in one of `hours`.
    """
    steps, profiles = oracle.transitions(history, timer), {"p": history}
    assert len(steps) == oracle.moves(profiles, timer, DEFAULTS, HOUR).total()
    assert (
        sum(s.dwell_ms is not None for s in steps) == oracle.dwells(profiles, timer, DEFAULTS, HOUR).total()
    )
    assert (
        sum(s.kind in ("opened", "advanced", "returned", "converted") for s in steps)
        == oracle.hours(profiles, timer, DEFAULTS).total()
    )


def test_hours_are_the_persons_own() -> None:
    """Half past eleven at night in London, Sunday 7 January 2024, is half past midnight on Monday
    in Rome, and Sunday evening in New York.
    """
    sunday_2330 = 1_704_670_200_000
    by_offset = {0: 167, 4: 0, -20: 162}
    for offset, hour in by_offset.items():
        search = Signal(sunday_2330, "search", oracle.KNOW, True, 7, offset, 0, ("",), None)
        assert {(hour, oracle.KNOW, 7): 1} == oracle.hours({"p": [search]}, NO_TIMER, DEFAULTS)


def test_only_the_newest_64_conversions_are_remembered() -> None:
    """Of 65 purchases in 65 days, 64 can be refunded, the newest first; the first
    one is forgotten, and by its order id too.
    """
    orders = [Signal(n * DAY, f"order-{n}", oracle.TRUTH, True, 0, 0, 0, ("",), f"A{n}") for n in range(65)]
    by_id = Signal(65 * DAY, "by-id", oracle.REFUND, True, 0, 0, 0, ("",), "A0")
    refunds = [
        Signal(65 * DAY, f"refund-{n:02}", oracle.REFUND, True, 0, 0, 0, ("",), None) for n in range(65)
    ]
    refunded = [s for s in oracle.transitions([*orders, by_id, *refunds]) if s.kind == "refunded"]
    assert [f"order-{n}" for n in range(64, 0, -1)] == [s.journey for s in refunded]
    assert ["by-id", "refund-64"] == [r.event for r in oracle.unmatched([*orders, by_id, *refunds])]


def test_only_the_newest_64_conversions_are_joined() -> None:
    """After 65 purchases the order id of the second still means it; that of the first
    has been forgotten and is a new purchase.
    """
    orders = [Signal(n * HOUR, f"order-{n}", oracle.TRUTH, True, 0, 0, 0, ("",), f"A{n}") for n in range(65)]
    repeats = [Signal(65 * HOUR, f"repeat-{n}", oracle.TRUTH, True, 0, 0, 0, ("",), f"A{n}") for n in (1, 0)]
    journeys = [j.journey for j in oracle.journeys([*orders, repeats[0]])]
    assert [f"order-{n}" for n in range(65)] == journeys
    assert [*journeys, "repeat-0"] == [j.journey for j in oracle.journeys([*orders, repeats[1]])]
