"""How far the journeys of a group came, and how they stand: what a funnel shows of them.

A group is what was opened in some window, under some dimensions or about some need. The counters of cohorts
give it, or the journeys themselves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from schemas import Moment
from streams.queries.cell_table import Counted
from streams.queries.histograms import Bucket, quantile_s

FUNNEL_MOMENTS: tuple[str, ...] = get_args(Moment)


class Cohort(msgspec.Struct):
    """How many journeys of a group are in each state.

    Stalled journeys are part of open, refunded ones of converted.
    """

    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0

    @property
    def all(self) -> int:
        """All journeys: each is open, converted or abandoned."""
        return self.open + self.converted + self.abandoned


class JourneyCounts(msgspec.Struct):
    """How many journeys there are, and in which state. opened = open + converted + abandoned."""

    opened: int = 0
    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0


Revenue = dict[str, dict[str, int]]
"""Sums of amounts in minor units, by currency and by kind of transition: `converted`, and below zero what
refunds gave back. None is zero.
"""


class TimeToConvert(msgspec.Struct):
    """How long journeys took from their opening to the purchase: seconds, right to 6 %."""

    purchases: int  # that were measured: all but those from nowhere
    p50_s: float
    p90_s: float


class CohortReport(msgspec.Struct):
    """The journeys of a group. The dicts of moments have every moment."""

    journeys: JourneyCounts
    furthest: dict[str, Cohort]  # by the furthest moment that a journey reached
    been_in: dict[str, int]  # how many journeys have been in each moment: docs/journeys.md
    # Not of these journeys, but of what was bought and given back in the window, under the dimensions or
    # about the need: a purchase can come long after the opening.
    revenue: Revenue
    # None: nobody bought; or it is not known, as in a window of minutes.
    time_to_convert: TimeToConvert | None = None


def report_of_cells(cells: Sequence[Counted]) -> CohortReport:
    """The sum of these counters, of which those of cohorts, of revenue and of the time to convert count."""
    report, took = empty_report(), Counter[Bucket]()
    for cell in cells:
        if cell.measure == "cohort" and cell.furthest is not None and cell.outcome is not None:
            cohort = report.furthest[cell.furthest]
            setattr(cohort, cell.outcome, getattr(cohort, cell.outcome) + cell.count)
        elif cell.measure == "been_in" and cell.moment is not None:
            report.been_in[cell.moment] += cell.count
        elif cell.measure == "time_to_convert" and cell.bucket_s is not None:
            took[cell.bucket_s] += cell.count
    report.revenue = revenue_of_cells(cells)
    report.time_to_convert = time_to_convert(took)
    add_up(report)
    return report


def time_to_convert(took: Counter[Bucket]) -> TimeToConvert | None:
    """The quantiles of purchases by how long they took."""
    if not took:
        return None
    return TimeToConvert(took.total(), round(quantile_s(took, 0.5), 3), round(quantile_s(took, 0.9), 3))


def empty_report() -> CohortReport:
    """A report about no journeys."""
    return CohortReport(
        JourneyCounts(),
        {moment: Cohort() for moment in FUNNEL_MOMENTS},
        dict.fromkeys(FUNNEL_MOMENTS, 0),
        {},
    )


def revenue_of_cells(cells: Iterable[Counted]) -> Revenue:
    """The sum of the counters of revenue among these."""
    return sum_revenue(
        (cell.currency, cell.kind, cell.count)
        for cell in cells
        if cell.measure == "revenue" and cell.currency is not None and cell.kind is not None
    )


def sum_revenue(amounts: Iterable[tuple[str, str, int]]) -> Revenue:
    """The sums of amounts, each given as (currency, kind, minor units)."""
    sums: dict[str, Counter[str]] = {}
    for currency, kind, minor in amounts:
        sums.setdefault(currency, Counter())[kind] += minor
    revenue = {
        currency: {kind: minor for kind, minor in sorted(kinds.items()) if minor}
        for currency, kinds in sorted(sums.items())
    }
    return {currency: kinds for currency, kinds in revenue.items() if kinds}


def add_up(report: CohortReport) -> None:
    """Computes the counts of all journeys from those by furthest moment."""
    cohorts = report.furthest.values()
    outcomes = {name: sum(getattr(c, name) for c in cohorts) for name in Cohort.__struct_fields__}
    report.journeys = JourneyCounts(opened=sum(cohort.all for cohort in cohorts), **outcomes)


def reports_by_dimension(cells: Iterable[Counted], dimension: str) -> dict[str, CohortReport]:
    """The report for each value that the dimension had when a journey opened, and of revenue for each that it
    had at a purchase or a refund.
    """
    groups: dict[str, list[Counted]] = {}
    for cell in cells:
        if cell.measure in ("cohort", "been_in", "revenue", "time_to_convert"):
            groups.setdefault(cell.dimensions[dimension], []).append(cell)
    return {value: report_of_cells(group) for value, group in sorted(groups.items())}


def reached(furthest: Mapping[str, Cohort], moments: Sequence[str]) -> int:
    """How many journeys came as far as one of these moments."""
    return sum(furthest[moment].all for moment in moments)
