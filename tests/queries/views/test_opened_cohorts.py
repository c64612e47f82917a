"""Cohorts one after the other: which are complete, and what is still open of the others."""

from streams.core.funnels.cells import COHORT_CODES, IS_ABANDONED, IS_CONVERTED, IS_OPEN
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import BY_HOUR, ChangedCell
from streams.core.ingest.times import MINUTE_MS
from streams.core.processing.tally_text import TallyText
from streams.queries.cell_table import CellTable
from streams.queries.funnel_window import CellWindow
from streams.queries.views.opened_cohorts import newest_complete, opened_cohorts

HOUR_MS = 60 * MINUTE_MS
ABANDON_MS = 3 * HOUR_MS
# By hour of the opening: how many are open, have bought and have given up.
COUNTS = {0: (0, 2, 6), 1: (0, 1, 1), 3: (4, 1, 0), 4: (9, 0, 0)}


def table() -> CellTable:
    """Two partitions with the same counters."""
    cells = CellTable()
    for partition in (0, 1):
        changed: list[ChangedCell] = [
            ((BY_HOUR, hour * 60, COHORT_CODES[0 if outcome == IS_OPEN else 3][outcome]), n)
            for hour, counts in COUNTS.items()
            for outcome, n in zip((IS_OPEN, IS_CONVERTED, IS_ABANDONED), counts, strict=True)
        ]
        for output in TallyText(partition, Dimensions()).outputs(changed, 1):
            cells.apply(output.topic, output.key, output.value)
    return cells


def test_a_share_is_final_once_the_cohort_is_complete() -> None:
    """Before that the open share says how much is not known."""
    found = opened_cohorts(table(), CellWindow(BY_HOUR, 0, 5 * HOUR_MS), 4 * HOUR_MS, ABANDON_MS)
    assert [16, 4, 0, 10, 18] == [cohort.report.journeys.opened for cohort in found]
    assert [0.25, 0.5, None, 0.2, 0.0] == [cohort.bought_share for cohort in found]
    assert [0.0, 0.0, None, 0.8, 1.0] == [cohort.open_share for cohort in found]
    assert [True, False, False, False, False] == [cohort.complete for cohort in found]
    assert [True, True, True, True, False] == [cohort.over for cohort in found]


def test_the_newest_complete_cohort_is_the_one_to_show() -> None:
    """One that has no journeys says nothing, and one that can still get some is not complete."""
    window = CellWindow(BY_HOUR, 0, 5 * HOUR_MS)
    starts = []
    for passed_ms in (0, 4 * HOUR_MS, 7 * HOUR_MS, 20 * HOUR_MS):
        newest = newest_complete(opened_cohorts(table(), window, passed_ms, ABANDON_MS))
        starts.append(None if newest is None else newest.start_ms // HOUR_MS)
    assert [None, 0, 1, 1] == starts
