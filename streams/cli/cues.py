"""`streams cues`: what happened inside the moments of journeys."""

import asyncio
from typing import Annotated, get_args

import typer

from streams.cli.latest import Latest
from streams.cli.listing import (
    FollowOption,
    JsonLinesOption,
    LimitOption,
    ListFlags,
    emit_followed,
    emit_listed,
    value_line,
)
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption, checked_text
from streams.cli.screen import console
from streams.cli.time_options import SinceOption, UntilOption


def cues_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    net: Annotated[
        bool, typer.Option("--net", help="Only cues that hold now: asserted, and not retracted since.")
    ] = False,
    cue: Annotated[
        str | None,
        typer.Option(
            metavar="CUE",
            callback=checked_text,
            help="Only these: coupon_denied, slow_page, call ...",
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    json: JsonLinesOption = False,
    follow: FollowOption = False,
) -> None:
    """Shows what happened inside the moments of journeys, as it was published, corrections included.

    --since and --until are about when it happened, not about when it was published. Cues without a journey
    are counted only: `streams funnel` shows how many there were.
    """
    from streams.errors import ConfigError

    if follow and net:
        raise ConfigError("--follow: it prints everything as it comes, corrections included: without --net")
    wanted = ListFlags(since, until, limit, json, follow)
    asyncio.run(_cues(ctx, LogFlags(data_dir, kafka, app), wanted, net=net, cue=cue))


def _text_of(cue: str | None) -> bytes:
    """What the value of a record of this cue has in it, and no other has."""
    from schemas import CueName
    from streams.errors import ConfigError

    names: tuple[str, ...] = get_args(CueName)
    if cue is not None and cue not in names:
        raise ConfigError(f"--cue {cue}: the cues are {', '.join(names)}")
    return b"" if cue is None else f'"cue":"{cue}","at":'.encode()


async def _cues(
    ctx: typer.Context, flags: LogFlags, wanted: ListFlags, *, net: bool, cue: str | None
) -> None:
    import msgspec

    from schemas import Cue
    from streams.queries.listing import list_records
    from streams.queries.net_records import list_net_records
    from streams.topology import CUES

    times, text = wanted.times(), _text_of(cue)
    async with open_log(ctx, flags, frozen=not wanted.follow, bar=not wanted.follow) as log:
        if wanted.follow:
            await emit_followed(log.reader, CUES, times, value_line, text)
            return
        listed = (list_net_records if net else list_records)(log.reader, CUES, times)
        chosen = (one async for one in listed if text in value_line(one))
        if wanted.json:
            await emit_listed(chosen, wanted.limit, value_line)
            return
        decode = msgspec.json.Decoder(Cue).decode
        latest = Latest[Cue](wanted.limit)
        async for one in chosen:
            latest.add(one.time_ms, decode(value_line(one)))
    from streams.cli.render.cues import render

    console().print(render(latest.rows, latest.total))
