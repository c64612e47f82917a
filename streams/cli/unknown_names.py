"""`streams explain --unknown`: the names of events that no rule has, in files or in a log."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import input_format
from streams.cli.progress import Work
from streams.cli.screen import console, emit_line, plural
from streams.cli.stopping import StopRequest
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.queries.unknown_names import UnknownNames
    from streams.settings.tables import Settings


class WantedNames(NamedTuple):
    """What to look at, as it was typed."""

    files: Sequence[Path]
    format: str | None
    columns: list[str] | None
    zone: str | None
    log: LogFlags


async def list_unknown_names(
    ctx: typer.Context, settings: "Settings", rules: "Rules", wanted: WantedNames, *, json: bool
) -> None:
    """Prints the names in these files, else in the log. Raises ConfigError for both at once."""
    import msgspec

    from streams.cli.render.unknown_names import render
    from streams.queries.unknown_names import UnknownNames, note_stored

    if wanted.files and any(flag is not None for flag in wanted.log):
        raise ConfigError("--unknown: a file, or --data-dir, --kafka and --app for a log: give one of them")
    if not wanted.files and (wanted.format or wanted.columns or wanted.zone):
        raise ConfigError("--format, --map and --zone say how a file is read: name the file, too")
    names = UnknownNames(rules)
    with StopRequest() as stop, Work("names", is_transient=True) as work:
        if wanted.files:
            _note_files(names, settings, wanted, work, stop)
        else:
            async with open_log(ctx, wanted.log) as log:
                async for records in note_stored(names, log.reader):
                    work.update(records, records, records)
                    stop.check(f"{records:,} records were read; there is no list yet")
    report = names.report()
    for source in report.unreadable:
        typer.echo(f"{source}: this release does not have the reader of some of its records", err=True)
    if json:
        emit_line(msgspec.json.encode(report))
    else:
        console().print(render(report))


def _note_files(
    names: "UnknownNames", settings: "Settings", wanted: WantedNames, work: Work, stop: StopRequest
) -> None:
    from streams.core.ingest.event import events_in
    from streams.core.ingest.times import LATEST_MS
    from streams.queries.input_check import nothing_read
    from streams.runtime.parameters import record_reader
    from streams.sources.finite_input import FiniteInput

    format = input_format(wanted.format, wanted.columns, wanted.zone, settings, is_finite=True)
    given, reader = FiniteInput(wanted.files, format), record_reader(settings)
    name = wanted.files[0].name if len(wanted.files) == 1 else plural(len(given.files), "file")

    def on_rows(rows: int, read_bytes: int, total_bytes: int) -> None:
        work.update(rows, read_bytes, total_bytes)
        stop.check(f"{name} was not read to its end")

    events = rows = 0
    for path, row, value, headers in given.placed_rows(on_rows):
        rows += 1
        outcome, _ = reader.look(value, headers, -1, LATEST_MS)
        for event in events_in(outcome):
            events += 1
            names.note(event, f"{path.name}: row {row}")
    if rows and not events:
        from streams.errors import InputError

        raise InputError(nothing_read(name, None))
