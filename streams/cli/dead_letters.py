"""Commands that show what was not applied: records that could not be read, and those that came too late."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from streams.cli import options
from streams.cli.ask import SHOWN, Latest, Limit
from streams.cli.screen import console, emit

if TYPE_CHECKING:
    from streams.topology import Topic


def rejected(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    limit: Limit = None,
    jsonl: options.JsonLines = False,
) -> None:
    """Records that could not be read: how many for which reason, and the latest, as they came."""
    from streams.topology import REJECTED

    asyncio.run(_ledger(ctx, REJECTED, data_dir, limit, jsonl))


def late(
    ctx: typer.Context,
    data_dir: options.DataDir = None,
    limit: Limit = None,
    jsonl: options.JsonLines = False,
) -> None:
    """Events that came too late to count: how many for which reason, and the latest to come."""
    from streams.topology import LATE

    asyncio.run(_ledger(ctx, LATE, data_dir, limit, jsonl))


async def _ledger(
    ctx: typer.Context, topic: "Topic", data_dir: Path | None, limit: int | None, jsonl: bool
) -> None:
    from streams.queries.dead_letters import Entry, entries

    latest, reasons = Latest[Entry](limit or SHOWN), Counter[str]()
    async with options.reading(ctx, data_dir) as reader:
        async for entry in entries(reader, topic):
            if jsonl and limit is None:
                emit(entry.wire())
            else:
                reasons[entry.said.reason] += 1
                latest.add(entry.written, entry)
    if jsonl:
        for entry in latest.rows:
            emit(entry.wire())
        return
    from streams.cli.render.dead_letters import ledger

    console().print(ledger(topic.name, reasons, latest.rows))
