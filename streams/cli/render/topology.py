"""The table of all topics. Those that are for consumers are coloured."""

from collections.abc import Collection

from rich.console import Group, RenderableType
from rich.table import Table

from streams.topology import Cleanup, Topic

RETENTION_TEXTS = {Cleanup.DELETE: "all, by age", Cleanup.COMPACT: "last per key"}


def render(topics: Collection[Topic], published: Collection[Topic]) -> RenderableType:
    """One row per topic. `published`: those that are coloured."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("topic", no_wrap=True)
    table.add_column("what it is, what a record holds", overflow="fold", width=38)
    table.add_column("key", overflow="fold", width=13)
    table.add_column("kept", overflow="fold")
    table.add_column("written by", overflow="fold", width=11)
    for topic in topics:
        name = f"[bold cyan]{topic.name}[/]" if topic in published else topic.name
        about = f"{topic.about}\n[dim]{topic.value}[/]"
        table.add_row(name, about, topic.key, RETENTION_TEXTS[topic.cleanup], topic.writer)
    return Group(table, "\n[dim]The coloured topics are for consumers; schemas/json has their types.[/]")
