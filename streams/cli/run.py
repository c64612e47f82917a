"""`streams run`: processes events as they come, from files and standard input, or as a worker on Kafka."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli.options import (
    AppOption,
    DataDirOption,
    FormatOption,
    InputsOption,
    KafkaOption,
    MapOption,
    PartitionsOption,
    RulesOption,
    ZoneOption,
    checked_text,
    input_format,
    rules_of,
    settings_of,
)
from streams.cli.page_process import live_page
from streams.cli.progress import Work
from streams.cli.screen import plural
from streams.cli.stopping import StopRequest
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.settings.tables import Settings
    from streams.sources.input_file import InputFormat

STDIN = Path("-")


def run_command(
    ctx: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files to follow, or directories whose files are followed. None or -: standard input.",
        ),
    ] = None,
    *,
    source_format: FormatOption = None,
    columns: MapOption = None,
    zone: ZoneOption = None,
    rules: RulesOption = None,
    data_dir: DataDirOption = None,
    partitions: PartitionsOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    inputs: InputsOption = None,
    agents: Annotated[
        list[str] | None,
        typer.Option(
            "--agents",
            metavar="FILE",
            callback=checked_text,
            help="Kafka: your own Faust agents, a Python file or a module.",
            show_default=False,
        ),
    ] = None,
    serve_page: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the live page too, as `streams dashboard` does, in a process of its own."
        ),
    ] = False,
    web_port: Annotated[
        int | None,
        typer.Option(
            "--web-port",
            metavar="N",
            help="Kafka: the port that serves health and metrics. [default: the setting, or 6066]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Processes events as they come, from files, standard input or topics of Kafka, until it is stopped.

    With --kafka it is one of the workers of an app. When no events come for a while, the wall clock moves the
    timers. A new run goes on where the last one stopped.
    """
    settings = settings_of(
        ctx,
        data_dir=data_dir,
        rules=rules,
        partitions=partitions,
        agents=agents,
        kafka={"bootstrap": kafka, "app": app, "inputs": inputs},
        web={"port": web_port},
    )
    if kafka is not None or (settings.kafka.bootstrap is not None and not sources):
        reason = "is for files; a worker on Kafka reads the topics of --input"
        _refuse(
            {
                "PATH": sources,
                "--format": source_format,
                "--map": columns,
                "--zone": zone,
                "--data-dir": data_dir,
                "--partitions": partitions,
            },
            reason if kafka is not None else f"{reason}: kafka.bootstrap is set",
        )
        with live_page(serve_page, ctx.obj, _app_options(settings)):
            _work(settings)
        return
    _refuse(
        {"--app": app, "--input": inputs, "--agents": agents, "--web-port": web_port},
        "is for a worker on Kafka: give --kafka HOST:PORT too",
    )
    loaded = rules_of(settings)
    wanted = input_format(source_format, columns, zone, settings, is_finite=False)
    served = Serving(serve_page, ctx.obj)
    asyncio.run(_follow(settings, loaded, sources or [STDIN], wanted, served))


def _app_options(settings: "Settings") -> list[object]:
    """The options that name an app on a cluster."""
    given = {"--kafka": settings.kafka.bootstrap, "--app": settings.kafka.app}
    return [word for name, value in given.items() if value is not None for word in (name, value)]


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Raises ConfigError if one of these options was given: they belong to the other form of the command."""
    if given := [name for name, value in options.items() if value not in (None, [])]:
        raise ConfigError(f"{given[0]} {reason}")


def _work(settings: "Settings") -> None:
    from streams import host
    from streams.host.serve import serve

    serve(host.make_app(settings, settings.agents))


class Serving(NamedTuple):
    """Whether the live page is served, too."""

    is_wanted: bool
    config: Path | None  # the settings file, if one was named


async def _follow(
    settings: "Settings",
    rules: "Rules",
    sources: list[Path],
    wanted: "InputFormat",
    page: Serving,
) -> None:
    from streams.runtime.embedded import Embedded, Progress
    from streams.sources.follow import files_of

    paths = [path for path in sources if path != STDIN]
    files_of(paths)  # raises InputError for a missing path, before a data directory is made
    stdin = sys.stdin.buffer if STDIN in sources else None
    records = 0
    with StopRequest() as stop, Work("run", is_endless=True) as work:

        def on_progress(progress: Progress) -> None:
            nonlocal records
            records = progress.records
            work.update(records, 0, 0)  # it has no end

        embedded = await Embedded.open(settings, rules)
        try:
            names = ", ".join(_names(sources))
            print(f"following {names} into {settings.data_dir}; Ctrl-C stops", file=sys.stderr, flush=True)
            with live_page(page.is_wanted, page.config, ["--data-dir", settings.data_dir]):
                await embedded.run(paths, wanted, stop.event, on_progress, stdin)
        finally:
            await embedded.close()
    # What was read from a pipe is gone from it, so another run could not go on there.
    resumable = "" if stdin is not None else "; the same command goes on from there"
    stop.check(f"{plural(records, 'event')} in {settings.data_dir}{resumable}")
    print(f"{plural(records, 'event')} processed into {settings.data_dir}", file=sys.stderr)


def _names(sources: list[Path]) -> list[str]:
    """The sources as they are shown: directories end with a slash, standard input comes last."""
    files = [f"{path}/" if path.is_dir() else str(path) for path in sources if path != STDIN]
    return [*files, *(["standard input"] if STDIN in sources else [])]
