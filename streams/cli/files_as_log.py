"""Reads files into a log that is gone when the command ends: for questions about events in no log."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import typer

from streams.cli.opened_log import OpenedLog
from streams.cli.options import input_format, settings_of
from streams.cli.progress import Work
from streams.cli.screen import plural
from streams.cli.stopping import StopRequest
from streams.errors import InputError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.runtime.embedded import Progress
    from streams.settings.tables import Settings


class GivenFiles(NamedTuple):
    """Files to read, and how."""

    paths: Sequence[Path]
    format: str | None = None
    columns: list[str] | None = None
    zone: str | None = None


@asynccontextmanager
async def open_files(
    ctx: typer.Context, given: GivenFiles, rules: "Rules", stop: StopRequest
) -> AsyncIterator[OpenedLog]:
    """A log into which the files are replayed by these rules, in a directory for temporary files.

    Raises InputError if nothing in them can be read.
    """
    from streams.log.sqlite.log import SqliteLog

    with TemporaryDirectory(prefix="streams-") as directory:
        settings = settings_of(ctx, data_dir=Path(directory), partitions=1)
        await _replay(settings, given, rules, stop)
        reader = SqliteLog.read_only(settings.data_dir)
        try:
            yield OpenedLog(reader, settings, "the files", None)
        finally:
            await reader.close()


async def _replay(settings: "Settings", given: GivenFiles, rules: "Rules", stop: StopRequest) -> None:
    from streams.queries.funnel import count_events
    from streams.queries.input_check import nothing_read
    from streams.runtime.embedded import Embedded
    from streams.sources.finite_input import FiniteInput

    format = input_format(given.format, given.columns, given.zone, settings, is_finite=True)
    files = FiniteInput(given.paths, format)
    name = given.paths[0].name if len(given.paths) == 1 else plural(len(files.files), "file")
    embedded = await Embedded.open(settings, rules)
    try:
        with Work(f"read {name}", is_transient=True) as work:

            def on_rows(rows: int, read_bytes: int, total_bytes: int) -> None:
                work.update(rows, read_bytes, total_bytes)
                stop.check(f"{name} was only read; there is no result yet")

            def on_progress(progress: "Progress") -> None:
                on_rows(progress.records, progress.bytes_read, progress.total_bytes)

            embedded.look(files, on_rows)
            await embedded.replay(files, on_progress, on_rows)
        ended = await count_events(embedded.log)
    finally:
        await embedded.close()
    if ended.rejected == ended.received:
        raise InputError(nothing_read(name, None))
