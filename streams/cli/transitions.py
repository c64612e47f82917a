"""`streams transitions`: the steps of all journeys."""

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

_KINDS_OF_REFUNDS = ("partially_refunded", "refunded")


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
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    json: JsonLinesOption = False,
    follow: FollowOption = False,
) -> None:
    """Shows the steps of all journeys as they were published, corrections included.

    Refunds without a purchase or a person, and updates of unknown orders, are no steps: beneath the table it
    says how many there are, over all time.

    --since and --until are about when a step happened, not about when it was published.
    """
    from streams.errors import ConfigError

    if follow and net:
        raise ConfigError("--follow: it prints everything as it comes, corrections included: without --net")
    wanted = ListFlags(since, until, limit, json, follow)
    asyncio.run(_transitions(ctx, LogFlags(data_dir, kafka, app), wanted, net=net, kind=kind))


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
    ctx: typer.Context, flags: LogFlags, wanted: ListFlags, *, net: bool, kind: str | None
) -> None:
    import msgspec

    from schemas import Transition
    from streams.queries.listing import list_records
    from streams.queries.net_records import list_net_records
    from streams.queries.tallies import read_all_time_tallies
    from streams.queries.unmatched import count_unmatched
    from streams.topology import TRANSITIONS

    times, text = wanted.times(), _text_of(kind)
    async with open_log(ctx, flags, frozen=not wanted.follow, bar=not wanted.follow) as log:
        if wanted.follow:
            await emit_followed(log.reader, TRANSITIONS, times, value_line, text)
            return
        listed = (list_net_records if net else list_records)(log.reader, TRANSITIONS, times)
        chosen = (one async for one in listed if text in value_line(one))
        if wanted.json:
            await emit_listed(chosen, wanted.limit, value_line)
            return
        decode = msgspec.json.Decoder(Transition).decode
        latest = Latest[Transition](wanted.limit)
        async for one in chosen:
            latest.add(one.time_ms, decode(value_line(one)))
        unmatched = None
        if kind is None or kind in _KINDS_OF_REFUNDS:
            unmatched = await count_unmatched(log.reader, await read_all_time_tallies(log.reader))
    from streams.cli.render.transitions import render
    from streams.cli.render.unmatched import unmatched_texts

    found_nothing = [] if unmatched is None else unmatched_texts(*unmatched)
    console().print(render(latest.rows, latest.total, found_nothing))
