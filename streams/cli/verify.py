"""`streams verify`: are the published numbers right?"""

import asyncio
from pathlib import Path

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import DataDirOption, JsonOption
from streams.cli.progress import Work
from streams.cli.screen import emit_line
from streams.cli.stopping import StopRequest

EXIT_DIFFERENT = 1  # the exit code if a difference was found


def verify_command(ctx: typer.Context, data_dir: DataDirOption = None, json: JsonOption = False) -> None:
    """Computes everything again from the stored input, in one batch, and compares it with what was published.

    It prints that all is equal, or the first difference (exit code 1). Each record is read with the rules
    that were in force; late and rejected records stay what they were.
    """
    asyncio.run(_verify(ctx, data_dir, json))


async def _verify(ctx: typer.Context, data_dir: Path | None, json: bool) -> None:
    from streams.queries.verify import verify

    async with open_log(ctx, LogFlags(data_dir)) as log:
        with StopRequest() as stop, Work("verify", "records") as work:

            def on_progress(done: int, total: int) -> None:
                work.update(done, done, total)
                stop.check(f"{done:,} of {total:,} records were computed again; there is no result yet")

            verified = await verify(log.reader, on_progress)
            work.update(verified.records, 1, 1)
    if json:
        import orjson

        report = {
            "equal": verified.difference is None,
            **verified._asdict(),
            "unchecked": [records._asdict() for records in verified.unchecked],
        }
        emit_line(orjson.dumps(report))
        raise typer.Exit(EXIT_DIFFERENT if verified.difference is not None else 0)
    if verified.difference is not None:
        typer.secho("different: ", fg="red", bold=True, nl=False)
        typer.echo(verified.difference)
        raise typer.Exit(EXIT_DIFFERENT)
    for records in verified.unchecked:
        typer.secho("not checked: ", fg="yellow", bold=True, nl=False)
        typer.echo(
            f"the partition of {records.source}: this release does not have the reader ({records.reader}) of "
            f"the records {records.first} to {records.last}"
        )
    typer.secho("equal: ", fg="green", bold=True, nl=False)
    typer.echo(
        f"{verified.records} records, {verified.profiles} profiles, {verified.transitions} transitions"
    )
