"""`streams funnel`: how many people and journeys there are, and how far they came."""

import asyncio
from typing import Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption, checked_text
from streams.cli.screen import console, emit_line


def funnel_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="DIMENSION",
            callback=checked_text,
            help="Also by this dimension: device, channel or one of the settings.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Shows the funnel over all time: people, how far their journeys came, and what became of each event."""
    asyncio.run(_funnel(ctx, LogFlags(data_dir, kafka, app), by, json))


async def _funnel(ctx: typer.Context, flags: LogFlags, by: str | None, json: bool) -> None:
    import msgspec

    from streams.errors import ConfigError
    from streams.queries.funnel import cohorts_by_dimension, read_funnel
    from streams.queries.tallies import read_all_time_tallies

    async with open_log(ctx, flags, bar=True) as log:
        funnel = await read_funnel(log.reader)
        groups = None if by is None else cohorts_by_dimension(await read_all_time_tallies(log.reader), by)
    if by is not None and not groups and funnel.journeys.opened:
        raise ConfigError(
            f"--by {by}: nothing is counted by that; give device, channel or a dimension of the settings"
        )
    if json:
        report = msgspec.to_builtins(funnel)
        emit_line(msgspec.json.encode(report if groups is None else {**report, "by": {by: groups}}))
        return
    from streams.cli.render.funnel import render, render_groups

    console().print(render(funnel))
    if by is not None and groups:
        console().print(render_groups(by, groups))
