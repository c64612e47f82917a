"""`streams lag`: how far an app is behind its inputs. The first thing to ask when numbers look old."""

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from streams.cli import options
from streams.cli.screen import console, emit
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.kafka.log import KafkaLog
    from streams.queries.lag import Lag
    from streams.settings.tables import Settings

REACH_MS = 10_000  # whoever asks this wants an answer; a worker has more patience
TAIL = 1_000  # offsets: a lag as small as this is looked at, for some of it may be marks of transactions, which are no records


def lag(
    ctx: typer.Context,
    kafka: options.Bootstrap = None,
    app: options.App = None,
    input: options.Inputs = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """How far an app is behind its inputs, by partition and source, from its last commits. Of a data directory: what is not processed yet.

    Exit code 0 whatever the lag is; 2 to 6 when it cannot be read.
    """
    settings = options.settings(
        ctx, data_dir=data_dir, kafka={"bootstrap": kafka, "app": app, "inputs": input or None}
    )
    if data_dir is not None and (kafka or app or input):
        raise ConfigError(
            "--data-dir is of a log of its own: name either that, or a cluster with --kafka, --app and --input"
        )
    if data_dir is None and settings.kafka.bootstrap is not None:
        found = asyncio.run(_of_a_cluster(settings))
    else:
        found = asyncio.run(_of_a_directory(ctx, data_dir))
    _show(found, json)


async def _of_a_directory(ctx: typer.Context, data_dir: Path | None) -> "Lag":
    from streams.queries.lag import lag

    async with options.reading(ctx, data_dir) as reader:
        return await lag(reader)


async def _of_a_cluster(settings: "Settings") -> "Lag":
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.log import KafkaLog
    from streams.log.kafka.start import reach
    from streams.queries.lag import lag
    from streams.settings.kafka import deployment

    needed, where = deployment(settings.kafka), cluster(settings.kafka)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says of brokers, our own messages say
    await reach(where, min(REACH_MS, settings.kafka.start_timeout), lambda line: typer.echo(line, err=True))
    log = await KafkaLog.connect(where, needed.app, needed.inputs)
    try:
        return await _counted(log, await lag(log))
    finally:
        await log.close()


async def _counted(log: "KafkaLog", found: "Lag") -> "Lag":
    """With small lags in records."""
    from streams.log.kafka.reader import chunks

    small = {
        log.place(row.source): row.position
        for row in found.sources
        if row.position is not None and 0 < row.lag <= TAIL
    }
    ends = {log.place(row.source): row.end for row in found.sources if log.place(row.source) in small}
    records = dict.fromkeys(small, 0)
    async for place, chunk in chunks(log.cluster, ends, TAIL):
        records[place] += sum([record.offset >= small[place] for record in chunk])
    rows = [
        msgspec.structs.replace(row, lag=records.get(log.place(row.source), row.lag)) for row in found.sources
    ]
    return msgspec.structs.replace(found, sources=rows)


def _show(found: "Lag", json: bool) -> None:
    from streams.cli.render.lag import table, wire

    now_ms = time.time_ns() // 1_000_000
    if json:
        emit(msgspec.json.encode(wire(found, now_ms)))
    else:
        console().print(table(found, now_ms))
