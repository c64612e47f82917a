"""`streams journeys`: the journeys that are finished."""

import asyncio
from pathlib import Path

import typer

from streams.cli.latest import Latest, emit_values, topic_values
from streams.cli.options import DataDirOption, JsonLinesOption, LimitOption, open_reader
from streams.cli.screen import console


def journeys_command(
    ctx: typer.Context,
    data_dir: DataDirOption = None,
    limit: LimitOption = None,
    jsonl: JsonLinesOption = False,
) -> None:
    """Shows finished journeys, which nothing can change; with --jsonl, also each later refund."""
    asyncio.run(_journeys(ctx, data_dir, limit, jsonl))


async def _journeys(ctx: typer.Context, data_dir: Path | None, limit: int | None, jsonl: bool) -> None:
    import msgspec

    from schemas import JourneyRecord, RefundRecord
    from streams.topology import JOURNEYS

    async with open_reader(ctx, data_dir) as reader:
        values = topic_values(reader, JOURNEYS.name)
        if jsonl:
            await emit_values(values, limit)
            return
        decode = msgspec.json.Decoder(JourneyRecord | RefundRecord).decode
        latest = Latest[JourneyRecord](limit)
        refunded = set[tuple[str | None, str, str | None, str]]()
        async for value in values:
            record = decode(value)
            if isinstance(record, JourneyRecord):
                latest.add(record.closed_at, record)
            else:
                refunded.add((record.tenant, record.profile, record.need, record.journey))
    from streams.cli.render.journeys import render

    console().print(render(latest.rows, latest.total, refunded))
