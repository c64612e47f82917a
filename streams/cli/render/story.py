"""A person's journeys as a story: when, in which moment, what happened, for how long."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from schemas import Transition
from streams.cli.screen import COLOURS, OUTCOME_COLOURS, at, moment, some, span
from streams.queries.story import Journey, Story

INTENTS = {
    "opened": "●", "advanced": "▼", "returned": "▲", "stalled": "◌", "resumed": "○", "converted": "★", "abandoned": "✗", "refunded": "↩",
}  # fmt: skip
SILENT = ("stalled", "abandoned")


def picture(story: Story) -> RenderableType:
    """All journeys about one need, oldest first."""
    who = escape(story.profile) + (f" of {escape(story.tenant)}" if story.tenant else "")
    about = f", about [bold]{escape(story.need)}[/]" if story.need else ""
    if not story.journeys:
        return f"[bold]{who}[/]: no journey, only signs that open none\n"
    now = f"now in {moment(story.current)}" if story.current else "in no moment now"
    if story.journeys[-1].stalled:
        now += ", silent"
    return Group(
        f"[bold]{who}[/]{about}: {some(len(story.journeys), 'journey')}, {now}",
        *map(_journey, story.journeys),
        "",
    )


def _journey(journey: Journey) -> RenderableType:
    colour = OUTCOME_COLOURS["stalled" if journey.stalled else journey.outcome]
    head = f"\n[bold {colour}]{journey.outcome}[/]{' and stalled' * journey.stalled}, came as far as {moment(journey.furthest)}"
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in journey.steps:
        table.add_row(
            at(step.at),
            Text(INTENTS[step.kind], style=_colour(step)),
            Text(step.kind, style=_colour(step)),
            _said(step),
        )
    return Group(head, table)


def _colour(step: Transition) -> str:
    if step.kind in SILENT:
        return "dim" if step.kind == "stalled" else "red"
    return COLOURS[step.to] if step.to else OUTCOME_COLOURS["refunded"]


def _said(step: Transition) -> str:
    """Where it led, how long they had been in the moment left, and what showed it."""
    where = (
        f"{moment(step.from_)} → {moment(step.to)}"
        if step.from_ and step.to and step.from_ != step.to
        else moment(step.to or step.from_)
    )
    over = f" [dim]over {', '.join(step.skipped)}[/]" if step.skipped else ""
    after = f" after {span(step.dwell_s)}" if step.dwell_s is not None and step.kind != "abandoned" else ""
    shown_by = f"  [dim]{escape(step.rule)}[/]" if step.rule else "  [dim]silence[/]"
    return f"{where}{over}{after}{shown_by}"
