"""The funnel as a picture: how many journeys came at least this far, and how those ended that came no further."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.screen import COLOURS, bar, count, moment, narrowed, percent
from streams.queries.funnel import MOMENTS, Cohort, Events, Funnel

BAR = 24

EVENT_COLOURS = {
    "applied": "green",
    "no_signal": "bright_black",
    "duplicate": "blue",
    "late": "yellow",
    "rejected": "red",
}
EVENT_BAR = 60


def whole(report: Funnel) -> RenderableType:
    """All of it."""
    return Group(people(report), "", stages(report.furthest), "", events(report.events))


def people(report: Funnel) -> RenderableType:
    """The headline."""
    j = report.journeys
    return Group(
        f"[bold]{report.profiles:,}[/] people, [bold green]{report.profiles_converted:,}[/] of them bought "
        f"([bold]{percent(report.profiles_converted, report.profiles)}[/])",
        f"[bold]{j.opened:,}[/] journeys: [green]{j.converted:,} converted[/] ({percent(j.converted, j.opened)}; {j.refunded:,} refunded later), "
        f"[red]{j.abandoned:,} abandoned[/], [cyan]{j.open:,} open[/] ({j.stalled:,} stalled)",
    )


def stages(furthest: Mapping[str, Cohort]) -> Table:
    """One row per moment: who came at least this far, and how those stand that came no further."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("moment")
    table.add_column("reached", justify="right")
    table.add_column("", justify="right")
    table.add_column("", width=narrowed(BAR))
    for heading in ("abandoned", "open", "stalled", "converted", "refunded"):
        table.add_column(heading, justify="right")
    opened, width = sum(cohort.all for cohort in furthest.values()), narrowed(BAR)
    for n, name in enumerate(MOMENTS):
        reached, here = sum(furthest[later].all for later in MOMENTS[n:]), furthest[name]
        table.add_row(
            moment(name), f"{reached:,}", f"[dim]{percent(reached, opened)}[/]", Text(bar(reached, opened, width), style=COLOURS[name]),
            *(count(getattr(here, outcome)) for outcome in ("abandoned", "open", "stalled", "converted", "refunded")),
        )  # fmt: skip
    return table


def events(found: Events) -> RenderableType:
    """What became of each event, as one bar and in words."""
    strip, words = Text(), Text(f"{found.received:,} events: ")
    for name, colour in EVENT_COLOURS.items():
        n = getattr(found, name)
        strip.append(bar(n, found.received, EVENT_BAR)[:EVENT_BAR], style=colour)
        words.append(
            ("" if name == "applied" else ", ") + f"{n:,} {name.replace('_', ' ')}",
            style=colour if n else "dim",
        )
    return Group(words, strip)


def groups(by: str, found: Mapping[str, Mapping[str, Cohort]]) -> RenderableType:
    """One row per value of a dimension."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column(by)
    for heading in ("journeys", "reached buy", "converted", ""):
        table.add_column(heading, justify="right")
    table.add_column("", width=BAR)
    for value, furthest in found.items():
        opened = sum(cohort.all for cohort in furthest.values())
        converted = sum(cohort.converted for cohort in furthest.values())
        buying = furthest["buy"].all + furthest["truth"].all
        table.add_row(
            value,
            f"{opened:,}",
            f"{buying:,}",
            f"{converted:,}",
            percent(converted, opened),
            Text(bar(converted, opened, BAR), style="green"),
        )
    return Group("", table)
