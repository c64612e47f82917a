"""A table of cues."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from schemas import Cue
from streams.cli.render.identities import on_device
from streams.cli.render.tables import plain_table, row_count
from streams.cli.screen import moment_text, time_text


def render(cues: Sequence[Cue], total: int) -> RenderableType:
    """A row per cue, oldest first. `total` is how many there are."""
    has_needs = any(cue.need for cue in cues)
    headings = ["when (UTC)", "who", *(["need"] * has_needs), "what", "in", "event"]
    table = plain_table(*headings, wrapped=("event",))
    for cue in cues:
        cells = [
            time_text(cue.at),
            escape(cue.profile),
            *([escape(cue.need or "")] * has_needs),
            cue.cue if cue.op == "assert" else f"[red]not[/] {cue.cue}",
            moment_text(cue.moment),
            f"[dim]{escape(cue.event)}{on_device(cue)}[/]",
        ]
        table.add_row(*cells)
    return Group(table, row_count(len(cues), total, "cue"))
