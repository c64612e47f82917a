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
        self.expired_corrections = 0  # counted changes of windows that are no longer kept

    def roll_up(self, mark_ms: int) -> list[tuple[Cell, int | None]]:
        """Applies the batch; returns the cells it changed with their new counts. None: the cell's window has expired, or it is back to zero."""
        now, changed = mark_ms // 60_000, set[Cell]()
        for key, n in self.delta.items():
            if not n:
                continue
            what, minute = key & WHAT, key >> START
            measure = what >> MEASURE
            finest = MINUTE if measure == TRANSITIONS else HOUR if measure <= DWELL else DAY
            for window in range(finest, ALL):
                start = minute - minute % LENGTH_MIN[window]
                if start + LENGTH_MIN[window] + KEPT_MIN[window] < now:
                    self.expired_corrections += abs(n)
                    continue
                cells = self.tables[window].get(start)
                if cells is None:
                    cells = self.tables[window][start] = {}
                cells[what] = cells.get(what, 0) + n
                changed.add((window, start, what))
            cells = self.tables[ALL][0]
            cells[what] = cells.get(what, 0) + n
            changed.add((ALL, 0, what))
        self.delta = {}
        out: list[tuple[Cell, int | None]] = []
        for cell in changed:
            window, start, what = cell
            cells = self.tables[window][start]
            n = cells[what]
            if n == 0:
                del cells[what]
            out.append((cell, n or None))
        return out + self.expire(now)

    def expire(self, now_min: int) -> list[tuple[Cell, int | None]]:
        """Lets go of windows past their time."""
        gone: list[tuple[Cell, int | None]] = []
        for window in (MINUTE, HOUR, DAY):
            table, oldest = self.tables[window], now_min - LENGTH_MIN[window] - KEPT_MIN[window]
            if table and next(iter(table)) < oldest:
                for start in [s for s in table if s < oldest]:
                    gone += [((window, start, what), None) for what in table.pop(start)]
        return gone

    def put(self, cell: Cell, n: int) -> None:
        """One cell, as it is restored."""
        window, start, what = cell
        self.tables[window].setdefault(start, {})[what] = n
