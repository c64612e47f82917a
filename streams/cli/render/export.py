"""What was exported: a row per file."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape

from streams.cli.render.tables import plain_table
from streams.cli.screen import count_text, printable, time_text
from streams.queries.parquet.manifest import Manifest


def render(directory: Path, written: Manifest) -> RenderableType:
    """The files with their rows and sizes, and up to when they are complete."""
    table = plain_table("file", "rows", "kB", wrapped=("file",))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, file in written.files.items():
        table.add_row(
            escape(printable(str(directory / name))), count_text(file.rows), f"{file.bytes / 1000:,.1f}"
        )
    as_of = "nothing was read yet" if written.as_of is None else f"as of {time_text(written.as_of)} UTC"
    return Group(table, "", f"[dim]{escape(printable(written.app))}, {as_of}[/]")
