"""A table of finished journeys."""

from collections.abc import Collection, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import JourneyRecord
from streams.cli.render.tables import plain_table, row_count
from streams.cli.screen import OUTCOME_COLOURS, moment_text, span_text, time_text

JourneyKey = tuple[str | None, str, str | None, str]
"""Tenant, profile, need and journey."""


def render(records: Sequence[JourneyRecord], total: int, refunded: Collection[JourneyKey]) -> RenderableType:
    """A row per journey, oldest first. `total` is how many there are."""
    has_needs = any(record.need for record in records)
    headings = ["closed (UTC)", "who", *(["need"] * has_needs), "outcome", "path", "took", "stalls"]
    table = plain_table(*headings, wrapped=("path",))
    for record in records:
        is_refunded = (record.tenant, record.profile, record.need, record.journey) in refunded
        outcome = "refunded" if is_refunded else record.outcome
        cells = [
            time_text(record.closed_at),
            escape(record.profile),
            *([escape(record.need or "")] * has_needs),
            f"[{OUTCOME_COLOURS[outcome]}]{outcome}[/]",
            " → ".join(moment_text(step.moment) for step in record.path),
            span_text(sum(record.dwell_s.values())),
            str(record.stalls or ""),
        ]
        table.add_row(*cells)
    return Group(table, row_count(len(records), total, "finished journey"))
