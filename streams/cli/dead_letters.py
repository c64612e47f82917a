"""`streams rejected` and `streams late`: the records that were not applied, and why."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import typer

from streams.cli.latest import Latest
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonLinesOption, KafkaOption, LimitOption
from streams.cli.screen import console, emit_line

if TYPE_CHECKING:
    from streams.topology import Topic


def rejected_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    limit: LimitOption = None,
    jsonl: JsonLinesOption = False,
) -> None:
    """Shows the records that could not be read: how many for each reason, and the latest, as they came."""
    from streams.topology import REJECTED

    asyncio.run(_dead_letters(ctx, REJECTED, LogFlags(data_dir, kafka, app), limit, jsonl))


def late_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    limit: LimitOption = None,
    jsonl: JsonLinesOption = False,
) -> None:
    """Shows the events that came too late: how many for each reason, and the latest, as they came."""
    from streams.topology import LATE

    asyncio.run(_dead_letters(ctx, LATE, LogFlags(data_dir, kafka, app), limit, jsonl))


async def _dead_letters(
    ctx: typer.Context, topic: "Topic", flags: LogFlags, limit: int | None, jsonl: bool
) -> None:
    from streams.queries.dead_letters import DeadLetter, read_dead_letters

    latest, reasons = Latest[DeadLetter](limit), Counter[str]()
    async with open_log(ctx, flags) as log:
        async for letter in read_dead_letters(log.reader, topic):
            if jsonl and limit is None:
                emit_line(letter.wire())
            else:
                reasons[letter.headers.reason] += 1
                latest.add(letter.written, letter)
    if jsonl:
        for letter in latest.rows:
            emit_line(letter.wire())
        return
    from streams.cli.render.dead_letters import render

    console().print(render(topic.name, reasons, latest.rows))
