"""`streams verify`: are the published numbers right?"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.memory_option import DEFAULT_MEMORY, MemoryOption, size_bytes
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption
from streams.cli.progress import Work
from streams.cli.screen import emit_line
from streams.cli.stopping import StopRequest
from streams.clock import Clock

if TYPE_CHECKING:
    from streams.queries.verify import Verified

EXIT_DIFFERENT = 1  # the exit code if a difference was found


def verify_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    memory: MemoryOption = DEFAULT_MEMORY,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--metrics-file",
            metavar="FILE",
            help="Write the outcome there, for Prometheus, whether all is equal or not.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Computes everything again from the stored input, in one batch, and compares it with what was published.

    It prints that all is equal, or the first difference (exit code 1), and what could not be checked. Each
    record is read with the rules that were in force; late and rejected records stay what they were.
    """
    flags, memory_bytes = LogFlags(data_dir, kafka, app), size_bytes(memory)
    asyncio.run(_verify(ctx, flags, memory_bytes, metrics_file, json))


async def _verify(
    ctx: typer.Context, flags: LogFlags, memory_bytes: int, metrics_file: Path | None, json: bool
) -> None:
    from streams.queries.verify import verify

    async with open_log(ctx, flags) as log:
        with StopRequest() as stop, Work("verify", "records") as work:

            def on_progress(done: int, total: int) -> None:
                work.update(done, done, total)
                stop.check(f"{done:,} of {total:,} records were computed again; there is no result yet")

            verified = await verify(log.reader, on_progress, memory_bytes)
            work.update(verified.records, 1, 1)
            seconds = work.seconds
        name = log.settings.data_dir.name if log.kafka is None else log.kafka.app
    if metrics_file is not None:
        _write_metrics(metrics_file, name, verified, seconds)
    if json:
        import orjson

        report = {
            "equal": verified.difference is None,
            **verified._asdict(),
            "unchecked": [records._asdict() for records in verified.unchecked],
        }
        emit_line(orjson.dumps(report))
    else:
        _print(verified)
    raise typer.Exit(EXIT_DIFFERENT if verified.difference is not None else 0)


def _print(verified: "Verified") -> None:
    for records in verified.unchecked:
        _not_checked(
            f"the partition of {records.source}: this release does not have the reader ({records.reader}) of "
            f"the records {records.first} to {records.last}"
        )
    if verified.cut:
        _not_checked(
            f"{verified.unchecked_profiles} profiles and {verified.unchecked_counters} counters, because the "
            f"oldest records are deleted of {', '.join(verified.cut)}"
        )
    if verified.difference is not None:
        typer.secho("different: ", fg="red", bold=True, nl=False)
        typer.echo(verified.difference)
        return
    typer.secho("equal: ", fg="green", bold=True, nl=False)
    devices = f", {verified.devices} devices" if verified.devices else ""
    typer.echo(
        f"{verified.records} records, {verified.profiles} profiles, {verified.transitions} transitions, "
        f"{verified.cues} cues, {verified.counters} counters{devices}"
    )


def _not_checked(what: str) -> None:
    typer.secho("not checked: ", fg="yellow", bold=True, nl=False)
    typer.echo(what)


def _write_metrics(path: Path, app: str, verified: "Verified", seconds: float) -> None:
    from streams.telemetry import verify_metrics as metrics

    metrics.write_metrics(
        path,
        app,
        {
            metrics.EQUAL: {(): float(verified.difference is None)},
            metrics.PEOPLE: {("yes",): verified.profiles, ("no",): verified.unchecked_profiles},
            metrics.COUNTERS: {("yes",): verified.counters, ("no",): verified.unchecked_counters},
            metrics.UNREADABLE_RANGES: {(): len(verified.unchecked)},
            metrics.DURATION: {(): seconds},
            metrics.FINISHED: {(): Clock().wall_ms() / 1000},
        },
    )
