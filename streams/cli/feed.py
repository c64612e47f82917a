"""Commands that put events in: a whole file (`replay`), or whatever comes (`run`)."""

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streams.cli import options
from streams.cli.progress import Work
from streams.cli.screen import some
from streams.cli.stopping import Stopping
from streams.errors import ConfigError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from streams.core.moments.rules import Rules
    from streams.settings.tables import Settings

FormatOption = Annotated[
    Literal["segment", "csv"],
    typer.Option(
        "--format", help="segment: JSON lines of the Segment spec. csv: a table with a header; see --map."
    ),
]


LATE_REASONS = {
    "lateness": (
        "older than the horizon allows. Is the file in order of time? If not, sort it, or set a longer horizon; replay it into a new data directory"
    ),
    "over_cap": "older than what is still held of a very busy person, or about one need too many",
}


def replay(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON lines or CSV, plain or gzip (.gz).", show_default=False),
    ],
    format: FormatOption = "segment",
    map: options.Map = None,
    rules: options.RulesFile = None,
    data_dir: options.DataDir = None,
    partitions: options.Partitions = None,
) -> None:
    """Reads a whole file, then stops. Events of a file count once, however often it is replayed.

    Event time alone moves the timers, so the result is the same whenever it is run. A replay that was stopped goes on where it was.
    """
    settings = options.settings(ctx, data_dir=data_dir, rules=rules, partitions=partitions)
    asyncio.run(_replay(settings, options.rules(settings), file, format, options.mapping(map, format)))


async def _replay(
    settings: "Settings",
    rules: "Rules",
    file: Path,
    format: Literal["segment", "csv"],
    mapping: dict[str, str],
) -> None:
    from streams.queries.dead_letters import reasons
    from streams.runtime.embedded import Embedded, Progress
    from streams.sources.input_file import InputFile, InputFormat
    from streams.topology import LATE, REJECTED

    source = InputFile(file, InputFormat(format, mapping))
    with source.lines, Stopping() as stopping, Work(f"replay {file.name}") as work:

        def on_progress(progress: Progress) -> None:
            done = work.known + progress.records  # of the file, as its bytes are
            work.update(done, progress.bytes_read, progress.total_bytes)
            stopping.check(
                f"{some(done, 'event')} of {file.name} are in {settings.data_dir}; the same command goes on from there"
            )

        embedded = await Embedded.open(settings, rules)
        try:
            work.known = await embedded.log.position(source.name)
            before = [await reasons(embedded.log, topic) for topic in (REJECTED, LATE)]
            replayed = await embedded.replay(source, on_progress)
            rejected, late = [
                await reasons(embedded.log, topic) - then
                for topic, then in zip((REJECTED, LATE), before, strict=True)
            ]
        finally:
            await embedded.close()
    known = f"; {replayed.skipped:,} had been replayed before" if replayed.skipped else ""
    print(
        f"{some(replayed.records, 'event')} replayed into {settings.data_dir} in {work.seconds:.1f} s{known}",
        file=sys.stderr,
    )
    where = f"--data-dir {shlex.quote(str(settings.data_dir))}"
    if rejected:
        print(
            f"{_counted(rejected)} could not be read: they are kept, `streams rejected {where}` shows them",
            file=sys.stderr,
        )
    if late:
        print(
            f"{_counted(late)} came too late to count: they are kept, `streams late {where}` shows them",
            file=sys.stderr,
        )
        for reason in sorted(late):
            print(f"  {reason}: {LATE_REASONS[reason]}", file=sys.stderr)


def _counted(found: "Counter[str]") -> str:
    """How many, and why."""
    return f"{found.total():,} ({', '.join(f'{n:,} {reason}' for reason, n in found.most_common())})"


def run(
    ctx: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files to follow, or directories whose files are followed. None or -: standard input.",
        ),
    ] = None,
    format: FormatOption = "segment",
    map: options.Map = None,
    rules: options.RulesFile = None,
    data_dir: options.DataDir = None,
    partitions: options.Partitions = None,
    kafka: options.Bootstrap = None,
    app: options.App = None,
    inputs: options.Inputs = None,
    agents: Annotated[
        list[str] | None,
        typer.Option(
            "--agents",
            metavar="FILE",
            callback=options.is_text,
            help="Kafka: agents of your own, a Python file or a module.",
            show_default=False,
        ),
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option(
            "--web-port",
            metavar="N",
            help="Kafka: where health and metrics are. [default: 6066]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Processes events as they come, until stopped: files, directories or standard input; or, as one of the workers of an app, topics of Kafka.

    When nothing comes for a while, the wall clock moves the timers. Goes on where an earlier run stopped.
    """
    for_files = {
        "PATH": sources, "--format": None if format == "segment" else format, "--map": map, "--data-dir": data_dir, "--partitions": partitions
    }  # fmt: skip
    for_kafka = {"--app": app, "--input": inputs, "--agents": agents, "--web-port": web_port}
    settings = options.settings(
        ctx, data_dir=data_dir, rules=rules, partitions=partitions,
        agents=agents, kafka={"bootstrap": kafka, "app": app, "inputs": inputs}, web={"port": web_port},
    )  # fmt: skip
    if kafka is not None or (settings.kafka.bootstrap is not None and not sources):
        _refuse(
            for_files,
            "is for files; a worker on Kafka reads the topics of --input"
            + ("" if kafka else ": kafka.bootstrap is set"),
        )
        _work(settings)
        return
    _refuse(for_kafka, "is for a worker on Kafka: say --kafka HOST:PORT, too")
    asyncio.run(_run(settings, options.rules(settings), sources or [], format, options.mapping(map, format)))


def _refuse(given: "Mapping[str, object]", why: str) -> None:
    """Raises ConfigError for an option that belongs to the other form."""
    if named := [name for name, value in given.items() if value not in (None, [])]:
        raise ConfigError(f"{named[0]} {why}")


def _work(settings: "Settings") -> None:
    from streams import host
    from streams.host.serve import serve

    serve(host.make_app(settings, settings.agents))


async def _run(
    settings: "Settings",
    rules: "Rules",
    sources: list[Path],
    format: Literal["segment", "csv"],
    mapping: dict[str, str],
) -> None:
    from streams.runtime.embedded import Embedded, Progress
    from streams.sources.follow import files_of
    from streams.sources.input_file import InputFormat

    paths = [path for path in sources if path != Path("-")]
    files_of(paths)  # says that one is missing, before a data directory is made
    stdin = sys.stdin.buffer if len(paths) < len(sources) or not sources else None
    followed = [*_shown(paths), *(["standard input"] if stdin is not None else [])]
    records = 0
    with Stopping() as stopping, Work("run", endless=True) as work:

        def on_progress(progress: Progress) -> None:
            nonlocal records
            records = progress.records
            work.update(*progress)

        embedded = await Embedded.open(settings, rules)
        try:
            print(
                f"following {', '.join(followed)} into {settings.data_dir}; Ctrl-C stops",
                file=sys.stderr,
                flush=True,
            )
            await embedded.run(paths, InputFormat(format, mapping), stopping.event, on_progress, stdin)
        finally:
            await embedded.close()
    goes_on = (
        "; the same command goes on from there" if stdin is None else ""
    )  # a pipe's contents are gone once they were read
    stopping.check(f"{some(records, 'event')} in {settings.data_dir}{goes_on}")
    print(f"{some(records, 'event')} processed into {settings.data_dir}", file=sys.stderr)


def _shown(paths: list[Path]) -> list[str]:
    """Paths as they are shown; a directory ends with a slash."""
    return [f"{path}/" if path.is_dir() else str(path) for path in paths]
