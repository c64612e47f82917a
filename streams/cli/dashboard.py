"""`streams dashboard`: serves the live page and the API."""

import asyncio
from typing import Annotated, Any

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, KafkaOption, checked_text, settings_of
from streams.cli.stopping import StopRequest


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
) -> None:
    """Serves a live page, and the API that it is made of, until it is stopped.

    The page shows where journeys go, purchases beside what is usual, how far journeys come, and the story of
    a person. It reads what is committed, beside whoever processes, and writes nothing.
    """
    asyncio.run(
        _dashboard(ctx, LogFlags(data_dir, kafka, app), {"host": host, "port": port, "root_path": root_path})
    )


async def _dashboard(ctx: typer.Context, flags: LogFlags, given: dict[str, Any]) -> None:
    from streams.dashboard.serving import Dashboard
    from streams.dashboard.stories import StoriesOfLog, StoriesOnKafka

    settings = settings_of(ctx, dashboard=given)
    with StopRequest() as stop:
        async with open_log(ctx, flags, frozen=False) as log:
            is_on_kafka = log.kafka is not None
            dashboard = Dashboard(
                log.kafka.app if log.kafka is not None else str(log.settings.data_dir),
                log.reader,
                StoriesOnKafka() if is_on_kafka else StoriesOfLog(log.reader),
                settings.dashboard,
                lambda text: typer.echo(text, err=True),
            )
            address = await dashboard.start(log.settings)
            typer.echo(f"{log.name}: {address} (Ctrl-C stops)", err=True)
            await dashboard.serve(stop.event)
