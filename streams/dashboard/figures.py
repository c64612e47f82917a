"""The figures of the page: answers made of counters and of what partitions say of themselves. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from schemas.kinds import Kind, Moment
from schemas.progress import OpenMoment, PartitionProgress
from streams.core.funnels.currencies import DIGITS, NO_CURRENCY, currency_number
from streams.core.funnels.figures import OPEN_MOMENTS
from streams.core.processing.json_text import rfc3339
from streams.dashboard import answers
from streams.queries.cell_table import CellSum, Counted
from streams.queries.cohorts import FUNNEL_MOMENTS, CohortReport, Revenue, reached, reports_by_dimension
from streams.queries.histograms import quantile_s
from streams.queries.tallies import (
    count_by_hour_of_week,
    count_cues,
    count_moves,
    dwell_histograms,
)
from streams.queries.views.opened_cohorts import OpenedCohort
from streams.queries.views.people import moves_between, skipped

BOUGHT = frozenset({"truth"})
GIVING_BACK = ("partially_refunded", "refunded")
_HALF, _MOST = 0.5, 0.9


def people_now(
    partitions: Iterable[PartitionProgress], where: Mapping[str, str]
) -> dict[OpenMoment, answers.MomentNow]:
    """The journeys that are under way, by the moment that they are in."""
    sums = {moment: [0, 0, 0, 0] for moment in OPEN_MOMENTS}
    for progress in partitions:
        for found in progress.under_way:
            if all(found.dimensions.get(name) == value for name, value in where.items()):
                counts = (found.open, found.stalled, found.active_5m, found.active_30m)
                sums[found.moment] = [a + b for a, b in zip(sums[found.moment], counts, strict=True)]
    return {_open_moment(moment): answers.MomentNow(*counts) for moment, counts in sums.items()}


def _open_moment(name: str) -> OpenMoment:
    return cast("OpenMoment", name)


def _by_moment(counts: Mapping[str, int]) -> dict[Moment, int]:
    return cast("dict[Moment, int]", dict(counts))


def moves(cells: Sequence[Counted]) -> list[answers.ShownMove]:
    """How often journeys moved from moment to moment, and how often purchases were given back."""
    counted = moves_between(cells)
    counted.update({move: n for move, n in count_moves(cells).items() if move.kind in GIVING_BACK})
    return [
        answers.ShownMove(
            cast("Kind", move.kind),
            cast("Moment | None", move.from_),
            cast("Moment | None", move.to),
            [cast("Moment", moment) for moment in skipped(move)],
            n,
        )
        for move, n in sorted(counted.items(), key=lambda pair: _order(pair[0].from_, pair[0].to))
        if n
    ]


def _order(*moments: str | None) -> tuple[int, ...]:
    return tuple(-1 if moment is None else FUNNEL_MOMENTS.index(moment) for moment in moments)


def is_purchase(cell: CellSum) -> bool:
    """True for a counter of purchases."""
    return cell.measure == "transitions" and cell.kind == "converted"


def refunded(cells: Iterable[Counted]) -> int:
    """How many purchases were given back, wholly."""
    return sum(n for move, n in count_moves(cells).items() if move.kind == "refunded")


def money(revenue: Revenue) -> list[answers.ShownMoney]:
    """What purchases amounted to, by currency."""
    return [
        answers.ShownMoney(
            currency,
            DIGITS[number] if (number := currency_number(currency)) != NO_CURRENCY else 0,
            sum(kinds.values()),
            -sum(minor for kind, minor in kinds.items() if kind in GIVING_BACK),
        )
        for currency, kinds in revenue.items()
    ]


def opened(report: CohortReport) -> answers.OpenedJourneys:
    """What has become of journeys."""
    counts = report.journeys
    return answers.OpenedJourneys(
        counts.opened, counts.converted, counts.abandoned, counts.open, counts.stalled
    )


def parts(cells: Sequence[Counted], whole: CohortReport, dimension: str) -> answers.ShownParts:
    """Journeys by a dimension; values with most journeys first, and all of them before."""
    reports = reports_by_dimension(cells, dimension)
    rows = [_part(value, report) for value, report in reports.items()]
    rows.sort(key=lambda part: -part.opened)
    return answers.ShownParts(dimension, [_part(None, whole), *(row for row in rows if row.opened)])


def _part(value: str | None, report: CohortReport) -> answers.ShownPart:
    counts = report.journeys
    return answers.ShownPart(
        value=value,
        opened=counts.opened,
        reached=reached_moments(report),
        been_in=_by_moment(report.been_in),
        converted=counts.converted,
        abandoned=counts.abandoned,
        open=counts.open,
    )


def reached_moments(report: CohortReport) -> dict[Moment, int]:
    """How many journeys came at least as far as each moment."""
    found = {
        moment: reached(report.furthest, FUNNEL_MOMENTS[at:]) for at, moment in enumerate(FUNNEL_MOMENTS)
    }
    return _by_moment(found)


def hours_of_week(cells: Iterable[Counted]) -> list[int]:
    """Purchases by hour of the week."""
    return count_by_hour_of_week(cells, BOUGHT)


def stays(cells: Iterable[Counted]) -> dict[OpenMoment, answers.ShownStay]:
    """How long stays lasted that ended in the range, by moment."""
    found: dict[OpenMoment, answers.ShownStay] = {}
    histograms = dwell_histograms(cells)
    for moment in OPEN_MOMENTS:
        lengths = +histograms.get(moment, Counter())
        if lengths:
            found[_open_moment(moment)] = answers.ShownStay(
                round(quantile_s(lengths, _HALF), 3), round(quantile_s(lengths, _MOST), 3), lengths.total()
            )
    return found


def cue_counts(cells: Iterable[Counted]) -> list[answers.CueCount]:
    """How often each cue came in each moment, the most frequent first."""
    found = [
        answers.CueCount(cue, cast("Moment | None", moment), n)
        for cue, counts in count_cues(cells).items()
        for moment, n in counts.items()
        if n
    ]
    return sorted(found, key=lambda one: (-one.count, one.cue, one.moment or ""))


def shown_cohort(cohort: OpenedCohort, end_ms: int) -> answers.ShownCohort:
    """A cohort for the API. `end_ms`: of its window."""
    counts = cohort.report.journeys
    return answers.ShownCohort(
        from_=rfc3339(cohort.start_ms),
        to=rfc3339(end_ms),
        over=cohort.over,
        complete=cohort.complete,
        opened=counts.opened,
        converted=counts.converted,
        abandoned=counts.abandoned,
        refunded=counts.refunded,
        open=counts.open,
        silent=counts.stalled,
        reached=reached_moments(cohort.report),
        been_in=_by_moment(cohort.report.been_in),
        bought_share=cohort.bought_share,
        open_share=cohort.open_share,
    )
