"""What the demo shows of made-up shoppers who sign in now and then, with identity off and on. One of them is
shown both ways.
"""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table

from streams.cli.render import timeline
from streams.cli.render.tables import plain_grid
from streams.cli.screen import moment_text, time_text

if TYPE_CHECKING:
    from streams.cli.demo_guests import Guests

ROWS = (
    ("people with a journey", "people"),
    ("journeys", "journeys"),
    ("fell silent in buy", "silent_at_till"),
    ("purchases", "purchases"),
    ("... whose journey began before the sign-in", "by_guests_first"),
)


def render(found: "Guests") -> RenderableType:
    """All of it."""
    parts: list[RenderableType] = [
        "",
        Rule("[bold]One person on several devices: generated shoppers[/]", align="left", style="dim"),
        "[dim]The real shop has no sign-ins, so these shoppers are made up, by streams generate. They[/]",
        "[dim]browse as guests, and some sign in: at the till, days later, on another device.[/]",
        "[dim]The same events, twice:[/]",
        "",
        _table(found),
        "",
        f"[bold]With identity off[/], one of them is {len({t.profile for t in found.split})} people:",
        "",
        _split(found),
        "",
        f"[bold]With identity on[/], it is {found.user}, and this is one journey:",
        timeline.render_journey(found.example),
    ]
    return Group(*parts)


def _table(found: "Guests") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for heading in ("identity off", "identity on"):
        table.add_column(heading, justify="right")
    for meaning, name in ROWS:
        table.add_row(meaning, *[f"{getattr(figures, name):,}" for figures in (found.apart, found.together)])
    return table


def _split(found: "Guests") -> Table:
    table = plain_grid()
    for of in found.split:
        for journey in of.journeys:
            outcome = "open and stalled" if journey.stalled else journey.outcome
            far = f"came as far as {moment_text(journey.furthest)}"
            table.add_row(of.profile, f"[dim]{time_text(journey.opened_at)}[/]", outcome, far)
    return table
