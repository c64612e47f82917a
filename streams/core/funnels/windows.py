"""The absolute counters of one partition, per minute, hour, day and over all time.

Windows of each length are kept for a fixed time after their end (KEPT_MIN), and then expire. A correction to
an expired window is counted as such and not written. Readers drop expired windows by the same rule. `all`
never expires, so totals stay exact for ever.

A counter that falls to zero stays, as a zero, until its window expires: many sinks drop tombstones, and would
keep the count that it had before.
"""

from collections.abc import Iterable, Iterator

from streams.core.funnels.cells import (
    COUNTER_MASK,
    MEASURE_BEEN_IN,
    MEASURE_COHORT,
    MEASURE_REVENUE,
    MEASURE_SHIFT,
    START_SHIFT,
)
from streams.core.funnels.figures import FigureSums
from streams.core.ingest.times import MINUTE_MS

BY_MINUTE, BY_HOUR, BY_DAY, ALL_TIME = range(4)
WINDOWS = ("minute", "hour", "day", "all")
LENGTH_MIN = (1, 60, 1440)
# By measure: lengths of stay per hour, hours of the week per day, and all others per minute.
FINEST_WINDOW = (BY_MINUTE, BY_MINUTE, BY_HOUR, BY_DAY, BY_MINUTE, BY_MINUTE, BY_MINUTE, BY_MINUTE)
# Minutes outlive the default allowed lateness. Hours outlive the long patience, until which the hour of a
# journey's opening can still change. Days are kept for a year and a month. A cohort's minute expires before
# most of its journeys end: they go on changing its hour, day and `all`.
KEPT_MIN = (3 * 1440, 40 * 1440, 400 * 1440)

# A sum of amounts has 64 bits, and stops at the greatest and the least number that they hold: more than nine
# thousand of the greatest amounts (`processing/amounts.py`). It never wraps around.
GREATEST, LEAST = 2**63 - 1, -(2**63)

GROUP_BITS = 5  # 32 cells are stored together: they differ in their last dimensions only, and change together
GROUP_MASK = (1 << GROUP_BITS) - 1

Cell = tuple[int, int, int]  # window, its start in minutes since 1970 (0 for `all`), what is counted
ChangedCell = tuple[Cell, int | None]  # its new count; None: its window has expired
CellGroup = tuple[int, int, int]  # window, its start, number of the group: 32 neighbouring cells
GroupCounts = dict[int, int]  # by number in the group
ChangedGroup = tuple[CellGroup, GroupCounts | None]  # None: its window has expired
WindowTable = dict[int, dict[int, GroupCounts]]  # by start, by number of the group
Level = dict[int, dict[int, int]]  # changes of one window length by start, by what is counted


