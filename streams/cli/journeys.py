"""`streams journeys`: the journeys that are finished."""

import asyncio

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
from streams.cli.options import AppOption, DataDirOption, KafkaOption
from streams.cli.screen import console
from streams.cli.time_options import SinceOption, UntilOption


def journeys_command(
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
    """Shows finished journeys, which nothing can change; with --json, also each later refund.

    --since and --until are about when a journey was closed, or refunded. A journey is listed once the allowed
    lateness has passed since then.
    """
    flags = LogFlags(data_dir, kafka, app)
    asyncio.run(_journeys(ctx, flags, ListFlags(since, until, limit, json, follow)))


async def _journeys(ctx: typer.Context, flags: LogFlags, wanted: ListFlags) -> None:
    import msgspec

    from schemas import JourneyRecord, RefundRecord
    from streams.queries.given_back import GivenBack, JourneyName, name_of
    from streams.queries.listing import list_records
    from streams.topology import JOURNEYS

    times = wanted.times()
    async with open_log(ctx, flags, frozen=not wanted.follow, bar=not wanted.follow) as log:
        if wanted.follow:
            await emit_followed(log.reader, JOURNEYS, times, value_line)
            return
        if wanted.json:
            await emit_listed(list_records(log.reader, JOURNEYS, times), wanted.limit, value_line)
            return
        decode = msgspec.json.Decoder(JourneyRecord | RefundRecord).decode
        latest = Latest[JourneyRecord](wanted.limit)
        given_back = dict[JourneyName, GivenBack]()
        async for one in list_records(log.reader, JOURNEYS):  # a refund may lie outside of the range
            record = decode(value_line(one))
            if isinstance(record, RefundRecord):
                given_back.setdefault(name_of(record), GivenBack()).add(record)
            elif times.has(one.time_ms):
                latest.add(record.closed_at, record)
    from streams.cli.render.journeys import render

    console().print(render(latest.rows, latest.total, given_back))
