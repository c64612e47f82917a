"""Reports on the journeys about one need. Counters know no needs, so it reads the transitions.

It sees what the topic still has: a journey whose beginning was deleted by age is left out and counted.
Net transitions are all that it needs, and a person's are in one partition, in order. So it keeps, for each
journey about the need, the steps that hold.
"""

from collections.abc import Iterable

import msgspec

from schemas import Transition
from streams.core.ingest.times import parse_time
from streams.log.port import Reader
from streams.queries.cohorts import CohortReport, add_up, empty_report
from streams.queries.time_range import TimeRange
from streams.topology import TRANSITIONS


class _Step(msgspec.Struct):
    """What a report needs of a transition."""

    id: str
    op: str
    profile: str
    journey: str
    kind: str
    to: str | None
    furthest: str
    first_entry: bool
    opened_at: str
    opened_dimensions: dict[str, str]
    at: str
    need: str | None = None
    tenant: str | None = None


class NeedJourneys(msgspec.Struct):
    """The journeys about a need, each as the steps of it that hold."""

    journeys: list[list[_Step]]
    oldest: str | None  # the earliest step of all that the topic still has; None: it is empty
    cut: int  # journeys that were left out, since their beginning is gone


_decode = msgspec.json.Decoder(_Step).decode
assert set(_Step.__struct_fields__) <= set(Transition.__struct_fields__)

_OUTCOMES = ("converted", "abandoned")


async def read_need_journeys(reader: Reader, need: str | None, opened: TimeRange) -> NeedJourneys:
    """The journeys about a need that were opened in this range. None stands for the nameless need."""
    held: dict[tuple[int, str | None, str, str], dict[str, _Step]] = {}
    oldest: str | None = None
    async for partition, record in reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = _decode(record.value)
        oldest = step.at if oldest is None else min(oldest, step.at)
        if step.need != need:
            continue
        parsed = parse_time(step.opened_at)
        assert parsed is not None, "we wrote it"
        if not opened.has(parsed[0]):
            continue
        steps = held.setdefault((partition, step.tenant, step.profile, step.journey), {})
        if step.op == "assert":
            steps[step.id] = step
        else:
            steps.pop(step.id, None)
    journeys = [[*steps.values()] for steps in held.values() if steps]
    whole = [steps for steps in journeys if any(step.kind == "opened" for step in steps)]
    return NeedJourneys(whole, oldest, len(journeys) - len(whole))


def report_of_journeys(journeys: Iterable[list[_Step]]) -> CohortReport:
    """What the counters would say of these journeys."""
    report = empty_report()
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
    add_up(report)
    return report


def reports_by_value(journeys: Iterable[list[_Step]], dimension: str) -> dict[str, CohortReport]:
    """The report for each value that the dimension had when a journey opened."""
    groups: dict[str, list[list[_Step]]] = {}
    for steps in journeys:
        groups.setdefault(steps[0].opened_dimensions[dimension], []).append(steps)
    return {value: report_of_journeys(group) for value, group in sorted(groups.items())}
