"""The absolute counters of one partition, per minute, hour, day and over all time.

A window expires when the horizon mark is further beyond its end than it is kept: a correction to it is then counted, not written, and readers
drop it by the same rule. `all` never expires, so totals stay exact for ever.
"""

from collections.abc import Iterator

from streams.core.funnels.cells import (
    COUNTER_MASK,
    MEASURE_DWELL,
    MEASURE_SHIFT,
    MEASURE_TRANSITIONS,
    START_SHIFT,
)

BY_MINUTE, BY_HOUR, BY_DAY, ALL_TIME = range(4)
WINDOWS = ("minute", "hour", "day", "all")
LENGTH_MIN = (1, 60, 1440)
KEPT_MIN = (3 * 1440, 40 * 1440, 400 * 1440)
"""Minutes outlive the default horizon, hours the long patience (a journey's cohort hour can still change then), days a year and a month."""

GROUP = 5  # bits: cells that differ in the last of their dimensions only are kept together, since most of them change together
IN_GROUP = (1 << GROUP) - 1

Cell = tuple[int, int, int]  # window, its start in minutes since 1970 (0 for `all`), what is counted
ChangedCell = tuple[
    Cell, int | None
]  # a cell's new count; None: its window has expired, or it is back to zero
CellGroup = tuple[int, int, int]  # window, start, number of the group: 32 neighbouring cells
GroupCounts = dict[int, int]  # by number in the group
WindowTable = dict[int, dict[int, GroupCounts]]


class Windows:
    """Cells by window and start, and what a batch changed of them."""

    def __init__(self) -> None:
        self.tables: tuple[WindowTable, WindowTable, WindowTable, WindowTable] = ({}, {}, {}, {0: {}})
        self.delta: dict[int, int] = {}  # of the open batch, at the finest window of each measure
        self.expired_min = [0, 0, 0]  # windows that start before this minute were let go of, per length
        self.expired_corrections = 0  # counted changes of windows that are no longer kept

    def roll_up(
        self, watermark_ms: int
    ) -> tuple[list[ChangedCell], list[tuple[CellGroup, GroupCounts | None]]]:
        """Applies the batch; returns the cells it changed, and the groups they are in, whole; None: nothing is left of the group."""
        now = watermark_ms // 60_000
        levels: tuple[dict[int, dict[int, int]], ...] = (
            {},
            {},
            {},
            {},
        )  # changes by window and start; each level adds up into the next
        for key, n in self.delta.items():
            if n:
                what, start = key & COUNTER_MASK, key >> START_SHIFT
                measure = what >> MEASURE_SHIFT
                level = levels[
                    BY_MINUTE
                    if measure == MEASURE_TRANSITIONS
                    else BY_HOUR
                    if measure <= MEASURE_DWELL
                    else BY_DAY
                ]
                cells = level.get(start)
                if cells is None:
                    cells = level[start] = {}
                cells[what] = n
        self.delta = {}
        changed: list[ChangedCell] = []
        groups: list[tuple[CellGroup, GroupCounts | None]] = []
        for window, level in enumerate(levels):
            for start, changes in level.items():
                if window < ALL_TIME:
                    above = levels[window + 1].setdefault(
                        start - start % LENGTH_MIN[window + 1] if window < BY_DAY else 0, {}
                    )
                    get = above.get
                    for what, n in changes.items():
                        above[what] = get(what, 0) + n
                    if start + LENGTH_MIN[window] + KEPT_MIN[window] < now:
                        self.expired_corrections += sum(map(abs, changes.values()))
                        continue
                held = self.tables[window].setdefault(start, {})
                touched: dict[int, GroupCounts] = {}
                for what, n in changes.items():
                    if n:
                        group = what >> GROUP
                        counts = held.get(group)
                        if counts is None:
                            counts = held[group] = {}
                        touched[group] = counts
                        what_in = what & IN_GROUP
                        counts[what_in] = n = counts.get(what_in, 0) + n
                        if not n:
                            del counts[what_in]
                        changed.append(((window, start, what), n or None))
                for group, counts in touched.items():
                    groups.append(((window, start, group), counts or None))
                    if not counts:
                        del held[group]
        self.expire(now, changed, groups)
        return changed, groups

    def expire(
        self, now_min: int, changed: list[ChangedCell], groups: list[tuple[CellGroup, GroupCounts | None]]
    ) -> None:
        """Lets go of windows past their time."""
        for window in (BY_MINUTE, BY_HOUR, BY_DAY):
            table, oldest = self.tables[window], now_min - LENGTH_MIN[window] - KEPT_MIN[window]
            if oldest > self.expired_min[window]:
                self.expired_min[window] = oldest
                for start in [s for s in table if s < oldest]:
                    for group, counts in table.pop(start).items():
                        groups.append(((window, start, group), None))
                        changed += [((window, start, group << GROUP | what_in), None) for what_in in counts]

    def put(self, group: CellGroup, counts: GroupCounts) -> None:
        """One group, as it is restored."""
        window, start, number = group
        self.tables[window].setdefault(start, {})[number] = counts

    def cells(self) -> Iterator[tuple[Cell, int]]:
        """Every cell that is held."""
        for window, table in enumerate(self.tables):
            for start, held in table.items():
                for group, counts in held.items():
                    for what_in, n in counts.items():
                        yield (window, start, group << GROUP | what_in), n
