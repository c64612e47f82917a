"""A table of finished journeys."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import JourneyRecord
from streams.cli.render.amounts import amount_cell
from streams.cli.render.tables import plain_table, row_count
from streams.cli.screen import OUTCOME_COLOURS, moment_text, span_text, time_text
from streams.queries.given_back import GivenBack, JourneyName, name_of

SOME = "some"  # was given back, and no refund says how much


def render(
    records: Sequence[JourneyRecord], total: int, given_back: Mapping[JourneyName, GivenBack]
) -> RenderableType:
    """A row per journey, oldest first. `total` is how many there are."""
    has_needs = any(record.need for record in records)
    has_amounts = any(record.value_minor is not None for record in records)
    has_refunds = any(name_of(record) in given_back for record in records)
    headings = [
        "closed (UTC)", "who", *(["need"] * has_needs), "outcome", *(["amount"] * has_amounts),
        *(["given back"] * has_refunds), "path", "took", "stalls",
    ]  # fmt: skip
    table = plain_table(*headings, wrapped=("path",))
    for record in records:
        back = given_back.get(name_of(record))
        outcome = "refunded" if back is not None and back.is_all else record.outcome
        returned = "" if back is None else amount_cell(back.minor, back.currency) or SOME
        cells = [
            time_text(record.closed_at),
            escape(record.profile),
            *([escape(record.need or "")] * has_needs),
            f"[{OUTCOME_COLOURS[outcome]}]{outcome}[/]",
            *([amount_cell(record.value_minor, record.currency)] * has_amounts),
            *([returned] * has_refunds),
            " → ".join(moment_text(step.moment) for step in record.path),
            span_text(sum(record.dwell_s.values())),
            str(record.stalls or ""),
        ]
        table.add_row(*cells)
    return Group(table, row_count(len(records), total, "finished journey"))
