"""The table of all settings. Those that are not at their default stand out."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from streams.cli.render.tables import plain_table
from streams.settings.fields import shown


def render(values: Mapping[str, object], defaults: Mapping[str, object]) -> Table:
    """One row per setting."""
    headings = ("setting", "value", "")
    table = plain_table(*headings, wrapped=headings)
    for key, value in values.items():
        if key in defaults and defaults[key] == value:
            table.add_row(key, escape(shown(value)), "[dim]default[/]")
        else:
            table.add_row(key, f"[bold yellow]{escape(shown(value))}[/]", "set")
    return table
