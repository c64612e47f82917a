"""`streams compare-rules`: what would change under other rules. For people who are about to switch."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli.files_as_log import GivenFiles, open_files
from streams.cli.memory_option import DEFAULT_MEMORY, MemoryOption, size_bytes
from streams.cli.opened_log import LogFlags, OpenedLog, open_log
from streams.cli.options import (
    AppOption,
    DataDirOption,
    FormatOption,
    JsonOption,
    KafkaOption,
    MapOption,
    ZoneOption,
    checked_text,
    settings_of,
)
from streams.cli.progress import Work
from streams.cli.screen import console, emit_line
from streams.cli.stopping import StopRequest
from streams.cli.time_options import instant_ms
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.moments.rules import Rules
    from streams.queries.rules_comparison import RulesComparison
    from streams.queries.time_range import TimeRange

EXIT_RULES_DIFFER = 1
SHIPPED_RULES, RULES_IN_FORCE = "default", "current"  # in place of a file
DEFAULT_SAMPLES = 3

RULES_HELP = "A rules file, or default (the shipped rules), or current (those in force in the log)."


class _Wanted(NamedTuple):
    """What to compare, as it was typed."""

    one: str
    other: str
    times: "TimeRange"
    samples: int
    memory_bytes: int


def compare_rules_command(
    ctx: typer.Context,
    one: Annotated[
        str,
        typer.Argument(metavar="A", callback=checked_text, help=RULES_HELP, show_default=False),
    ],
    other: Annotated[
        str,
        typer.Argument(
            metavar="B", callback=checked_text, help="The rules to compare with.", show_default=False
        ),
    ],
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Read this file (or directory) instead of a log, as replay would. Once per file.",
            show_default=False,
        ),
    ] = None,
    source_format: FormatOption = None,
    columns: MapOption = None,
    zone: ZoneOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            callback=checked_text,
            help="Only events, and journeys that opened, from this time on: RFC 3339, or how long ago (7d).",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", callback=checked_text, help="Only those before this time."),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            min=0, max=20, metavar="N", help="How many events to show of each kind of difference; 0: none."
        ),
    ] = DEFAULT_SAMPLES,
    memory: MemoryOption = DEFAULT_MEMORY,
    json: JsonOption = False,
) -> None:
    """Shows what other rules would change: reads the stored events by both, and compares.

    It prints how often the two see another moment in an event, both funnels side by side, and samples of the
    events that they read differently. What was late stays late. Nothing is written. The exit code is 0 if
    there are events and the two differ in nothing, and 1 if not.
    """
    flags = LogFlags(data_dir, kafka, app)
    wanted = _Wanted(one, other, _times(since, until), samples, size_bytes(memory))
    given = GivenFiles(files or (), source_format, columns, zone)
    if given.paths and any(flag is not None for flag in flags):
        raise ConfigError(
            "--input reads files, and --data-dir, --kafka and --app name a log: give one of them"
        )
    if not given.paths and any(flag for flag in given[1:]):
        raise ConfigError("--format, --map and --zone say how files are read: give --input, too")
    if given.paths and RULES_IN_FORCE in (one, other):
        raise ConfigError(
            f"{RULES_IN_FORCE}: files have no rules in force: name a rules file, or {SHIPPED_RULES}"
        )
    found = asyncio.run(_compared(ctx, flags, given, wanted))
    if json:
        import msgspec

        emit_line(msgspec.json.encode({"same": found.same, **msgspec.to_builtins(found)}))
    else:
        from streams.cli.render.compare_rules import render

        console().print(render(found))
    raise typer.Exit(0 if found.same else EXIT_RULES_DIFFER)


def _times(since: str | None, until: str | None) -> "TimeRange":
    """The range in whole minutes, since counters have none shorter. Raises ConfigError."""
    from streams.core.ingest.times import MINUTE_MS
    from streams.queries.time_range import TimeRange

    now_ms = Clock().wall_ms()
    since_ms = None if since is None else instant_ms("--from", since, now_ms) // MINUTE_MS * MINUTE_MS
    until_ms = None if until is None else instant_ms("--to", until, now_ms) // MINUTE_MS * MINUTE_MS
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ConfigError(
            f"--from {since} --to {until}: no whole minute lies between: give the earlier time first"
        )
    return TimeRange(since_ms, until_ms)


async def _compared(
    ctx: typer.Context, flags: LogFlags, given: GivenFiles, wanted: _Wanted
) -> "RulesComparison":
    from streams.queries.rules_comparison import ComparedRules, bytes_for_people, compare_rules
    from streams.queries.stored_input import StoredInput

    # Files are looked at before the log is opened: they may be wrong.
    orders = settings_of(ctx).order_id
    loaded = {
        name: _file_rules(name, orders) for name in (wanted.one, wanted.other) if name != RULES_IN_FORCE
    }
    async with AsyncExitStack() as opened:
        stop = opened.enter_context(StopRequest())
        if given.paths:
            log = await opened.enter_async_context(open_files(ctx, given, loaded[wanted.one], stop))
        else:
            log = await opened.enter_async_context(open_log(ctx, flags))
        stored = await StoredInput.load(log.reader)
        one, other = (loaded.get(name) or stored.rules_in_force() for name in (wanted.one, wanted.other))
        _note_inputs(log)
        with Work("compare rules", "records") as work:

            def on_progress(done: int, total: int) -> None:
                work.update(done, done, total)
                stop.check(f"{done:,} of {total:,} records were read; there is no result yet")

            rules = ComparedRules(one, other, wanted.times, wanted.samples)
            for_people = bytes_for_people(stored, wanted.memory_bytes)
            return await compare_rules(stored, rules, for_people, on_progress)


def _file_rules(name: str, orders: tuple[str, ...]) -> "Rules":
    """The rules of a file, or the shipped ones. `orders`: the setting `order_id`.

    Raises ConfigError, which names the file.
    """
    from streams.runtime.rules_file import read_rules

    return read_rules(None if name == SHIPPED_RULES else Path(name), orders)


def _note_inputs(log: OpenedLog) -> None:
    """Says of which inputs nothing can be read any more."""
    if log.kafka is None:
        return
    for topic, reason in log.kafka.stopped.reasons.items():
        typer.echo(f"{topic} is stopped, and is not compared: {reason}", err=True)
    for topic in log.kafka.deleted_inputs:
        typer.echo(f"{topic} does not exist any more, and is not compared", err=True)
