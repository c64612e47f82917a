"""Funnel counters are a sum over transitions, so that a retraction subtracts what its assertion added.

There is no diff of counters. Each transition carries what its cells need: when its journey was opened, and
the furthest moment before and after. So the transitions of a journey telescope: the sum over all transitions
that hold is the funnel of their journeys. This file counts in the finest window of each measure; `Windows`
rolls up when a batch commits.

A cell is one int, cheap to hash:   window start in minutes | measure 3 bits | a 4 | b 3 | c 9 | dims 16
    transitions   a kind      b from   c to           per minute
    cohort        a furthest           c outcome      per minute of the opening, under its dimensions
    dwell         a moment             c log bucket   per hour
                  a WHOLE_JOURNEY      c log bucket   per hour of the opening, under its dimensions
    hour_of_week  a moment entered     c hour 0..167  per day
    been_in       a moment                            per minute of the opening, under its dimensions
    cues          a cue      b moment                 per minute
    revenue       a kind      b from   c currency     per minute; not a count but a sum of amounts
    stitched                  b from                  per minute
"""

from streams.core.ingest.times import MINUTE_MS
from streams.core.journeys.journey_step import (
    ABANDONED,
    ADVANCED,
    CONVERTED,
    CUE,
    KIND_CODES,
    OPENED,
    PARTIALLY_REFUNDED,
    REFUNDED,
    RESUMED,
    STALLED,
    JourneyStep,
)

_HOURS_PER_WEEK = 168
_EPOCH_HOUR_OF_WEEK = 72  # from Monday 00:00: 1970 began on a Thursday
(
    MEASURE_TRANSITIONS, MEASURE_COHORT, MEASURE_DWELL, MEASURE_HOURS, MEASURE_BEEN_IN, MEASURE_CUES,
    MEASURE_REVENUE, MEASURE_STITCHED,
) = range(8)  # fmt: skip
COHORT_OUTCOMES = ("open", "stalled", "converted", "abandoned", "refunded")
IS_OPEN, IS_STALLED, IS_CONVERTED, IS_ABANDONED, IS_REFUNDED = range(5)

START_SHIFT, MEASURE_SHIFT, A_SHIFT, B_SHIFT, C_SHIFT = 35, 32, 28, 25, 16
COUNTER_MASK = (1 << START_SHIFT) - 1


def counter_code(measure: int, a: int, b: int, c: int) -> int:
    """The part of a cell that names what is counted, without its window and dimensions.

    Moments are given plus one: 0 is none.
    """
    return measure << MEASURE_SHIFT | a << A_SHIFT | b << B_SHIFT | c << C_SHIFT


# By kind, by moment left + 1, by moment entered + 1
MOVE_CODES = [
    [[counter_code(MEASURE_TRANSITIONS, kind, left, entered) for entered in range(7)] for left in range(7)]
    for kind in range(KIND_CODES)
]
# By furthest moment, by outcome
COHORT_CODES = [
    [counter_code(MEASURE_COHORT, furthest + 1, 0, outcome) for outcome in range(5)] for furthest in range(5)
]
# By moment
DWELL_CODES = [counter_code(MEASURE_DWELL, moment + 1, 0, 0) for moment in range(5)]
WHOLE_JOURNEY = 6  # in place of a moment: the time from opening to purchase, which has a measure of its own
TIME_TO_CONVERT_CODE = counter_code(MEASURE_DWELL, WHOLE_JOURNEY, 0, 0)
ENTRY_CODES = [counter_code(MEASURE_HOURS, moment + 1, 0, 0) for moment in range(5)]
BEEN_IN_CODES = [counter_code(MEASURE_BEEN_IN, moment + 1, 0, 0) for moment in range(5)]

# By kind, by moment left + 1: the amounts of purchases, and what refunds give back, which is below zero
REVENUE_CODES = [
    [counter_code(MEASURE_REVENUE, kind, left, 0) for left in range(7)] for kind in range(KIND_CODES)
]
# By moment left + 1: conversions whose journey has an event that a device gave
STITCHED_CODES = [counter_code(MEASURE_STITCHED, 0, left, 0) for left in range(7)]
REVENUE_SIGN = {CONVERTED: 1, PARTIALLY_REFUNDED: -1, REFUNDED: -1}

# What each kind of transition does to its journey's cohort: (outcome, +1 or -1). Each counts under the
# furthest moment after the transition, but what leaves `open` leaves the furthest moment before it.
_EFFECTS: dict[int, tuple[tuple[int, int], ...]] = {
    OPENED: ((IS_OPEN, 1),),
    ADVANCED: ((IS_OPEN, -1), (IS_OPEN, 1)),
    CONVERTED: ((IS_OPEN, -1), (IS_CONVERTED, 1)),
    STALLED: ((IS_STALLED, 1),),
    RESUMED: ((IS_STALLED, -1),),
    ABANDONED: ((IS_OPEN, -1), (IS_STALLED, -1), (IS_ABANDONED, 1)),
    REFUNDED: ((IS_REFUNDED, 1),),
}


