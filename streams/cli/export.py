"""`streams export`: writes what a log says into Parquet files, for DuckDB and notebooks."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption
from streams.cli.progress import Work
from streams.cli.recorded import recorded_dimensions
from streams.cli.screen import console, emit_line, plural
from streams.cli.stopping import StopRequest
from streams.cli.time_options import SinceOption, UntilOption, time_range
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.queries.time_range import TimeRange

ROWS_BETWEEN_LOOKS = 1_000  # at the clock and at signals: some milliseconds


def export_command(
    ctx: typer.Context,
    *,
    parquet: Annotated[
        Path,
        typer.Option(
            "--parquet",
            metavar="DIR",
            help="The directory of the files. It is made if need be.",
            show_default=False,
        ),
    ],
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Also every step and cue as it was published, corrections included: raw_*.parquet."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the export that the directory holds.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Writes steps, cues, finished journeys, refunds and counters into Parquet files, one for each.

    Steps and cues are those that hold now; counters are added up over the partitions.

    --since and --until are about when a step or a cue happened, when a journey was closed or refunded, and
    when the window of a counter begins. With one of them, counters over all time are left out.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(
            "--parquet needs pyarrow, which is not installed: pip install 'customer-journey-streams[parquet]'"
        )
    from streams.queries.parquet.exporting import check_target

    times = time_range(since, until)
    check_target(parquet, replace)
    asyncio.run(_export(ctx, LogFlags(data_dir, kafka, app), parquet, times, raw=raw, json=json))


async def _export(
    ctx: typer.Context, flags: LogFlags, directory: Path, times: "TimeRange", *, raw: bool, json: bool
) -> None:
    import msgspec

    from streams.core.processing.checkpoint import decode_checkpoint
    from streams.core.processing.json_text import rfc3339
    from streams.queries.funnel_window import all_read_to_ms
    from streams.queries.parquet.exporting import ExportChoice, export
    from streams.queries.parquet.manifest import Manifest

    def text(ms: int | None) -> str | None:
        return None if ms is None or ms < 0 else rfc3339(ms)

    async with open_log(ctx, flags) as log:
        stored = [
            None if found is None else decode_checkpoint(found) for found in await log.reader.checkpoints()
        ]
        about = Manifest(
            app=log.settings.data_dir.name if log.kafka is None else log.kafka.app,
            as_of=text(all_read_to_ms(stored)),
            exported_at=rfc3339(Clock().wall_ms()),
            since=text(times.since_ms),
            until=text(times.until_ms),
        )
        choice = ExportChoice(recorded_dimensions(log, stored), times, raw)
        with StopRequest() as stop, Work("export", "rows", is_transient=True) as work:

            def on_row(rows: int) -> None:
                if rows % ROWS_BETWEEN_LOOKS == 0:
                    work.update(rows, 0, 0)
                    stop.check(f"{plural(rows, 'row')} were read; nothing was exported")

            written = await export(log.reader, directory, about, choice, on_row)
    if json:
        emit_line(msgspec.json.encode(written))
        return
    from streams.cli.render.export import render

    console().print(render(directory, written))
