"""Commands that ask a data directory what it holds. They read beside a running writer and change nothing."""

import asyncio
import heapq
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args

import typer

from streams.cli import options
from streams.cli.screen import console, emit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.log.port import Reader

T = TypeVar("T")

SHOWN = 20  # rows of a table when nobody says how many

Limit = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"Only the latest N. [default: {SHOWN} in a table, all in --jsonl]",
        show_default=False,
    ),
]


def funnel(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="DIMENSION",
            callback=options.is_text,
            help="Also by device, channel or a dimension of the settings.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """The funnel over all time: people, journeys by how far they came and how they ended, and what became of each event."""
    asyncio.run(_funnel(ctx, data_dir, by, json))


async def _funnel(ctx: typer.Context, data_dir: Path | None, by: str | None, json: bool) -> None:
    import msgspec

    from streams.errors import ConfigError
    from streams.queries import funnel as reports
    from streams.queries.tallies import over_all_time

    async with options.reading(ctx, data_dir) as reader:
        report = await reports.funnel(reader)
        groups = reports.by_dimension(await over_all_time(reader), by) if by is not None else None
    if by is not None and not groups and report.journeys.opened:
        raise ConfigError(
            f"--by {by}: nothing is counted by that; device, channel and the dimensions of the settings are"
        )
    if json:
        whole = msgspec.to_builtins(report)
        emit(msgspec.json.encode(whole if groups is None else {**whole, "by": {by: groups}}))
        return
    from streams.cli.render import funnel as pictures

    console().print(pictures.whole(report))
    if by is not None and groups:
        console().print(pictures.groups(by, groups))


def journey(
    ctx: typer.Context,
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE",
            callback=options.is_text,
            help="A user's id or a device's, bare or with u: or d:.",
            show_default=False,
        ),
    ],
    data_dir: options.DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="JSON for machines, one line per need.")] = False,
) -> None:
    """One person's journeys, step by step, as they stand now."""
    asyncio.run(_journey(ctx, profile, data_dir, json))


async def _journey(ctx: typer.Context, profile: str, data_dir: Path | None, json: bool) -> None:
    from streams.queries.story import stories

    async with options.reading(ctx, data_dir) as reader:
        told = await stories(reader, profile)
    if not told:
        typer.echo(f"nobody of the name {profile!r} is known here", err=True)
        raise typer.Exit(1)
    if json:
        for story in told:
            emit(story.wire())
        return
    from streams.cli.render.story import picture

    for story in told:
        console().print(picture(story))


def transitions(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    standing: Annotated[
        bool, typer.Option("--standing", help="Only what is true now: asserted, and not retracted since.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", callback=options.is_text, help="Only of this kind: opened, advanced, stalled ..."
        ),
    ] = None,
    limit: Limit = None,
    jsonl: options.JsonLines = False,
) -> None:
    """The steps of all journeys as they were published, corrections included."""
    asyncio.run(_transitions(ctx, data_dir, standing, kind, limit, jsonl))


async def _transitions(
    ctx: typer.Context,
    data_dir: Path | None,
    only_standing: bool,
    kind: str | None,
    limit: int | None,
    jsonl: bool,
) -> None:
    import msgspec

    from schemas import Kind, Transition
    from streams.errors import ConfigError
    from streams.queries.transitions import standing, stored

    kinds: tuple[str, ...] = get_args(Kind)
    if kind is not None and kind not in kinds:
        raise ConfigError(f"--kind {kind}: there are {', '.join(kinds)}")
    looked_for = (
        None if kind is None else f'"kind":"{kind}"'.encode()
    )  # as it is stored; within a text the quotes would have backslashes
    async with options.reading(ctx, data_dir) as reader:
        found = standing(reader) if only_standing else stored(reader)
        chosen = (value async for value in found if looked_for is None or looked_for in value)
        if jsonl:
            await _lines(chosen, limit)
            return
        decode = msgspec.json.Decoder(Transition).decode
        latest = Latest[Transition](limit or SHOWN)
        async for value in chosen:
            step = decode(value)
            latest.add(step.at, step)
    from streams.cli.render.steps import table

    console().print(table(latest.rows, latest.total))


def journeys(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    limit: Limit = None,
    jsonl: options.JsonLines = False,
) -> None:
    """Finished journeys: one record each, written once nothing can change it any more, and one per later refund."""
    asyncio.run(_journeys(ctx, data_dir, limit, jsonl))


async def _journeys(ctx: typer.Context, data_dir: Path | None, limit: int | None, jsonl: bool) -> None:
    import msgspec

    from schemas import JourneyRecord, RefundRecord
    from streams.topology import JOURNEYS

    async with options.reading(ctx, data_dir) as reader:
        stored = _values(reader, JOURNEYS.name)
        if jsonl:
            await _lines(stored, limit)
            return
        decode = msgspec.json.Decoder(JourneyRecord | RefundRecord).decode
        latest = Latest[JourneyRecord](limit or SHOWN)
        refunded = set[tuple[str | None, str, str | None, str]]()
        async for value in stored:
            record = decode(value)
            if isinstance(record, JourneyRecord):
                latest.add(record.closed_at, record)
            else:
                refunded.add((record.tenant, record.profile, record.need, record.journey))
    from streams.cli.render.steps import finished

    console().print(finished(latest.rows, latest.total, refunded))


class Latest(Generic[T]):
    """The latest of many rows by time (or whatever orders them), however many there are; of one time, the last to come."""

    def __init__(self, limit: int) -> None:
        self.limit, self.total = limit, 0
        self._heap: list[tuple[Any, int, T]] = []

    def add(self, at: Any, row: T) -> None:
        self.total += 1
        entry = (at, self.total, row)  # no two have the same number, so rows are never compared
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    @property
    def rows(self) -> list[T]:
        """Oldest first."""
        return [row for _, _, row in sorted(self._heap)]


async def _values(reader: "Reader", topic: str) -> "AsyncIterator[bytes]":
    async for _, record in reader.scan(topic):
        if record.value is not None:
            yield record.value


async def _lines(values: "AsyncIterator[bytes]", limit: int | None) -> None:
    """Each as one line; with a limit the last ones."""
    if limit is None:
        async for value in values:
            emit(value)
        return
    last = deque[bytes](maxlen=limit)
    async for value in values:
        last.append(value)
    for value in last:
        emit(value)
