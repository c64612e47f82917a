"""A ledger: why records were not applied, and what the latest of them looked like."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.dead_letters import LateHeaders
from streams.cli.render.steps import more
from streams.cli.screen import at, printable, some, span
from streams.queries.dead_letters import Entry

BEGINNING = 200  # characters of a record that are looked at: more than any screen shows of it


def ledger(name: str, reasons: Counter[str], latest: Sequence[Entry]) -> RenderableType:
    """The reasons, the most frequent first, then a row per entry, oldest first. `name`: what such records are called."""
    total = reasons.total()
    if not total:
        return f"[dim]{some(0, f'{name} record')}[/]"
    counts = Table.grid(padding=(0, 2))
    counts.add_column(justify="right")
    for reason, n in reasons.most_common():
        counts.add_row(f"[bold]{n:,}[/]", Text(reason))
    return Group(counts, "", _rows(latest), more(len(latest), total, f"{name} record"))


def _rows(latest: Sequence[Entry]) -> Table:
    """With partitions only where there are several: an offset alone names a record of one."""
    several = any(entry.said.partition for entry in latest)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("offset", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("detail", overflow="fold", ratio=3)
    table.add_column("the record", overflow="ellipsis", no_wrap=True, ratio=2)
    table.expand = True
    for entry in latest:
        offset = f"{entry.said.partition}:{entry.said.offset}" if several else str(entry.said.offset)
        beginning = Text(printable(entry.value[:BEGINNING]), style="dim")
        table.add_row(offset, Text(entry.said.reason), Text(printable(_detail(entry))), beginning)
    if several:
        table.columns[0].header = "partition:offset"
    return table


def _detail(entry: Entry) -> str:
    said = entry.said
    return (
        f"{said.profile} at {at(said.at)}, {span(said.late_s)} behind"
        if isinstance(said, LateHeaders)
        else said.detail
    )
