"""`streams lag`: how far an app is behind its inputs. The first question when numbers look old."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.cluster import MAX_WAIT_MS, wait_for_cluster
from streams.cli.opened_log import LogFlags, open_log, sources_of_checkpoint
from streams.cli.options import (
    AppOption,
    DataDirOption,
    JsonOption,
    KafkaOption,
    checked_text,
    settings_of,
)
from streams.cli.screen import console, emit_line
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.queries.lag import Lag
    from streams.settings.tables import Settings

LagInputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="TOPIC",
        callback=checked_text,
        help="A topic to look at. Once per topic. [default: those that the app reads]",
        show_default=False,
    ),
]


def lag_command(
    ctx: typer.Context,
    kafka: KafkaOption = None,
    app: AppOption = None,
    inputs: LagInputsOption = None,
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
    if kafka or app or inputs or (data_dir is None and settings.kafka.bootstrap is not None):
        lag = asyncio.run(_cluster_lag(settings, inputs or ()))
    else:
        lag = asyncio.run(_directory_lag(ctx, data_dir))
    now_ms = Clock().wall_ms()
    if json:
        import orjson

        emit_line(orjson.dumps(lag.wire(now_ms)))
        return
    from streams.cli.render.lag import hidden_lines, render, unread_lines

    console().print(render(lag, now_ms))
    for line in (*hidden_lines(lag), *unread_lines(lag)):
        print(line)


async def _directory_lag(ctx: typer.Context, data_dir: Path | None) -> "Lag":
    from streams.queries.lag import read_lag

    async with open_log(ctx, LogFlags(data_dir)) as log:
        return await read_lag(log.reader)


async def _cluster_lag(settings: "Settings", asked: Sequence[str]) -> "Lag":
    """`asked`: the inputs to look at; none stands for those that the app reads."""
    from msgspec.structs import replace

    from streams.log.kafka.connection import cluster
    from streams.log.kafka.existing_app import open_existing_app
    from streams.log.kafka.log import KafkaLog
    from streams.log.kafka.reader import TRANSACTION_WAIT_S
    from streams.log.kafka.topics.cluster import admin, look
    from streams.queries.kafka_lag import count_records
    from streams.queries.lag import read_lag
    from streams.settings.kafka import deployed_app, deployment

    bootstrap, app = deployed_app(settings.kafka)
    where = cluster(settings.kafka)
    await wait_for_cluster(where, min(MAX_WAIT_MS, settings.kafka.start_timeout))
    stopped: dict[str, str] = {}
    deleted: tuple[str, ...] = ()
    if asked:
        names = deployment(settings.kafka).inputs
        async with admin(where, f"the topics of {where.bootstrap} cannot be looked at") as client:
            absent = set(names) - (await look(client, names)).topics.keys()
        if absent:
            raise ConfigError(
                f"--input {', '.join(sorted(absent))}: there is no such topic on {where.bootstrap}, or we "
                "have no right to see it (Describe)"
            )
        log = await KafkaLog.connect(where, app, names, settle_s=TRANSACTION_WAIT_S)
    else:
        existing = await open_existing_app(
            where,
            app,
            lambda raw: sources_of_checkpoint(raw, f"app {app} on {bootstrap}"),
            TRANSACTION_WAIT_S,
        )
        try:
            record = await existing.app_record()
        finally:
            await existing.close()
        if not existing.inputs:
            raise ConfigError(
                f"no worker of app {app} has run yet, so that nobody knows what it will read: name that with "
                "--input TOPIC"
            )
        seen = {} if record is None else record.inputs
        read = [name for name in existing.inputs if name not in seen or seen[name].is_read]
        stopped = {name: reason for name in read if name in seen and (reason := seen[name].stopped)}
        deleted = tuple(name for name in existing.deleted_inputs if name in read)
        inputs = {n: existing.inputs[n] for n in read if n not in stopped and n not in deleted}
        log = KafkaLog(where, app, inputs, existing.partitions, settle_s=TRANSACTION_WAIT_S)
    try:
        return replace(await count_records(log, await read_lag(log)), stopped=stopped, deleted=deleted)
    finally:
        await log.close()
