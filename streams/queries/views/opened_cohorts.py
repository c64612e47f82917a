"""Cohorts one after the other: journeys by when they were opened, and how they stand.

The share of a cohort that bought means something only once nothing of it is open: converted / (converted +
abandoned) of a young cohort compares today's buyers with nobody yet, since those who give up are silent for
weeks before they count. So each cohort says whether it is complete, and its open share stands beside it.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streams.core.funnels.windows import LENGTH_MIN
from streams.core.ingest.times import MINUTE_MS
from streams.queries.cell_table import CellTable
from streams.queries.cohorts import CohortReport, report_of_cells
from streams.queries.funnel_window import CellWindow


class OpenedCohort(msgspec.Struct, frozen=True):
    """The journeys that were opened in one window."""

    start_ms: int
    report: CohortReport
    over: bool  # the window has passed in all partitions: nobody joins it any more, unless an event is late
    complete: bool  # every journey of it has ended, and time has passed for all that could

    @property
    def bought_share(self) -> float | None:
        """The share that bought so far; None: no journey was opened."""
        return _share(self.report.journeys.converted, self.report.journeys.opened)

    @property
    def open_share(self) -> float | None:
        """The share of which nobody knows yet."""
        return _share(self.report.journeys.open, self.report.journeys.opened)


def opened_cohorts(
    cells: CellTable,
    window: CellWindow,
    passed_ms: int,
    abandon_after_ms: int,
    where: Mapping[str, str] | None = None,
) -> list[OpenedCohort]:
    """The cohorts of the cells in a window, the oldest first, those without journeys too.

    `passed_ms`: how far all partitions have come. `abandon_after_ms`: the silence that ends a journey.
    """
    step_ms = LENGTH_MIN[window.length] * MINUTE_MS
    found = []
    for start_ms in range(window.start_ms, window.end_ms, step_ms):
        end_ms = start_ms + step_ms
        report = report_of_cells(cells.sums(CellWindow(window.length, start_ms, end_ms), where))
        complete = end_ms + abandon_after_ms <= passed_ms and not report.journeys.open
        found.append(OpenedCohort(start_ms, report, end_ms <= passed_ms, complete))
    return found


def newest_complete(cohorts: Sequence[OpenedCohort]) -> OpenedCohort | None:
    """The newest cohort that is complete and has journeys; None: none is."""
    full = [cohort for cohort in cohorts if cohort.complete and cohort.report.journeys.opened]
    return full[-1] if full else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
