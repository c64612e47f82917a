"""What is usual at an hour of the week is what the weeks before had."""

from math import exp, lgamma, log

import pytest

from streams.dashboard.asked import Range, range_window
from streams.dashboard.usual import points, whole_before
from streams.queries.instants import ms_of
from streams.settings.durations import DAYS, HOURS

NOW_MS = ms_of("2024-05-31T10:20:00Z")


@pytest.mark.parametrize(
    ("asked", "start", "over", "end", "count"),
    [
        (Range.DAY, "2024-05-30T10:00:00Z", "2024-05-31T10:00:00Z", "2024-05-31T11:00:00Z", 25),
        (Range.WEEK, "2024-05-24T06:00:00Z", "2024-05-31T06:00:00Z", "2024-05-31T12:00:00Z", 29),
        (Range.MONTH, "2024-05-03T00:00:00Z", "2024-05-31T00:00:00Z", "2024-06-01T00:00:00Z", 29),
    ],
    ids=["24h", "7d", "28d"],
)
def test_a_range_is_whole_steps_and_the_running_one(
    asked: Range, start: str, over: str, end: str, count: int
) -> None:
    """It ends with the step that event time is in."""
    window = range_window(asked, NOW_MS)
    assert (ms_of(start), ms_of(over), ms_of(end)) == window[2:]
    line = points(window, {}, NOW_MS)
    assert [True] * (count - 1) + [False] == [point.over for point in line]


def test_the_weeks_before_are_the_measure() -> None:
    """Their mean, with as much room as chance takes; weeks of which nothing is known do not count."""
    window = range_window(Range.DAY, NOW_MS)
    at_ms = window.start_ms
    counts = {at_ms: 40} | {at_ms - weeks * 7 * DAYS: n for weeks, n in ((1, 10), (2, 20), (3, 30), (4, 900))}
    first = points(window, counts, at_ms - 3 * 7 * DAYS)[0]
    assert (40, 20.0) == (first.count, first.usual)
    assert first.low is not None
    assert first.high is not None
    assert 0 < first.low < 10 < 30 < first.high < 40
    assert None is points(window, counts, at_ms)[0].usual


def test_a_range_is_compared_with_whole_weeks() -> None:
    """The step that is not over is left out on both sides."""
    window = range_window(Range.DAY, NOW_MS)
    counts = {
        window.over_ms - 7 * DAYS: 1_000,
        window.over_ms - 7 * DAYS - HOURS: 4,
        window.start_ms - 14 * DAYS: 8,
    }
    before = whole_before(window, counts, window.start_ms - 14 * DAYS)
    assert before is not None
    assert (6.0, 2) == (before.count, before.weeks)
    assert None is whole_before(window, counts, window.start_ms)


def test_days_are_made_of_days() -> None:
    """As hours are of hours, and six hours of six."""
    for asked, parts in ((Range.DAY, 1), (Range.WEEK, 6), (Range.MONTH, 1)):
        window = range_window(asked, NOW_MS)
        counts = dict.fromkeys(range(window.start_ms, window.end_ms, HOURS if parts else 1), 1)
        assert parts == points(window, counts, NOW_MS)[0].count


@pytest.mark.parametrize("mean", [5, 8, 12, 20, 50, 150])
def test_a_fall_is_unusual_as_often_as_a_rise(mean: int) -> None:
    """By chance neither is, but for some in a thousand: also where counts are so small that none is left."""
    window = range_window(Range.DAY, NOW_MS)
    at_ms = window.start_ms
    counts = {at_ms - weeks * 7 * DAYS: mean for weeks in range(1, 5)}
    first = points(window, counts, 0)[0]
    assert first.low is not None
    assert first.high is not None
    chances = [exp(count * log(mean) - mean - lgamma(count + 1)) for count in range(4 * mean + 20)]
    below = sum(chance for count, chance in enumerate(chances) if count < first.low)
    above = sum(chance for count, chance in enumerate(chances) if count > first.high)
    assert below <= 0.01
    assert above <= 0.01
    if mean <= 20:  # of greater ones, days differ by more than chance
        assert 0.0001 <= below
        assert 0.00005 <= above


def test_a_day_without_hardly_any_purchase_is_unusual_in_a_small_shop() -> None:
    """Ten a day, and one when its checkout was broken."""
    window = range_window(Range.MONTH, NOW_MS)
    at_ms = window.start_ms
    counts = {at_ms: 1} | {at_ms - weeks * 7 * DAYS: n for weeks, n in ((1, 9), (2, 12), (3, 8))}
    first = points(window, counts, at_ms - 3 * 7 * DAYS)[0]
    assert first.low is not None
    assert first.count < first.low
