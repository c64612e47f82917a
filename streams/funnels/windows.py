"""The absolute counters of one partition, per minute, hour, day and over all time.

A window expires when the horizon mark is further beyond its end than it is kept: a correction to it is then counted, not written, and readers
drop it by the same rule. `all` never expires, so totals stay exact for ever.
"""

from streams.funnels.cells import DWELL, MEASURE, START, TRANSITIONS, WHAT

MINUTE, HOUR, DAY, ALL = range(4)
WINDOWS = ("minute", "hour", "day", "all")
LENGTH_MIN = (1, 60, 1440)
KEPT_MIN = (3 * 1440, 40 * 1440, 400 * 1440)
"""Minutes outlive the default horizon, hours the long patience (a journey's cohort hour can still change then), days a year and a month."""

Cell = tuple[int, int, int]  # window, its start in minutes since 1970 (0 for `all`), what is counted
Table = dict[int, dict[int, int]]


class Windows:
    """Cells by window and start, and what a batch changed of them."""

    def __init__(self) -> None:
        self.tables: tuple[Table, Table, Table, Table] = ({}, {}, {}, {0: {}})
        self.delta: dict[int, int] = {}  # of the open batch, at the finest window of each measure
        self.expired_min = [0, 0, 0]  # windows that start before this minute were let go of, per length
        self.expired_corrections = 0  # counted changes of windows that are no longer kept

    def roll_up(self, mark_ms: int) -> list[tuple[Cell, int | None]]:
        """Applies the batch; returns the cells it changed with their new counts. None: the cell's window has expired, or it is back to zero."""
        now = mark_ms // 60_000
        levels: tuple[Table, Table, Table, Table] = ({}, {}, {}, {})  # changes by window and start; each level adds up into the next
        for key, n in self.delta.items():
            if n:
                what, start = key & WHAT, key >> START
                measure = what >> MEASURE
                level = levels[MINUTE if measure == TRANSITIONS else HOUR if measure <= DWELL else DAY]
                cells = level.get(start)
                if cells is None:
                    cells = level[start] = {}
                cells[what] = n
        self.delta = {}
        out: list[tuple[Cell, int | None]] = []
        for window, level in enumerate(levels):
            for start, changes in level.items():
                if window < ALL:
                    above = levels[window + 1].setdefault(start - start % LENGTH_MIN[window + 1] if window < DAY else 0, {})
                    get = above.get
                    for what, n in changes.items():
                        above[what] = get(what, 0) + n
                    if start + LENGTH_MIN[window] + KEPT_MIN[window] < now:
                        self.expired_corrections += sum(map(abs, changes.values()))
                        continue
                held = self.tables[window].setdefault(start, {})
                for what, n in changes.items():
                    if n:
                        held[what] = n = held.get(what, 0) + n
                        if not n:
                            del held[what]
                        out.append(((window, start, what), n or None))
        return out + self.expire(now)

    def expire(self, now_min: int) -> list[tuple[Cell, int | None]]:
        """Lets go of windows past their time."""
        gone: list[tuple[Cell, int | None]] = []
        for window in (MINUTE, HOUR, DAY):
            table, oldest = self.tables[window], now_min - LENGTH_MIN[window] - KEPT_MIN[window]
            if oldest > self.expired_min[window]:
                self.expired_min[window] = oldest
                for start in [s for s in table if s < oldest]:
                    gone += [((window, start, what), None) for what in table.pop(start)]
        return gone

    def put(self, cell: Cell, n: int) -> None:
        """One cell, as it is restored."""
        window, start, what = cell
        self.tables[window].setdefault(start, {})[what] = n
