"""The parts that several pictures share: plain tables, and the line that says how many rows there are."""

from rich.table import Table

from streams.cli.screen import plural


def plain_table(*headings: str, wrapped: tuple[str, ...] = ()) -> Table:
    """A table without lines. Only the columns in `wrapped` may break their cells into several lines."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in wrapped, overflow="fold")
    return table


def plain_grid() -> Table:
    """A table without lines and without headings."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    return grid


def row_count(shown: int, total: int, noun: str) -> str:
    """How many rows there are, and how to see those that are not shown."""
    if shown == total:
        return f"[dim]{plural(total, noun)}[/]"
    return f"[dim]the latest {shown:,} of {plural(total, noun)}; --limit shows more[/]"
