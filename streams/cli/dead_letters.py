"""`streams rejected` and `streams late`: the records that were not applied, and why."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import typer

from streams.cli.latest import Latest
from streams.cli.listing import (
    FollowOption,
    JsonLinesOption,
    LimitOption,
    ListFlags,
    emit_followed,
    emit_listed,
)
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption
from streams.cli.screen import console
from streams.cli.time_options import SinceOption, UntilOption

if TYPE_CHECKING:
    from streams.topology import Topic


def rejected_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    json: JsonLinesOption = False,
    follow: FollowOption = False,
) -> None:
    """Shows the records that could not be read: how many for each reason, and the latest, as they came.

    --since and --until are about when a record was rejected.
    """
    from streams.topology import REJECTED

    flags = LogFlags(data_dir, kafka, app)
    asyncio.run(_dead_letters(ctx, REJECTED, flags, ListFlags(since, until, limit, json, follow)))


def late_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    json: JsonLinesOption = False,
    follow: FollowOption = False,
) -> None:
    """Shows the events that came too late: how many for each reason, and the latest, as they came.

    --since and --until are about when an event was found to be late, not about its own time.
    """
    from streams.topology import LATE

    flags = LogFlags(data_dir, kafka, app)
    asyncio.run(_dead_letters(ctx, LATE, flags, ListFlags(since, until, limit, json, follow)))


async def _dead_letters(ctx: typer.Context, topic: "Topic", flags: LogFlags, wanted: ListFlags) -> None:
    from streams.queries.dead_letters import DeadLetter, dead_letter, dead_letter_line
    from streams.queries.listing import list_records

    times = wanted.times()
    async with open_log(ctx, flags, frozen=not wanted.follow, bar=not wanted.follow) as log:
        if wanted.follow:
            await emit_followed(log.reader, topic, times, lambda one: dead_letter_line(topic, one.record))
            return
        listed = list_records(log.reader, topic, times)
        if wanted.json:
            await emit_listed(listed, wanted.limit, lambda one: dead_letter_line(topic, one.record))
            return
        latest, reasons = Latest[DeadLetter](wanted.limit), Counter[str]()
        async for one in listed:
            letter = dead_letter(topic, one.record)
            reasons[letter.headers.reason] += 1
            latest.add(one.time_ms, letter)
    from streams.cli.render.dead_letters import render

    console().print(render(topic.name, reasons, latest.rows, log.reader.partitions))
