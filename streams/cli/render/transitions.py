"""A table of transitions."""

from collections.abc import Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import Transition
from streams.cli.render.amounts import amount_cell
from streams.cli.render.identities import on_device
from streams.cli.render.tables import plain_table, row_count
from streams.cli.screen import moment_text, span_text, time_text


def render(steps: Sequence[Transition], total: int, unmatched: Sequence[str]) -> RenderableType:
    """A row per step, oldest first. `total` is how many steps there are; `unmatched`: what found nothing."""
    has_needs = any(step.need for step in steps)
    has_amounts = any(step.value_minor is not msgspec.UNSET for step in steps)
    headings = [
        "when (UTC)", "who", *(["need"] * has_needs), "what", "from", "to", "after",
        *(["amount"] * has_amounts), "rule",
    ]  # fmt: skip
    table = plain_table(*headings, wrapped=("rule",))
    for step in steps:
        cells = [
            time_text(step.at),
            escape(step.profile),
            *([escape(step.need or "")] * has_needs),
            step.kind if step.op == "assert" else f"[red]not[/] {step.kind}",
            moment_text(step.from_),
            moment_text(step.to),
            span_text(step.dwell_s),
            *([amount_cell(step.value_minor, step.currency)] * has_amounts),
            f"[dim]{escape(step.rule or '')}{on_device(step)}[/]",
        ]
        table.add_row(*cells)
    counted = [f"[yellow]counted and no steps: {', '.join(unmatched)}[/]"] if unmatched else []
    return Group(table, row_count(len(steps), total, "step"), *counted)
