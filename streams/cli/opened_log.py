"""Opens the log that a question is about: a data directory, or an app on Kafka.

Every command that asks takes three options: `DataDirOption`, `KafkaOption` and `AppOption`. It passes them on
as a `LogFlags`, and reads the `reader` of the `OpenedLog` that it gets:

    async with open_log(ctx, LogFlags(data_dir, kafka, app)) as log:
        funnel = await read_funnel(log.reader)

A command that only needs a Reader never asks which kind it is. One that can do more on Kafka (verify and why
read the inputs, and show how far they are) finds the `KafkaLog` in `log.kafka`; its `inputs` are those that
the app has read, by their numbers of partitions.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from streams.cli.cluster import MAX_WAIT_MS, wait_for_cluster
from streams.cli.options import settings_of
from streams.cli.scan_bar import ScanBar
from streams.errors import ConfigError, Incompatible, InputError

if TYPE_CHECKING:
    from streams.log.kafka.log import KafkaLog
    from streams.log.port import EmbeddedReader, Reader
    from streams.settings.tables import Settings


class LogFlags(NamedTuple):
    """Which log a person named on the command line. None: the option was not given."""

    data_dir: Path | None = None
    kafka: str | None = None
    app: str | None = None


class OpenedLog(NamedTuple):
    """The log that a question is about."""

    reader: "Reader"
    settings: "Settings"  # of this command; those under which the log was written are in its checkpoints
    name: str  # for messages: what the person asks
    kafka: "KafkaLog | None"  # the reader, if it is an app on a cluster
    embedded: "EmbeddedReader | None" = None  # the reader, if it is a data directory


@asynccontextmanager
async def open_log(
    ctx: typer.Context, flags: LogFlags, *, frozen: bool = True, bar: bool = False
) -> AsyncIterator[OpenedLog]:
    """Opens the log to read: what the flags name, else the app of the settings, else their data directory.

    A data directory is read as it is now, unless `frozen` is False: then what is committed later is read too.
    On Kafka, each reading sees what was committed before it began; with `bar`, a terminal shows how far a
    long one is.

    Raises ConfigError for flags that do not go together and for an app that does not exist, InputError if
    there is no log in the directory or if another release wrote it, Refused, Unavailable.
    """
    if flags.data_dir is not None and (flags.kafka is not None or flags.app is not None):
        raise ConfigError(
            "--data-dir names a log on this machine, and --kafka and --app name one on a cluster: give "
            "either the directory or the other two"
        )
    settings = settings_of(ctx, data_dir=flags.data_dir, kafka={"bootstrap": flags.kafka, "app": flags.app})
    is_on_kafka = flags.app is not None or settings.kafka.bootstrap is not None
    is_directory = flags.data_dir is not None or not is_on_kafka
    async with _directory(settings, frozen) if is_directory else _app(settings, bar) as log:
        yield log


@asynccontextmanager
async def _directory(settings: "Settings", frozen: bool) -> AsyncIterator[OpenedLog]:
    from streams.log.sqlite.log import SqliteLog

    name = f"the data directory {settings.data_dir}"
    try:
        reader = SqliteLog.read_only(settings.data_dir, frozen=frozen)
    except Incompatible as error:
        raise _of_another_release(name, error) from error
    try:
        for raw in await reader.checkpoints():
            if raw is not None:
                sources_of_checkpoint(raw, name)
        yield OpenedLog(reader, settings, name, None, reader)
    finally:
        await reader.close()


@asynccontextmanager
async def _app(settings: "Settings", bar: bool) -> AsyncIterator[OpenedLog]:
    from streams.log.kafka.connection import cluster
    from streams.log.kafka.existing_app import open_existing_app
    from streams.log.kafka.registry.access import record_decoder
    from streams.settings.kafka import deployed_app

    bootstrap, app = deployed_app(settings.kafka)
    where, name = cluster(settings.kafka), f"app {app} on {bootstrap}"
    await wait_for_cluster(where, min(MAX_WAIT_MS, settings.kafka.start_timeout))
    decoder = record_decoder(settings.registry, patience_s=MAX_WAIT_MS / 1000)
    log = await open_existing_app(where, app, lambda raw: sources_of_checkpoint(raw, name))
    log.decoder = decoder
    shown = ScanBar() if bar else None
    log.on_scan = shown
    try:
        yield OpenedLog(log, settings, name, log)
    finally:
        if shown is not None:
            shown.close()
        await log.close()


def sources_of_checkpoint(raw: bytes, name: str) -> Iterable[str]:
    """The names of the sources in a checkpoint. Raises InputError if this release cannot read it."""
    from streams.core.processing.checkpoint import decode_checkpoint

    try:
        return decode_checkpoint(raw).sources
    except Incompatible as error:
        raise _of_another_release(name, error) from error


def _of_another_release(name: str, error: Incompatible) -> InputError:
    return InputError(f"{name} cannot be asked: {error}")