def _cohort_changes(kind: int, before: int, now: int) -> tuple[tuple[int, int], ...]:
    if kind == ADVANCED and before == now:  # a moment again that the journey has gone beyond
        return ()
    return tuple(
        (COHORT_CODES[before if change < 0 and outcome == IS_OPEN else now][outcome], change)
        for outcome, change in _EFFECTS.get(kind, ())
    )


# By kind, by furthest moment before, by furthest moment: (counter, +1 or -1). The last index stands for no
# moment.
COHORT_CHANGES = [
    [[_cohort_changes(kind, before, now) for now in (0, 1, 2, 3, 4, -1)] for before in (0, 1, 2, 3, 4, -1)]
    for kind in range(KIND_CODES)
]


def dwell_bucket(ms: int) -> int:
    """The bucket of a length of stay: on a logarithmic scale, with 8 buckets per octave.

    So a quantile is right to 6 %. Buckets are counters, so they add up and subtract.
    """
    n = ms.bit_length()
    return ms if n <= 3 else (n - 3 << 3) + (ms >> n - 4 & 7)


def dwell_bounds_ms(bucket: int) -> tuple[int, int]:
    """The bounds [lower, upper) of a bucket, in milliseconds."""
    if bucket < 16:
        return bucket, bucket + 1
    octave, eighth = bucket >> 3, bucket & 7
    return (8 + eighth) << octave - 1, (9 + eighth) << octave - 1


def count_cue(t: JourneyStep, sign: int, delta: dict[int, int]) -> None:
    """Adds the cell of a cue to `delta`. An unmatched one is in no moment."""
    counter = counter_code(MEASURE_CUES, t.cue, t.from_moment + 1, 0)
    cell = (t.at_ms // MINUTE_MS << START_SHIFT) + counter + t.dims
    delta[cell] = delta.get(cell, 0) + sign


def count_transition(t: JourneyStep, sign: int, delta: dict[int, int]) -> None:
    """Adds the cells of a transition to `delta`, each in its finest window.

    `sign` is 1 for an assertion and -1 for a retraction.
    """
    kind, entered, dims, dwell_ms = t.kind, t.to_moment, t.dims, t.dwell_ms
    minute = t.at_ms // MINUTE_MS  # all else is computed in minutes: small numbers are twice as fast
    get = delta.get

    cell = (minute << START_SHIFT) + MOVE_CODES[kind][t.from_moment + 1][entered + 1] + dims
    delta[cell] = get(cell, 0) + sign
    if dwell_ms >= 0:
        counter = DWELL_CODES[t.from_moment] + (dwell_bucket(dwell_ms) << C_SHIFT) + dims
        cell = (minute // 60 * 60 << START_SHIFT) + counter
        delta[cell] = get(cell, 0) + sign
    if kind == CONVERTED and t.from_moment >= 0:  # a purchase out of nowhere took no time that anybody knows
        counter = TIME_TO_CONVERT_CODE + (dwell_bucket(t.at_ms - t.opened_ms) << C_SHIFT) + t.opened_dims
        cell = (t.opened_ms // MINUTE_MS // 60 * 60 << START_SHIFT) + counter
        delta[cell] = get(cell, 0) + sign
    if kind <= CONVERTED:
        local_hour = (minute // 15 + t.utc_offset_quarters) // 4
        hour_of_week = (local_hour + _EPOCH_HOUR_OF_WEEK) % _HOURS_PER_WEEK
        cell = (
            (minute // 1440 * 1440 << START_SHIFT) + ENTRY_CODES[entered] + (hour_of_week << C_SHIFT) + dims
        )
        delta[cell] = get(cell, 0) + sign

    if t.amount is not None:
        counter = REVENUE_CODES[kind][t.from_moment + 1] + (t.currency << C_SHIFT) + dims
        cell = (minute << START_SHIFT) + counter
        delta[cell] = get(cell, 0) + sign * REVENUE_SIGN[kind] * t.amount
    if t.stitched:
        cell = (minute << START_SHIFT) + STITCHED_CODES[t.from_moment + 1] + dims
        delta[cell] = get(cell, 0) + sign

    changes, first_entry = COHORT_CHANGES[kind][t.furthest_before][t.furthest], t.first_entry
    if changes or first_entry:
        opened = (t.opened_ms // MINUTE_MS << START_SHIFT) + t.opened_dims
        if first_entry:
            cell = opened + BEEN_IN_CODES[entered]
            delta[cell] = get(cell, 0) + sign
        for counter, change in changes:
            cell = opened + counter
            delta[cell] = get(cell, 0) + sign * change


def count_step(t: JourneyStep, sign: int, delta: dict[int, int]) -> None:
    """Adds the cells of a step of any kind to `delta`."""
    if t.kind == CUE:
        count_cue(t, sign, delta)
    else:
        count_transition(t, sign, delta)
