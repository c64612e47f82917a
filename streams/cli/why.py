"""`streams why`: each event of one person, and what became of it."""

import asyncio
from typing import Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption, ProfileArgument, TenantOption
from streams.cli.person import end_for_nobody
from streams.cli.progress import Work
from streams.cli.screen import console, emit_line
from streams.cli.stopping import StopRequest


def why_command(
    ctx: typer.Context,
    name: ProfileArgument,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    tenant: TenantOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for machines: one line per event.")
    ] = False,
) -> None:
    """Shows each event of one person: what it was read as, how it ended, and which steps it caused.

    It reads the stored input: one partition of it if the input is keyed by the person, else all. What
    silence caused has lines of its own. With identity on, a user's events include those of devices that are
    theirs, and a device's say to whom they went. The exit code is 1 if nobody has this name.
    """
    asyncio.run(_why(ctx, LogFlags(data_dir, kafka, app), name, tenant, json))


async def _why(ctx: typer.Context, flags: LogFlags, name: str, tenant: str | None, json: bool) -> None:
    from streams.queries.person import Person
    from streams.queries.why import read_why

    async with open_log(ctx, flags) as log:
        with StopRequest() as stop, Work("why", "records") as work:

            def on_progress(done: int, total: int) -> None:
                work.update(done, done, total)
                stop.check(f"{done:,} of {total:,} records were read; there is no answer yet")

            found = await read_why(log.reader, Person(name, tenant), on_progress)
        if log.kafka is not None:
            for topic, reason in log.kafka.stopped.reasons.items():
                typer.echo(f"{topic} is stopped, and was not searched: {reason}", err=True)
            for topic in log.kafka.deleted_inputs:
                typer.echo(f"{topic} does not exist any more, and was not searched", err=True)
    for source, offset in found.hidden.items():
        typer.echo(
            f"{source} was searched up to offset {offset}: an open transaction hides what is behind it, and "
            "nothing of that is processed before it ends",
            err=True,
        )
    for source in found.unreadable:
        typer.echo(f"{source}: this release does not have the reader of some of its records", err=True)
    if not found.stories:
        end_for_nobody(name, tenant)
    if json:
        for story in found.stories:
            emit_line(story.wire())
        return
    from streams.cli.render.why import render

    console().print(render(found.stories))
