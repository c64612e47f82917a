"""What is usual at this hour of the week: purchases of a range, and of the same hours of weeks before.

A count is unusual if it lies outside what hardly ever happens by chance: counts scatter as those of
independent people do, and days differ from each other beside that. Small counts scatter further upwards than
downwards. Their square roots do not, and scatter alike however great they are (Anscombe 1948).
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from streams.core.processing.json_text import rfc3339
from streams.dashboard.answers import Before, Point
from streams.dashboard.asked import RangeWindow
from streams.settings.durations import DAYS

WEEKS = 4  # that are looked back: hours are kept for 40 days, of which a range of a week takes 7
SPREAD = 2.6  # standard deviations: one step in a hundred lies outside of them, half of these below
DAY_NOISE = 0.15  # by how much days differ beside chance; measured on generated shops, with a margin

_WEEK_MS = 7 * DAYS
_ROOT_DEVIATION, _ROOT_SHIFT = 0.5, 0.375  # of the square root of a count, and what is added to the count


def points(asked: RangeWindow, counts: Mapping[int, int], known_from_ms: int) -> list[Point]:
    """The line of a range, the oldest point first.

    `counts`: purchases by start of the window, of the range and of the weeks before. `known_from_ms`: nothing
    is known of what came earlier, so that it says nothing of what is usual.
    """
    found = []
    for at_ms in range(asked.start_ms, asked.end_ms, asked.step_ms):
        before = _earlier(asked, counts, at_ms, known_from_ms)
        usual = sum(before) / len(before) if before else None
        low, high = (None, None) if usual is None else _bounds(usual, len(before))
        found.append(
            Point(
                at=rfc3339(at_ms),
                count=_step(asked, counts, at_ms),
                usual=usual,
                low=low,
                high=high,
                over=at_ms < asked.over_ms,
            )
        )
    return found


def _bounds(usual: float, weeks: int) -> tuple[float, float]:
    """Between which counts a count lies by chance, if it is usually so great in so many weeks."""
    room = SPREAD * _ROOT_DEVIATION * sqrt(1 + DAY_NOISE**2 * usual + 1 / weeks)
    root = sqrt(usual + _ROOT_SHIFT)
    return max(0.0, max(0.0, root - room) ** 2 - _ROOT_SHIFT), (root + room) ** 2 - _ROOT_SHIFT


def whole_before(asked: RangeWindow, counts: Mapping[int, int], known_from_ms: int) -> Before | None:
    """What the whole steps of the range had in the weeks before that are wholly known; None: none is."""
    sums = [
        sum(
            _step(asked, counts, at_ms - week_ms)
            for at_ms in range(asked.start_ms, asked.over_ms, asked.step_ms)
        )
        for week_ms in _weeks()
        if asked.start_ms - week_ms >= known_from_ms
    ]
    return Before(sum(sums) / len(sums), len(sums)) if sums else None


def _weeks() -> Sequence[int]:
    return range(_WEEK_MS, (WEEKS + 1) * _WEEK_MS, _WEEK_MS)


def _earlier(asked: RangeWindow, counts: Mapping[int, int], at_ms: int, known_from_ms: int) -> Sequence[int]:
    return [_step(asked, counts, at_ms - week_ms) for week_ms in _weeks() if at_ms - week_ms >= known_from_ms]


def _step(asked: RangeWindow, counts: Mapping[int, int], at_ms: int) -> int:
    return sum(counts.get(start_ms, 0) for start_ms in asked.cell_starts(at_ms))
