"""A person's journeys: when what happened, in which moment, and how long it took."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from schemas import Transition
from streams.cli.render.amounts import amount_cell
from streams.cli.render.identities import on_device, render_identity
from streams.cli.screen import MOMENT_COLOURS, OUTCOME_COLOURS, moment_text, plural, span_text, time_text
from streams.queries.timeline import Timeline, TimelineJourney

SYMBOLS = {
    "opened": "●",
    "advanced": "▼",
    "returned": "▲",
    "stalled": "◌",
    "resumed": "○",
    "converted": "★",
    "abandoned": "✗",
    "partially_refunded": "↩",
    "refunded": "↩",
}
CUE_SYMBOL = "!"


def render(timeline: Timeline) -> RenderableType:
    """All journeys about one need, oldest first."""
    who = escape(timeline.profile) + (f" of {escape(timeline.tenant)}" if timeline.tenant else "")
    about = f", about [bold]{escape(timeline.need)}[/]" if timeline.need else ""
    whose = [] if timeline.identity is None else [render_identity(timeline.identity)]
    if not timeline.journeys:
        none = "no journey of its own" if whose else "no journey, only signals that open none"
        return Group(*whose, f"[bold]{who}[/]: {none}", "")
    now = f"now in {moment_text(timeline.current)}" if timeline.current else "in no moment now"
    if timeline.journeys[-1].stalled:
        now += ", silent"
    return Group(
        *whose,
        f"[bold]{who}[/]{about}: {plural(len(timeline.journeys), 'journey')}, {now}",
        *map(render_journey, timeline.journeys),
        "",
    )


def render_journey(journey: TimelineJourney) -> RenderableType:
    """One journey, step by step."""
    colour = OUTCOME_COLOURS["stalled" if journey.stalled else journey.outcome]
    stalled = " and stalled" if journey.stalled else ""
    head = f"\n[bold {colour}]{journey.outcome}[/]{stalled}, came as far as {moment_text(journey.furthest)}"
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    cues = list(journey.happened)
    for n, step in enumerate(journey.steps):
        style = _style(step)
        table.add_row(
            time_text(step.at), Text(SYMBOLS[step.kind], style), Text(step.kind, style), _description(step)
        )
        following = journey.steps[n + 1].at if n + 1 < len(journey.steps) else None
        while cues and (following is None or cues[0].at < following):  # a cue comes after its event's steps
            cue = cues.pop(0)
            where = f"{moment_text(cue.moment)}  [dim]{escape(cue.event)}{on_device(cue)}[/]"
            table.add_row(time_text(cue.at), Text(CUE_SYMBOL, "yellow"), Text(cue.cue, "yellow"), where)
    return Group(head, table)


def _style(step: Transition) -> str:
    if step.kind == "stalled":
        return "dim"
    if step.kind == "abandoned":
        return "red"
    if step.to is None:
        return OUTCOME_COLOURS["refunded"]
    return MOMENT_COLOURS[step.to]


def _description(step: Transition) -> str:
    """Where the step led, how long the person had been in the moment before, what was paid or given back, the
    rule behind it, and on which device a guest did it.
    """
    where = moment_text(step.to or step.from_)
    if step.from_ and step.to and step.from_ != step.to:
        where = f"{moment_text(step.from_)} → {moment_text(step.to)}"
    skipped = f" [dim]over {', '.join(step.skipped)}[/]" if step.skipped else ""
    after = ""
    if step.dwell_s is not None and step.kind != "abandoned":
        after = f" after {span_text(step.dwell_s)}"
    if amount := amount_cell(step.value_minor, step.currency):
        after += f"  {amount}" if step.to else f"  {amount} given back"
    return (
        f"{where}{skipped}{after}  [dim]{escape(step.rule) if step.rule else 'silence'}{on_device(step)}[/]"
    )
