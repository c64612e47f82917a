"""Funnel counters: a sum over transitions, so that a retraction subtracts what its assertion added.

There is no diff of counters. Each transition carries what its cells need (when the journey opened, the furthest moment before and after), and a
journey's transitions telescope: whatever set of transitions stands asserted, its sum is the funnel of those journeys. The hot path counts the
finest window of each measure; `Windows` rolls up when a batch commits.

A cell is one int, cheap to hash:   window start in minutes | measure 2 bits | a 4 | b 3 | c 9 | dims 16
    transitions   a kind      b from   c to           from the minute
    cohort        a furthest           c outcome      from the hour in which the journey was opened, under the opening's dimensions
    dwell         a moment             c log bucket   from the hour
    hour_of_week  a moment entered     c hour 0..167  from the day
"""

from streams.core.journeys.machine import (
    ABANDONED,
    ADVANCED,
    CONVERTED,
    KINDS,
    OPENED,
    REFUNDED,
    RESUMED,
    RETURNED,
    STALLED,
    UNMATCHED,
    Transition,
)

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
TRANSITIONS, COHORT, DWELL, HOURS = range(4)
OUTCOMES = ("open", "stalled", "converted", "abandoned", "refunded")
OPEN, STILL, BOUGHT, LEFT, BACK = range(5)

START, MEASURE, A, B, C = 34, 32, 28, 25, 16  # shifts
WHAT = (1 << START) - 1


def code(measure: int, a: int, b: int, c: int) -> int:
    """The part of a cell that says what is counted, without window and dimensions. Moments are given plus one: 0 is none."""
    return measure << MEASURE | a << A | b << B | c << C


MOVE = [
    [[code(TRANSITIONS, kind, frm, to) for to in range(7)] for frm in range(7)] for kind in range(len(KINDS))
]
"""By kind, from + 1, to + 1."""
COHORTS = [[code(COHORT, furthest + 1, 0, outcome) for outcome in range(5)] for furthest in range(5)]
DWELLS = [code(DWELL, moment + 1, 0, 0) for moment in range(5)]
ENTERED = [code(HOURS, moment + 1, 0, 0) for moment in range(5)]


def bucket(ms: int) -> int:
    """Log-scaled, 8 buckets per octave: a quantile is right to 6 %. Buckets are counters, so they merge and subtract."""
    n = ms.bit_length()
    return ms if n <= 3 else (n - 3 << 3) + (ms >> n - 4 & 7)


def bounds_ms(b: int) -> tuple[int, int]:
    """[lower, upper) of a bucket in milliseconds."""
    if b < 16:
        return b, b + 1
    octave, eighth = b >> 3, b & 7
    return (8 + eighth) << octave - 1, (9 + eighth) << octave - 1


def count(t: Transition, sign: int, delta: dict[int, int]) -> None:
    """Adds one transition's cells (sign 1: asserted, -1: retracted) at their finest windows."""
    kind, dims, to, dwell_ms = t.kind, t.dims, t.to, t.dwell_ms
    minute = t.at_ms // MINUTE_MS  # the rest is reckoned in minutes: small numbers, twice as quick
    get = delta.get
    k = (minute << START) + MOVE[kind][t.frm + 1][to + 1] + dims
    delta[k] = get(k, 0) + sign
    if dwell_ms >= 0:
        k = (minute // 60 * 60 << START) + DWELLS[t.frm] + (bucket(dwell_ms) << C) + dims
        delta[k] = get(k, 0) + sign
    if kind <= CONVERTED:
        local_hour = (minute // 15 + t.offset) // 4
        k = (
            (minute // 1440 * 1440 << START) + ENTERED[to] + ((local_hour + 72) % 168 << C) + dims
        )  # 1970 began on a Thursday
        delta[k] = get(k, 0) + sign
    was, furthest = t.was, t.furthest
    if was == furthest and kind <= RETURNED:  # a move that went no further
        return
    opened = (t.opened_ms // HOUR_MS * 60 << START) + t.home
    for outcome, by in EFFECTS[kind]:
        k = opened + COHORTS[was if by < 0 and outcome == OPEN else furthest][outcome]
        delta[k] = get(k, 0) + (sign if by > 0 else -sign)


EFFECTS: list[tuple[tuple[int, int], ...]] = [()] * len(KINDS)
"""What a transition does to its journey's cohort: (outcome, +1 or -1). What it takes from `open` it takes from the furthest moment before it."""
EFFECTS[OPENED] = ((OPEN, 1),)
EFFECTS[ADVANCED] = EFFECTS[RETURNED] = ((OPEN, -1), (OPEN, 1))
EFFECTS[CONVERTED] = ((OPEN, -1), (BOUGHT, 1))
EFFECTS[STALLED] = ((STILL, 1),)
EFFECTS[RESUMED] = ((STILL, -1),)
EFFECTS[ABANDONED] = ((OPEN, -1), (STILL, -1), (LEFT, 1))
EFFECTS[REFUNDED] = ((BACK, 1),)
EFFECTS[UNMATCHED] = ()
