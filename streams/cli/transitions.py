"""`streams transitions`: the steps of all journeys."""

import asyncio
import sys
from typing import Annotated, get_args

import typer

from streams.cli.latest import Latest, emit_values
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import (
    AppOption,
    DataDirOption,
    JsonLinesOption,
    KafkaOption,
    LimitOption,
    checked_text,
)
from streams.cli.screen import console, emit_line

FOLLOW_EVERY_S = 0.2  # between looks for more; each is a query per partition


def transitions_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    net: Annotated[
        bool, typer.Option("--net", help="Only transitions that hold now: asserted, and not retracted since.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", callback=checked_text, help="Only of this kind: opened, advanced, stalled ..."
        ),
    ] = None,
    limit: LimitOption = None,
    jsonl: JsonLinesOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="With --jsonl: go on with those that come, until Ctrl-C.")
    ] = False,
) -> None:
    """Shows the steps of all journeys as they were published, corrections included."""
    from streams.errors import ConfigError

    if follow and (net or limit is not None or not jsonl):
        raise ConfigError(
            "--follow: it prints everything as it comes: with --jsonl, without --net and --limit"
        )
    flags = LogFlags(data_dir, kafka, app)
    if follow:
        asyncio.run(_follow(ctx, flags, kind=kind))
    else:
        asyncio.run(_transitions(ctx, flags, net=net, kind=kind, limit=limit, jsonl=jsonl))


async def _follow(ctx: typer.Context, flags: LogFlags, *, kind: str | None) -> None:
    from streams.queries.transitions import follow_transitions

    wanted = _text_of(kind)
    async with open_log(ctx, flags, frozen=False) as log:
        async for value in follow_transitions(log.reader, _pause):
            if wanted in value:
                emit_line(value)


async def _pause() -> None:
    """Shows what was printed, and waits for more."""
    sys.stdout.flush()
    await asyncio.sleep(FOLLOW_EVERY_S)


def _text_of(kind: str | None) -> bytes:
    """What the value of a transition of this kind has in it, and no other has.

    It is found without decoding. No text value can hold it, since its quotes would have backslashes.
    """
    from schemas import Kind
    from streams.errors import ConfigError

    kinds: tuple[str, ...] = get_args(Kind)
    if kind is not None and kind not in kinds:
        raise ConfigError(f"--kind {kind}: the kinds are {', '.join(kinds)}")
    return b"" if kind is None else f'"kind":"{kind}"'.encode()


async def _transitions(
    ctx: typer.Context,
    flags: LogFlags,
    *,
    net: bool,
    kind: str | None,
    limit: int | None,
    jsonl: bool,
) -> None:
    import msgspec

    from schemas import Transition
    from streams.queries.transitions import read_net_transitions, read_transitions

    wanted = _text_of(kind)
    async with open_log(ctx, flags) as log:
        stored = read_net_transitions(log.reader) if net else read_transitions(log.reader)
        chosen = (value async for value in stored if wanted in value)
        if jsonl:
            await emit_values(chosen, limit)
            return
        decode = msgspec.json.Decoder(Transition).decode
        latest = Latest[Transition](limit)
        async for value in chosen:
            step = decode(value)
            latest.add(step.at, step)
    from streams.cli.render.transitions import render

    console().print(render(latest.rows, latest.total))
