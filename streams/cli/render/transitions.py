"""A table of transitions."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import Transition
from streams.cli.render.tables import plain_table, row_count
from streams.cli.screen import moment_text, span_text, time_text


def render(steps: Sequence[Transition], total: int) -> RenderableType:
    """A row per step, oldest first. `total` is how many steps there are."""
    has_needs = any(step.need for step in steps)
    headings = ["when (UTC)", "who", *(["need"] * has_needs), "what", "from", "to", "after", "rule"]
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
            f"[dim]{escape(step.rule or '')}[/]",
        ]
        table.add_row(*cells)
    return Group(table, row_count(len(steps), total, "step"))
