"""Windows add up, expire and count what they can no longer hold."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.funnels.cells import (
    MEASURE_BEEN_IN,
    MEASURE_COHORT,
    MEASURE_DWELL,
    MEASURE_HOURS,
    MEASURE_REVENUE,
    MEASURE_TRANSITIONS,
    START_SHIFT,
    counter_code,
)
from streams.core.funnels.windows import (
    ALL_TIME,
    BY_DAY,
    BY_HOUR,
    BY_MINUTE,
    KEPT_MIN,
    LENGTH_MIN,
    Cell,
    CellGroup,
    Windows,
)

DAY_MIN, MINUTE_MS = 1440, 60_000
MOVE, STAY = counter_code(MEASURE_TRANSITIONS, 2, 0, 1), counter_code(MEASURE_DWELL, 1, 0, 9)
OPEN, BOUGHT = counter_code(MEASURE_COHORT, 1, 0, 0), counter_code(MEASURE_COHORT, 5, 0, 2)


def add(windows: Windows, minute: int, what: int = MOVE, n: int = 1) -> None:
    key = (minute << START_SHIFT) + what
    windows.delta[key] = windows.delta.get(key, 0) + n


def totals(windows: Windows, window: int) -> Counter[int]:
    out: Counter[int] = Counter()
    for (of, _, what), n in windows.cells():
        if of == window:
            out[what] += n
    return out


def rolled(windows: Windows, watermark_ms: int) -> list[tuple[Cell, int | None]]:
    """The cells that changed, by `roll_up`."""
    return windows.roll_up(watermark_ms)[0]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * DAY_MIN - 1), st.sampled_from((MOVE, MOVE + 7, STAY)), st.integers(1, 5)
        ),
        max_size=30,
    )
)
def test_each_window_holds_the_same_sum(counts: list[tuple[int, int, int]]) -> None:
    """Minutes add up to hours, hours to days, days to all time; a stay is counted per hour and longer."""
    windows = Windows()
    for minute, what, n in counts:
        add(windows, minute - minute % 60 if what == STAY else minute, what, n)
    windows.roll_up(3 * DAY_MIN * MINUTE_MS)
    assert totals(windows, BY_HOUR) == totals(windows, BY_DAY) == totals(windows, ALL_TIME)
    assert totals(windows, BY_MINUTE) == Counter(
        {what: n for what, n in totals(windows, ALL_TIME).items() if what != STAY}
    )
    assert all(
        start % LENGTH_MIN[window] == 0
        for window in (BY_MINUTE, BY_HOUR, BY_DAY)
        for start in windows.tables[window]
    )


def test_only_changed_cells_are_given_back() -> None:
    """A roll-up gives the changed cells with their absolute counts; a change that undoes itself is none."""
    windows = Windows()
    add(windows, 61)
    assert {
        (BY_MINUTE, 61, MOVE): 1,
        (BY_HOUR, 60, MOVE): 1,
        (BY_DAY, 0, MOVE): 1,
        (ALL_TIME, 0, MOVE): 1,
    } == dict(rolled(windows, 0))
    add(windows, 62)
    add(windows, 61, n=1)
    add(windows, 61, n=-1)
    assert {
        (BY_MINUTE, 62, MOVE): 1,
        (BY_HOUR, 60, MOVE): 2,
        (BY_DAY, 0, MOVE): 2,
        (ALL_TIME, 0, MOVE): 2,
    } == dict(rolled(windows, 0))
    assert ([], []) == windows.roll_up(0)


def test_a_cell_back_at_zero_stays_until_its_window_expires() -> None:
    """It is given back as zero, and as gone only when its window is: a reader may drop tombstones."""
    windows = Windows()
    add(windows, 61)
    windows.roll_up(0)
    add(windows, 61, n=-1)
    assert dict.fromkeys(
        [(BY_MINUTE, 61, MOVE), (BY_HOUR, 60, MOVE), (BY_DAY, 0, MOVE), (ALL_TIME, 0, MOVE)], 0
    ) == dict(rolled(windows, 0))
    assert {0} == {n for _, n in windows.cells()}
    far = (LENGTH_MIN[BY_DAY] + KEPT_MIN[BY_DAY] + 1) * MINUTE_MS
    assert {(BY_MINUTE, 61, MOVE): None, (BY_HOUR, 60, MOVE): None, (BY_DAY, 0, MOVE): None} == dict(
        rolled(windows, far)
    )
    assert {(ALL_TIME, 0, MOVE): 0} == dict(windows.cells())


def test_a_cell_that_a_batch_gives_and_takes_is_none() -> None:
    """Nothing is written of a counter that no reader has seen above zero."""
    windows = Windows()
    add(windows, 61)
    add(windows, 61, n=-1)
    assert ([], []) == windows.roll_up(0)
    assert not dict(windows.cells())


def test_a_journey_outlives_its_cohorts_minute() -> None:
    """It changes hour, day and all time; the expired minute does not come back and has lost nothing."""
    windows = Windows()
    add(windows, 61, OPEN)
    windows.roll_up(0)
    now = (61 + LENGTH_MIN[BY_MINUTE] + KEPT_MIN[BY_MINUTE] + 1) * MINUTE_MS
    windows.roll_up(now)
    add(windows, 61, OPEN, -1)
    add(windows, 61, BOUGHT)
    assert {
        **dict.fromkeys([(BY_HOUR, 60, OPEN), (BY_DAY, 0, OPEN), (ALL_TIME, 0, OPEN)], 0),
        **dict.fromkeys([(BY_HOUR, 60, BOUGHT), (BY_DAY, 0, BOUGHT), (ALL_TIME, 0, BOUGHT)], 1),
    } == dict(rolled(windows, now))
    assert 0 == windows.expired_corrections
    gone = (LENGTH_MIN[BY_HOUR] + KEPT_MIN[BY_HOUR] + 60 + 1) * MINUTE_MS
    add(windows, 61, BOUGHT, -1)
    windows.roll_up(gone)
    assert 1 == windows.expired_corrections, "the hour's, which is lost"


def test_windows_expire_all_time_does_not() -> None:
    """A window is dropped one minute after the time for which it is kept, and not before."""
    windows = Windows()
    add(windows, 0)
    windows.roll_up(0)
    last = LENGTH_MIN[BY_MINUTE] + KEPT_MIN[BY_MINUTE]
    assert ([], []) == windows.roll_up(last * MINUTE_MS)
    assert [((BY_MINUTE, 0, MOVE), None)] == rolled(windows, (last + 1) * MINUTE_MS)
    far = (LENGTH_MIN[BY_DAY] + KEPT_MIN[BY_DAY] + 1) * MINUTE_MS
    assert {(BY_HOUR, 0, MOVE), (BY_DAY, 0, MOVE)} == {cell for cell, _ in rolled(windows, far)}
    assert {MOVE: 1} == totals(windows, ALL_TIME)


def test_a_correction_of_an_expired_window_is_counted() -> None:
    """The correction changes the windows that are still kept, and does not bring the expired one back."""
    windows = Windows()
    add(windows, 0)
    windows.roll_up(0)
    now = (LENGTH_MIN[BY_HOUR] + KEPT_MIN[BY_HOUR] + 1) * MINUTE_MS
    windows.roll_up(now)
    add(windows, 0, n=-1)
    assert {(BY_DAY, 0, MOVE), (ALL_TIME, 0, MOVE)} == {cell for cell, _ in rolled(windows, now)}
    assert 2 == windows.expired_corrections  # the minute and the hour
    assert not windows.tables[BY_MINUTE]
    assert not windows.tables[BY_HOUR]


def test_the_finest_window_of_each_measure() -> None:
    """Moves and cohorts are counted per minute, stays per hour, hours of the week per day."""
    finest = {
        MEASURE_TRANSITIONS: BY_MINUTE,
        MEASURE_COHORT: BY_MINUTE,
        MEASURE_DWELL: BY_HOUR,
        MEASURE_HOURS: BY_DAY,
        MEASURE_BEEN_IN: BY_MINUTE,
    }
    for measure, window in finest.items():
        windows = Windows()
        add(windows, DAY_MIN, counter_code(measure, 1, 0, 0))
        assert window == min(cell[0] for cell, _ in rolled(windows, 0))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5 * DAY_MIN),
            st.integers(0, 6 * DAY_MIN),
            st.sampled_from((MOVE, MOVE + 7, MOVE + 40)),
            st.sampled_from((1, 1, -1)),
        )
    )
)
def test_what_was_given_back_is_what_is_held(steps: list[tuple[int, int, int, int]]) -> None:
    """A reader that keeps the latest value of each cell and drops tombstones has the tables.

    Groups that are put back make equal tables.
    """
    windows, held, groups = Windows(), dict[Cell, int](), dict[CellGroup, dict[int, int]]()
    now = 0
    for minute, later, what, n_changed in steps:
        now = max(now, later)
        add(windows, minute, what, n_changed)
        changed, changed_groups = windows.roll_up(now * MINUTE_MS)
        for cell, n in changed:
            if n is None:
                held.pop(cell, None)
            else:
                held[cell] = n
        for group, counts in changed_groups:
            if counts is None:
                groups.pop(group, None)
            else:
                groups[group] = dict(counts)
    again = Windows()
    for group, counts in groups.items():
        again.put(group, counts)
    assert held == dict(windows.cells()) == dict(again.cells())


def test_a_lost_amount_is_no_number_of_changes() -> None:
    """The purchase of 90 euros that comes after its day has expired is one lost change of each window."""
    windows, amount = Windows(), counter_code(MEASURE_REVENUE, 5, 0, 45)
    windows.roll_up((KEPT_MIN[BY_DAY] + 10 * DAY_MIN) * MINUTE_MS)
    add(windows, 5, MOVE)
    add(windows, 5, amount, 90_00)
    windows.roll_up((KEPT_MIN[BY_DAY] + 10 * DAY_MIN) * MINUTE_MS)
    assert 3 == windows.expired_corrections
    assert {MOVE: 1, amount: 90_00} == totals(windows, ALL_TIME)
