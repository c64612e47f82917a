"""Reports on the journeys about one need. Counters know no needs, so it reads the transitions.

It sees what the topic still has: a journey whose beginning was deleted by age is left out and counted.
Net transitions are all that it needs, and a person's are in one partition, in order. So it keeps, for each
journey about the need, the steps that hold.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from schemas import Transition
from streams.core.funnels.cells import dwell_bounds_ms, dwell_bucket
from streams.core.ingest.times import parse_time
from streams.log.port import Reader
from streams.queries.cohorts import CohortReport, add_up, empty_report, sum_revenue, time_to_convert
from streams.queries.histograms import Bucket
from streams.queries.time_range import TimeRange
from streams.topology import TRANSITIONS


class _Step(msgspec.Struct):
    """What a report needs of a transition."""

    id: str
    op: str
    profile: str
    journey: str
    kind: str
    from_: str | None = msgspec.field(name="from")
    to: str | None
    furthest: str
    first_entry: bool
    opened_at: str
    opened_dimensions: dict[str, str]
    dimensions: dict[str, str]
    at: str
    need: str | None = None
    tenant: str | None = None
    value_minor: int | None = None
    currency: str | None = None


class NeedJourneys(msgspec.Struct):
    """The journeys about a need, each as the steps of it that hold, and what was paid."""

    journeys: list[list[_Step]]
    paid: list[_Step]  # steps in the range that have an amount, whenever their journeys were opened
    oldest: str | None  # the earliest step of all that the topic still has; None: it is empty
    cut: int  # journeys that were left out, since their beginning is gone


_decode = msgspec.json.Decoder(_Step).decode
assert set(_Step.__struct_fields__) <= set(Transition.__struct_fields__)

_OUTCOMES = ("converted", "abandoned")


async def read_need_journeys(reader: Reader, need: str | None, times: TimeRange) -> NeedJourneys:
    """The journeys about a need that were opened in this range, and what was paid in it. None stands for the
    nameless need.
    """
    held: dict[tuple[int, str | None, str, str], dict[str, _Step]] = {}
    paid: dict[tuple[int, str], _Step] = {}
    oldest: str | None = None
    async for partition, record in reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = _decode(record.value)
        oldest = step.at if oldest is None else min(oldest, step.at)
        if step.need != need:
            continue
        if step.value_minor is not None and times.has(_instant_ms(step.at)):
            _hold(paid, (partition, step.id), step)
        if times.has(_instant_ms(step.opened_at)):
            name = (partition, step.tenant, step.profile, step.journey)
            _hold(held.setdefault(name, {}), step.id, step)
    journeys = [[*steps.values()] for steps in held.values() if steps]
    whole = [steps for steps in journeys if any(step.kind == "opened" for step in steps)]
    return NeedJourneys(whole, [*paid.values()], oldest, len(journeys) - len(whole))


_Name = TypeVar("_Name")


def _hold(steps: dict[_Name, _Step], name: _Name, step: _Step) -> None:
    """Keeps what is asserted, and drops what is retracted."""
    if step.op == "assert":
        steps[name] = step
    else:
        steps.pop(name, None)


def _instant_ms(text: str) -> int:
    parsed = parse_time(text)
    assert parsed is not None, "we wrote it"
    return parsed[0]


def report_of_need(found: NeedJourneys) -> CohortReport:
    """What the counters would say of these journeys, and of what was paid."""
    return _report(found.journeys, found.paid)


def _report(journeys: Iterable[list[_Step]], paid: Iterable[_Step]) -> CohortReport:
    report = empty_report()
    report.revenue = sum_revenue(_amounts(paid))
    took = Counter[Bucket]()
    for steps in journeys:
        kinds = [step.kind for step in steps]
        furthest = max((step.furthest for step in steps), key=[*report.furthest].index)
        outcome = next((kind for kind in _OUTCOMES if kind in kinds), "open")
        silent = kinds.count("stalled") - kinds.count("resumed") - kinds.count("abandoned")
        cohort = report.furthest[furthest]
        setattr(cohort, outcome, getattr(cohort, outcome) + 1)
        cohort.stalled += silent
        cohort.refunded += "refunded" in kinds
        for step in steps:
            if step.first_entry and step.to is not None:
                report.been_in[step.to] += 1
            if step.kind == "converted" and step.from_ is not None:
                took[_bucket(_instant_ms(step.at) - _instant_ms(step.opened_at))] += 1
    report.time_to_convert = time_to_convert(took)
    add_up(report)
    return report


def _bucket(ms: int) -> Bucket:
    lower, upper = dwell_bounds_ms(dwell_bucket(ms))
    return lower / 1000, upper / 1000


def _amounts(paid: Iterable[_Step]) -> Iterator[tuple[str, str, int]]:
    for step in paid:
        if step.value_minor and step.currency is not None:
            sign = 1 if step.kind == "converted" else -1  # a refund carries what it gives back
            yield step.currency, step.kind, sign * step.value_minor


def reports_by_value(found: NeedJourneys, dimension: str) -> dict[str, CohortReport]:
    """The report for each value that the dimension had when a journey opened, and of revenue for each that it
    had at a purchase or a refund.
    """
    journeys: dict[str, list[list[_Step]]] = {}
    for steps in found.journeys:
        journeys.setdefault(steps[0].opened_dimensions[dimension], []).append(steps)
    paid: dict[str, list[_Step]] = {}
    for step in found.paid:
        if step.value_minor:
            paid.setdefault(step.dimensions[dimension], []).append(step)
    values = sorted({*journeys, *paid})
    return {value: _report(journeys.get(value, ()), paid.get(value, ())) for value in values}
