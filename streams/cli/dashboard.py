"""`streams dashboard`: serves the live page and the API."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.opened_log import LogFlags, OpenedLog, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption, checked_text, settings_of
from streams.cli.stopping import StopRequest
from streams.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from streams.dashboard.stories import Stories

LOOK_AGAIN_S = 1.0  # until a log that a worker is about to make is looked for again


def dashboard_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            callback=checked_text,
            help="The address that serves the page. Any but loopback needs the setting dashboard.token. "
            "[default: the setting, or 127.0.0.1]",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            help="The port of the page; 0 takes a free one. [default: the setting, or 6067]",
            show_default=False,
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            "--root-path",
            metavar="PATH",
            callback=checked_text,
            help="The path under which a proxy shows the page, such as /journeys. [default: the setting]",
            show_default=False,
        ),
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Serves a live page, and the API that it is made of, until it is stopped.

    The page shows where journeys go, purchases beside what is usual, how far journeys come, and the story of
    a person. It reads what is committed, beside whoever processes, and writes nothing.
    """
    given = {"host": host, "port": port, "root_path": root_path}
    asyncio.run(_dashboard(ctx, LogFlags(data_dir, kafka, app), given, beside))


async def _dashboard(ctx: typer.Context, flags: LogFlags, given: dict[str, Any], beside: bool) -> None:
    """`beside`: it belongs to a process that makes the log, and ends with it."""
    from streams.dashboard.serving import Dashboard
    from streams.topology import FUNNEL, TALLIES

    settings = settings_of(ctx, dashboard=given)
    with StopRequest() as stop:
        if beside:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.event.set)
        async with (
            _opened(ctx, flags, stop if beside else None) as log,
            _stories(log, settings.web.token) as stories,
        ):
            dashboard = Dashboard(
                log.kafka.app if log.kafka is not None else str(log.settings.data_dir),
                log.reader,
                stories,
                settings.dashboard,
                lambda text: typer.echo(text, err=True),
                log_name=None if settings.dashboard.snapshot is None else await _log_name(log),
                first_from=TALLIES if log.kafka is None else FUNNEL,
            )
            address = await dashboard.start(log.settings)
            typer.echo(f"{log.name}: {address} (Ctrl-C stops)", err=True)
            await dashboard.serve(stop.event)


@asynccontextmanager
async def _stories(log: OpenedLog, token: "SecretStr | None") -> AsyncIterator["Stories"]:
    """`token`: what workers want to be given."""
    from streams.dashboard.stories import StoriesOfLog
    from streams.dashboard.stories_on_kafka import StoriesOnKafka
    from streams.queries.worker_client import WorkerClient

    if log.embedded is not None:
        yield StoriesOfLog(log.embedded)
        return
    assert log.kafka is not None
    client = WorkerClient(None if token is None else token.get_secret_value())
    try:
        yield StoriesOnKafka(log.kafka, client)
    finally:
        await client.close()


async def _log_name(log: OpenedLog) -> str | None:
    """A name that no other log has, so that a snapshot of another one is not used; None: it has none yet."""
    if log.kafka is None:
        from streams.dashboard.snapshot_file import name_of_directory

        return await name_of_directory(log.reader)
    from streams.log.kafka.existing_app import id_of_app

    return await id_of_app(log.kafka)


@asynccontextmanager
async def _opened(ctx: typer.Context, flags: LogFlags, stop: StopRequest | None) -> AsyncIterator[OpenedLog]:
    """The log. With `stop`, it is waited for: the worker that makes it may have just begun."""
    async with AsyncExitStack() as opened:
        while True:
            try:
                log = await opened.enter_async_context(open_log(ctx, flags, frozen=False))
                break
            except ConfigError:
                if stop is None or stop.event.is_set():
                    raise
                await asyncio.sleep(LOOK_AGAIN_S)
        yield log