class Windows:
    """The cells by window and start, and what the open batch has changed of them."""

    def __init__(self) -> None:
        self.tables: tuple[WindowTable, WindowTable, WindowTable, WindowTable] = ({}, {}, {}, {0: {}})
        self.delta: dict[int, int] = {}  # changes by the open batch, in the finest window of each measure
        self.expired_min = [0, 0, 0]  # per length: windows that start before this minute are dropped
        self.expired_corrections = 0  # changes that windows which are no longer kept have lost
        self.figures = FigureSums()

    def roll_up(self, watermark_ms: int) -> tuple[list[ChangedCell], list[ChangedGroup]]:
        """Applies the open batch. Returns the cells that it changed, and the whole groups that hold them."""
        now_min = watermark_ms // MINUTE_MS
        changed: list[ChangedCell] = []
        groups: list[ChangedGroup] = []
        levels = self._finest_levels()
        for window, level in enumerate(levels):
            for start, changes in level.items():
                if window < ALL_TIME:
                    _add_up(levels[window + 1], window, start, changes)
                    if start + LENGTH_MIN[window] + KEPT_MIN[window] < now_min:
                        self.expired_corrections += _lost(window, changes)
                        continue
                else:
                    self.figures.add(changes.items())
                self._apply(window, start, changes, changed, groups)
        self.expire(now_min, changed, groups)
        return changed, groups

    def _finest_levels(self) -> tuple[Level, Level, Level, Level]:
        """Takes the changes of the open batch, each at the finest window of its measure."""
        levels: tuple[Level, Level, Level, Level] = ({}, {}, {}, {})
        for key, n in self.delta.items():
            if n:
                what, start = key & COUNTER_MASK, key >> START_SHIFT
                level = levels[FINEST_WINDOW[what >> MEASURE_SHIFT]]
                cells = level.get(start)
                if cells is None:
                    cells = level[start] = {}
                cells[what] = n
        self.delta = {}
        return levels

    def _apply(
        self,
        window: int,
        start: int,
        changes: dict[int, int],
        changed: list[ChangedCell],
        groups: list[ChangedGroup],
    ) -> None:
        held = self.tables[window].setdefault(start, {})
        touched: dict[int, GroupCounts] = {}
        for what, n in changes.items():
            if n:
                group = what >> GROUP_BITS
                counts = held.get(group)
                if counts is None:
                    counts = held[group] = {}
                touched[group] = counts
                in_group = what & GROUP_MASK
                n += counts.get(in_group, 0)
                if not LEAST <= n <= GREATEST:
                    n = GREATEST if n > 0 else LEAST
                counts[in_group] = n
                changed.append(((window, start, what), n))
        groups += [((window, start, group), counts) for group, counts in touched.items()]

    def expire(self, now_min: int, changed: list[ChangedCell], groups: list[ChangedGroup]) -> None:
        """Drops the windows that have expired, and appends their cells and groups as deleted."""
        for window in (BY_MINUTE, BY_HOUR, BY_DAY):
            table, oldest = self.tables[window], now_min - LENGTH_MIN[window] - KEPT_MIN[window]
            if oldest > self.expired_min[window]:
                self.expired_min[window] = oldest
                for start in [s for s in table if s < oldest]:
                    for group, counts in table.pop(start).items():
                        groups.append(((window, start, group), None))
                        changed += [
                            ((window, start, group << GROUP_BITS | in_group), None) for in_group in counts
                        ]

    def restore(self, groups: Iterable[tuple[CellGroup, GroupCounts]], expired_corrections: int) -> None:
        """Begins from all stored groups, and from how many changes were lost."""
        self.expired_corrections = expired_corrections
        for group, counts in groups:
            self.put(group, counts)

    def put(self, group: CellGroup, counts: GroupCounts) -> None:
        """Puts a stored group back, once."""
        window, start, number = group
        self.tables[window].setdefault(start, {})[number] = counts
        if window == ALL_TIME:
            self.figures.add([(number << GROUP_BITS | in_group, n) for in_group, n in counts.items()])

    def cells(self) -> Iterator[tuple[Cell, int]]:
        """Yields every cell that is held, with its count, which may be zero."""
        for window, table in enumerate(self.tables):
            for start, held in table.items():
                for group, counts in held.items():
                    for in_group, n in counts.items():
                        yield (window, start, group << GROUP_BITS | in_group), n


def _add_up(above: Level, window: int, start: int, changes: dict[int, int]) -> None:
    """Adds the changes of one window to the next longer window that contains it."""
    start_above = start - start % LENGTH_MIN[window + 1] if window < BY_DAY else 0
    cells = above.setdefault(start_above, {})
    get = cells.get
    for what, n in changes.items():
        cells[what] = get(what, 0) + n


def _lost(window: int, changes: dict[int, int]) -> int:
    """How many changes of an expired window are lost.

    Those by minute of a journey's opening are not among them: most journeys outlive that minute. Nor are
    amounts, which are no numbers of changes: the transition that has one is lost with it, and counts.
    """
    passed_over = (MEASURE_COHORT, MEASURE_BEEN_IN) if window == BY_MINUTE else ()
    passed_over = (*passed_over, MEASURE_REVENUE)
    return sum(abs(n) for what, n in changes.items() if what >> MEASURE_SHIFT not in passed_over)
