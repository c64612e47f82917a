"""Counters are a sum over transitions, which adds and takes back the cells of each kind of step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.funnels.cells import (
    A_SHIFT,
    B_SHIFT,
    C_SHIFT,
    COHORT_OUTCOMES,
    COUNTER_MASK,
    MEASURE_BEEN_IN,
    MEASURE_COHORT,
    MEASURE_DWELL,
    MEASURE_HOURS,
    MEASURE_SHIFT,
    MEASURE_TRANSITIONS,
    START_SHIFT,
    TIME_TO_CONVERT_CODE,
    count_transition,
    dwell_bounds_ms,
    dwell_bucket,
)
from streams.core.journeys.journey_step import (
    ABANDONED,
    ADVANCED,
    CONVERTED,
    KIND_NAMES,
    OPENED,
    REFUND_UNMATCHED,
    REFUNDED,
    RESUMED,
    RETURNED,
    STALLED,
    JourneyStep,
)

HOUR = 3_600_000
KNOW, GO, DO, BUY, TRUTH = range(5)
NO_MOMENT = -1


def step(kind: int, **said: Any) -> JourneyStep:
    """A transition with the fields that a case is about."""
    fields: dict[str, Any] = (
        dict.fromkeys(JourneyStep.__struct_fields__, 0)
        | {"caused_by": b"", "journey": b"", "dwell_ms": -1, "amount": None}
        | said
    )
    return JourneyStep(**fields | {"kind": kind})


def cells(*steps: JourneyStep) -> dict[int, int]:
    delta: dict[int, int] = {}
    for t in steps:
        count_transition(t, 1, delta)
    return {cell: n for cell, n in delta.items() if n}


def cohort(*steps: JourneyStep) -> dict[tuple[int, str], int]:
    """The cohorts as (furthest, outcome) -> count."""
    return {
        ((cell >> A_SHIFT & 15) - 1, COHORT_OUTCOMES[cell >> C_SHIFT & 511]): n
        for cell, n in cells(*steps).items()
        if cell >> MEASURE_SHIFT & 7 == MEASURE_COHORT
    }


LIFE = [
    step(
        OPENED,
        from_moment=NO_MOMENT,
        to_moment=KNOW,
        furthest_before=NO_MOMENT,
        furthest=KNOW,
        first_entry=True,
    ),
    step(STALLED, from_moment=KNOW, to_moment=KNOW, furthest_before=KNOW, furthest=KNOW),
    step(RESUMED, from_moment=KNOW, to_moment=KNOW, furthest_before=KNOW, furthest=KNOW),
    step(
        ADVANCED,
        from_moment=KNOW,
        to_moment=BUY,
        furthest_before=KNOW,
        furthest=BUY,
        dwell_ms=HOUR,
        first_entry=True,
    ),
    step(
        RETURNED,
        from_moment=BUY,
        to_moment=GO,
        furthest_before=BUY,
        furthest=BUY,
        dwell_ms=5,
        first_entry=True,
    ),
    step(
        CONVERTED,
        from_moment=GO,
        to_moment=TRUTH,
        furthest_before=BUY,
        furthest=TRUTH,
        dwell_ms=7,
        first_entry=True,
    ),
    step(REFUNDED, from_moment=TRUTH, to_moment=NO_MOMENT, furthest_before=TRUTH, furthest=TRUTH),
]


def test_a_journey_counts_once_where_it_has_been() -> None:
    """Each moment that it has entered, in the window of its opening and under its dimensions; not those that
    it skipped, and none twice.
    """
    again = step(ADVANCED, from_moment=GO, to_moment=BUY, furthest_before=BUY, furthest=BUY, dwell_ms=5)
    found = {
        (cell >> START_SHIFT, (cell >> A_SHIFT & 15) - 1): n
        for cell, n in cells(*LIFE[:5], again, LIFE[5]).items()
        if cell >> MEASURE_SHIFT & 7 == MEASURE_BEEN_IN
    }
    assert {(0, KNOW): 1, (0, BUY): 1, (0, GO): 1, (0, TRUTH): 1} == found


@pytest.mark.parametrize(
    ("steps", "stands"),
    [
        (1, {(KNOW, "open"): 1}),
        (2, {(KNOW, "open"): 1, (KNOW, "stalled"): 1}),
        (3, {(KNOW, "open"): 1}),
        (4, {(BUY, "open"): 1}),
        (5, {(BUY, "open"): 1}),
        (6, {(TRUTH, "converted"): 1}),
        (7, {(TRUTH, "converted"): 1, (TRUTH, "refunded"): 1}),
    ],
)
def test_a_journeys_steps_telescope(steps: int, stands: dict[tuple[int, str], int]) -> None:
    """After each step the cohort holds the journey once, at its present state.

    Stalled and refunded journeys are counted beside open and converted ones.
    """
    assert stands == cohort(*LIFE[:steps])


def test_abandoned_takes_it_from_open_and_from_stalled() -> None:
    """An abandoned journey was stalled before: the patience of a stall is always shorter."""
    gone = step(
        ABANDONED, from_moment=KNOW, to_moment=NO_MOMENT, furthest_before=KNOW, furthest=KNOW, dwell_ms=0
    )
    assert {(KNOW, "abandoned"): 1} == cohort(LIFE[0], LIFE[1], gone)


@pytest.mark.parametrize(("left", "counted"), [(BUY, [25 * HOUR]), (NO_MOMENT, [])])
def test_the_time_to_convert(left: int, counted: list[int]) -> None:
    """From the opening to the purchase; out of nowhere there was none."""
    t = step(
        CONVERTED, from_moment=left, to_moment=TRUTH, furthest_before=BUY, furthest=TRUTH, at_ms=27 * HOUR,
        opened_ms=2 * HOUR, opened_dims=2,
    )  # fmt: skip
    found = [
        (cell >> START_SHIFT, cell & 0xFFFF, cell >> C_SHIFT & 511)
        for cell in cells(t)
        if cell & COUNTER_MASK >= TIME_TO_CONVERT_CODE and cell >> MEASURE_SHIFT & 7 == MEASURE_DWELL
    ]
    assert [(120, 2, dwell_bucket(ms)) for ms in counted] == found


def test_an_unmatched_refund_is_in_no_cohort() -> None:
    """An unmatched refund is counted among the transitions, and nowhere else."""
    (cell,) = cells(
        step(
            REFUND_UNMATCHED,
            from_moment=NO_MOMENT,
            to_moment=NO_MOMENT,
            furthest_before=NO_MOMENT,
            furthest=NO_MOMENT,
        )
    )
    assert (MEASURE_TRANSITIONS, REFUND_UNMATCHED, 0, 0) == (
        cell >> MEASURE_SHIFT & 7,
        cell >> A_SHIFT & 15,
        cell >> B_SHIFT & 7,
        cell >> C_SHIFT & 511,
    )


@pytest.mark.parametrize("t", LIFE, ids=lambda t: KIND_NAMES[t.kind])
def test_a_retraction_subtracts_what_its_assertion_added(t: JourneyStep) -> None:
    """An assertion and its retraction together change nothing, whatever the step."""
    delta: dict[int, int] = {}
    count_transition(t, 1, delta)
    assert any(delta.values())
    count_transition(t, -1, delta)
    assert not any(delta.values())


def test_windows_of_the_measures() -> None:
    """Moves are counted per minute, stays per hour of closing, cohorts per minute of opening, and the time to
    convert per hour of opening.

    Hours of the week are counted per day. Each is counted under its own dimensions.
    """
    at = 26 * HOUR + 61_000
    t = step(
        CONVERTED,
        from_moment=BUY,
        to_moment=TRUTH,
        furthest_before=BUY,
        furthest=TRUTH,
        dwell_ms=9,
        at_ms=at,
        opened_ms=HOUR + 120_001,
        dims=3,
        opened_dims=2,
        first_entry=True,
    )
    found = {(cell >> MEASURE_SHIFT & 7, cell >> START_SHIFT, cell & 0xFFFF) for cell in cells(t)}
    assert {
        (MEASURE_TRANSITIONS, 26 * 60 + 1, 3),
        (MEASURE_DWELL, 26 * 60, 3),
        (MEASURE_DWELL, 60, 2),
        (MEASURE_COHORT, 62, 2),
        (MEASURE_BEEN_IN, 62, 2),
        (MEASURE_HOURS, 1440, 3),
    } == found


@pytest.mark.parametrize(
    ("at", "offset", "hour"),
    [
        (0, 0, 3 * 24),  # 1 January 1970 was a Thursday
        (4 * 24 * HOUR, 0, 0),  # the Monday after
        (4 * 24 * HOUR, -4, 167),  # still Sunday, 23:00, an hour west
        (4 * 24 * HOUR - 1, 4, 0),  # Monday already, an hour east
        (0, -56, 2 * 24 + 10),
    ],
)
def test_the_hour_of_the_persons_own_week(at: int, offset: int, hour: int) -> None:
    """The hour of the week counts from Monday 00:00, local time."""
    found = cells(
        step(
            OPENED,
            from_moment=NO_MOMENT,
            to_moment=KNOW,
            furthest_before=NO_MOMENT,
            furthest=KNOW,
            at_ms=at,
            utc_offset_quarters=offset,
        )
    )
    assert [hour] == [cell >> C_SHIFT & 511 for cell in found if cell >> MEASURE_SHIFT & 7 == MEASURE_HOURS]


@given(st.integers(0, 2**44))
def test_a_length_lies_in_its_bucket(ms: int) -> None:
    """A length lies between the bounds of its bucket, which are at most an eighth apart.

    The number of a bucket fits its nine bits.
    """
    lower, upper = dwell_bounds_ms(dwell_bucket(ms))
    assert lower <= ms < upper
    assert upper - lower <= max(1, lower / 8)
    assert dwell_bucket(ms) < 512


def test_buckets_leave_no_gaps() -> None:
    """Each bucket begins where the one before ends."""
    used = range(350)
    assert [dwell_bounds_ms(b)[1] for b in used[:-1]] == [dwell_bounds_ms(b)[0] for b in used[1:]]
