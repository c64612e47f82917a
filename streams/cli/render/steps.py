"""Tables of steps and of finished journeys."""

from collections.abc import Collection, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from schemas import JourneyRecord, Transition
from streams.cli.screen import OUTCOME_COLOURS, at, moment, some, span


def table(steps: Sequence[Transition], total: int) -> RenderableType:
    """One row per step, oldest first; `total` is how many there are in all."""
    with_needs = any(step.need for step in steps)
    made = _table("when (UTC)", "who", *(["need"] * with_needs), "what", "from", "to", "after", "rule")
    for step in steps:
        kind = step.kind if step.op == "assert" else f"[red]not[/] {step.kind}"
        need = [escape(step.need or "")] * with_needs
        rule = f"[dim]{escape(step.rule or '')}[/]"
        made.add_row(
            at(step.at),
            escape(step.profile),
            *need,
            kind,
            moment(step.from_),
            moment(step.to),
            span(step.dwell_s),
            rule,
        )
    return Group(made, more(len(steps), total, "step"))


def finished(
    records: Sequence[JourneyRecord],
    total: int,
    refunded: Collection[tuple[str | None, str, str | None, str]],
) -> RenderableType:
    """One row per journey, oldest first."""
    with_needs = any(record.need for record in records)
    made = _table("closed (UTC)", "who", *(["need"] * with_needs), "outcome", "path", "took", "stalls")
    for record in records:
        outcome = (
            "refunded"
            if (record.tenant, record.profile, record.need, record.journey) in refunded
            else record.outcome
        )
        path = " → ".join(moment(step.moment) for step in record.path)
        ended, took = f"[{OUTCOME_COLOURS[outcome]}]{outcome}[/]", span(sum(record.dwell_s.values()))
        need = [escape(record.need or "")] * with_needs
        made.add_row(
            at(record.closed_at), escape(record.profile), *need, ended, path, took, str(record.stalls or "")
        )
    return Group(made, more(len(records), total, "finished journey"))


def _table(*headings: str) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        made.add_column(heading, no_wrap=heading not in ("path", "rule"), overflow="fold")
    return made


def more(shown: int, total: int, what: str) -> str:
    """How many rows there are, and how to see those that are not shown."""
    return (
        f"[dim]{some(total, what)}[/]"
        if shown == total
        else f"[dim]the latest {shown:,} of {some(total, what)}; --limit shows more[/]"
    )
