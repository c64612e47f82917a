"""The funnel as a picture: how many journeys reached each moment, and how the others ended."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.screen import MOMENT_COLOURS, bar, bar_columns, count_text, moment_text, percent
from streams.queries.funnel import FUNNEL_MOMENTS, Cohort, EventCounts, Funnel

REACHED_BAR_COLUMNS = 24
EVENTS_BAR_COLUMNS = 60

OUTCOMES_SHOWN = ("abandoned", "open", "stalled", "converted", "refunded")
EVENT_COLOURS = {
    "applied": "green",
    "no_signal": "bright_black",
    "duplicate": "blue",
    "late": "yellow",
    "rejected": "red",
}


def render(funnel: Funnel) -> RenderableType:
    """People and journeys, the moments they reached, and how events ended."""
    return Group(render_totals(funnel), "", render_moments(funnel.furthest), "", render_events(funnel.events))


def render_totals(funnel: Funnel) -> RenderableType:
    """How many people and journeys there are."""
    j = funnel.journeys
    return Group(
        f"[bold]{funnel.profiles:,}[/] people, [bold green]{funnel.profiles_converted:,}[/] of them bought "
        f"([bold]{percent(funnel.profiles_converted, funnel.profiles)}[/])",
        f"[bold]{j.opened:,}[/] journeys: [green]{j.converted:,} converted[/] "
        f"({percent(j.converted, j.opened)}; {j.refunded:,} refunded later), [red]{j.abandoned:,} "
        f"abandoned[/], [cyan]{j.open:,} open[/] ({j.stalled:,} stalled)",
    )


def render_moments(furthest: Mapping[str, Cohort]) -> Table:
    """A row per moment: how many journeys reached it, and the outcomes of those that came no further."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    columns = bar_columns(REACHED_BAR_COLUMNS)
    table.add_column("moment")
    table.add_column("reached", justify="right")
    table.add_column("", justify="right")
    table.add_column("", width=columns)
    for heading in OUTCOMES_SHOWN:
        table.add_column(heading, justify="right")
    opened = sum(cohort.all for cohort in furthest.values())
    for n, moment in enumerate(FUNNEL_MOMENTS):
        reached, ended_here = sum(furthest[later].all for later in FUNNEL_MOMENTS[n:]), furthest[moment]
        table.add_row(
            moment_text(moment),
            f"{reached:,}",
            f"[dim]{percent(reached, opened)}[/]",
            Text(bar(reached, opened, columns), style=MOMENT_COLOURS[moment]),
            *(count_text(getattr(ended_here, outcome)) for outcome in OUTCOMES_SHOWN),
        )
    return table


def render_events(counts: EventCounts) -> RenderableType:
    """How events ended, in words and as one bar."""
    strip, words = Text(), Text(f"{counts.received:,} events: ")
    for name, colour in EVENT_COLOURS.items():
        n = getattr(counts, name)
        strip.append(bar(n, counts.received, EVENTS_BAR_COLUMNS)[:EVENTS_BAR_COLUMNS], style=colour)
        separator = "" if name == "applied" else ", "
        words.append(f"{separator}{n:,} {name.replace('_', ' ')}", style=colour if n else "dim")
    return Group(words, strip)


def render_groups(dimension: str, groups: Mapping[str, Mapping[str, Cohort]]) -> RenderableType:
    """A row per value of a dimension."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column(dimension)
    for heading in ("journeys", "reached buy", "converted", ""):
        table.add_column(heading, justify="right")
    table.add_column("", width=REACHED_BAR_COLUMNS)
    for value, furthest in groups.items():
        opened = sum(cohort.all for cohort in furthest.values())
        converted = sum(cohort.converted for cohort in furthest.values())
        table.add_row(
            value,
            f"{opened:,}",
            f"{furthest['buy'].all + furthest['truth'].all:,}",
            f"{converted:,}",
            percent(converted, opened),
            Text(bar(converted, opened, REACHED_BAR_COLUMNS), style="green"),
        )
    return Group("", table)
