"""`streams journey`: one person's journeys, step by step."""

import asyncio
from typing import Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption, ProfileArgument, TenantOption
from streams.cli.person import end_for_nobody
from streams.cli.screen import console, emit_line


def journey_command(
    ctx: typer.Context,
    name: ProfileArgument,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    tenant: TenantOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for machines: one line per need.")
    ] = False,
) -> None:
    """Shows one person's journeys, step by step, as they are now.

    Of a device that is a user's it says whose, and shows that user's journeys with what was done there.
    The exit code is 1 if nobody has this name.
    """
    asyncio.run(_journey(ctx, name, tenant, LogFlags(data_dir, kafka, app), json))


async def _journey(ctx: typer.Context, name: str, tenant: str | None, flags: LogFlags, json: bool) -> None:
    from streams.queries.person import Person
    from streams.queries.timeline import read_timelines_of_devices

    async with open_log(ctx, flags, bar=True) as log:
        timelines = await read_timelines_of_devices(log.reader, Person(name, tenant))
    if not timelines:
        end_for_nobody(name, tenant)
    if json:
        for timeline in timelines:
            emit_line(timeline.wire())
        return
    from streams.cli.render.timeline import render

    for timeline in timelines:
        console().print(render(timeline))
