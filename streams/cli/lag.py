"""`streams lag`: how far an app is behind its inputs. The first question when numbers look old."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from streams.cli.cluster import MAX_WAIT_MS, wait_for_cluster
from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import (
    AppOption,
    DataDirOption,
    InputsOption,
    JsonOption,
    KafkaOption,
    settings_of,
)
from streams.cli.screen import console, emit_line
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.queries.lag import Lag
    from streams.settings.tables import Settings

# A transaction that is about to end does so by then. Any other one is shown as what it is: open.
TRANSACTION_WAIT_S = 0.5


def lag_command(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    app: AppOption = None,
    inputs: InputsOption = None,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Shows how far an app or a data directory is behind its inputs, by partition and source.

    The exit code is 0 whatever the lag is, and 2 to 6 if it cannot be read.
    """
    settings = settings_of(
        ctx, data_dir=data_dir, kafka={"bootstrap": kafka, "app": app, "inputs": inputs or None}
    )
    if data_dir is not None and (kafka or app or inputs):
        raise ConfigError(
            "--data-dir names a log on this machine: give either that, or a cluster with --kafka, --app and "
            "--input"
        )
    if data_dir is None and settings.kafka.bootstrap is not None:
        lag = asyncio.run(_cluster_lag(settings))
    else:
        lag = asyncio.run(_directory_lag(ctx, data_dir))
    now_ms = Clock().wall_ms()
    if json:
        import orjson

        emit_line(orjson.dumps(lag.wire(now_ms)))
        return
    from streams.cli.render.lag import hidden_lines, render

    console().print(render(lag, now_ms))
    for line in hidden_lines(lag):
        print(line)


async def _directory_lag(ctx: typer.Context, data_dir: Path | None) -> "Lag":
    from streams.queries.lag import read_lag

    async with open_log(ctx, LogFlags(data_dir)) as log:
        return await read_lag(log.reader)


async def _cluster_lag(settings: "Settings") -> "Lag":
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.log import KafkaLog
    from streams.queries.kafka_lag import count_records
    from streams.queries.lag import read_lag
    from streams.settings.kafka import deployment

    needed, where = deployment(settings.kafka), cluster(settings.kafka)
    await wait_for_cluster(where, min(MAX_WAIT_MS, settings.kafka.start_timeout))
    log = await KafkaLog.connect(where, needed.app, needed.inputs, settle_s=TRANSACTION_WAIT_S)
    try:
        return await count_records(log, await read_lag(log))
    finally:
        await log.close()
