"""`streams journeys`: the journeys that are finished."""

import asyncio

import typer

from streams.cli.latest import Latest, emit_values, topic_values
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonLinesOption, KafkaOption, LimitOption
from streams.cli.screen import console


def journeys_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    limit: LimitOption = None,
    jsonl: JsonLinesOption = False,
) -> None:
    """Shows finished journeys, which nothing can change; with --jsonl, also each later refund."""
    asyncio.run(_journeys(ctx, LogFlags(data_dir, kafka, app), limit, jsonl))


async def _journeys(ctx: typer.Context, flags: LogFlags, limit: int | None, jsonl: bool) -> None:
    import msgspec

    from schemas import JourneyRecord, RefundRecord
    from streams.topology import JOURNEYS

    async with open_log(ctx, flags) as log:
        values = topic_values(log.reader, JOURNEYS.name)
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
