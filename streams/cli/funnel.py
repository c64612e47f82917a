"""`streams funnel`: how many people and journeys there are, and how far they came."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import DataDirOption, JsonOption, checked_text, open_reader
from streams.cli.screen import console, emit_line


def funnel_command(
    ctx: typer.Context,
    data_dir: DataDirOption = None,
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
    asyncio.run(_funnel(ctx, data_dir, by, json))


async def _funnel(ctx: typer.Context, data_dir: Path | None, by: str | None, json: bool) -> None:
    import msgspec

    from streams.errors import ConfigError
    from streams.queries.funnel import cohorts_by_dimension, read_funnel
    from streams.queries.tallies import read_all_time_tallies

    async with open_reader(ctx, data_dir) as reader:
        funnel = await read_funnel(reader)
        groups = None if by is None else cohorts_by_dimension(await read_all_time_tallies(reader), by)
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
