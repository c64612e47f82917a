"""`streams app`: shows what an app on Kafka runs under, and compares it with another one."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption, checked_text, settings_of
from streams.cli.screen import console, emit_line
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.log.kafka.app_record import AppRecord
    from streams.queries.comparison import Comparison

EXIT_NOT_THE_SAME = 1  # the exit code of `compare` if a difference was found

app_group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@app_group.callback()
def app_command() -> None:
    """Shows what an app on Kafka runs under, and compares it with another one."""


@app_group.command("describe")
def describe_command(
    ctx: typer.Context, kafka: KafkaOption = None, app: AppOption = None, json: JsonOption = False
) -> None:
    """Shows what an app runs under: fold settings, partitions, rules, and its inputs."""
    record = asyncio.run(_record(ctx, LogFlags(kafka=kafka, app=app)))
    if json:
        import msgspec

        emit_line(msgspec.json.encode(record))
        return
    from streams.cli.render.app_record import render

    console().print(render(record))


async def _record(ctx: typer.Context, flags: LogFlags) -> "AppRecord":
    _named_app(ctx, flags)
    async with open_log(ctx, flags) as log:
        assert log.kafka is not None, log.name
        record = await log.kafka.app_record()
        if record is None:
            raise ConfigError(
                f"{log.name} has its topics and no record yet: no worker of it has been started"
            )
        return record


def _named_app(ctx: typer.Context, flags: LogFlags) -> str:
    """The name of the app that is asked. Raises ConfigError if none is named: these commands are about an app
    on a cluster, and a data directory does not take its place.
    """
    from streams.settings.kafka import deployed_app

    return deployed_app(settings_of(ctx, kafka={"bootstrap": flags.kafka, "app": flags.app}).kafka)[1]


OtherAppArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[OTHER]",
        callback=checked_text,
        help="The name of another app on the same cluster.",
        show_default=False,
    ),
]


@app_group.command("compare")
def compare_command(
    ctx: typer.Context,
    other: OtherAppArgument = None,
    *,
    kafka: KafkaOption = None,
    app: AppOption = None,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Compares an app with another one that reads the same events, or with a data directory.

    It compares net transitions and counters, as far as both have read, and prints that they are the same, or
    the first difference (exit code 1). Partitions may differ. Late events are counted: lateness is judged by
    arrival, so there the two may differ. Fold settings that differ are named: the two may differ in all that
    these decide.
    """
    if (other is None) == (data_dir is None):
        raise ConfigError("name one thing to compare with: another app (OTHER), or --data-dir DIR")
    first = LogFlags(kafka=kafka, app=app)
    if other == _named_app(ctx, first):
        raise ConfigError(f"{other}: an app is the same as itself: name another one")
    second = LogFlags(data_dir=data_dir) if other is None else LogFlags(kafka=kafka, app=other)
    found = asyncio.run(_compared(ctx, first, second))
    if json:
        import msgspec

        emit_line(msgspec.json.encode({"same": found.same, **msgspec.to_builtins(found)}))
    else:
        from streams.cli.render.comparison import lines

        for line in lines(found):
            typer.echo(line)
    raise typer.Exit(0 if found.same else EXIT_NOT_THE_SAME)


async def _compared(ctx: typer.Context, first: LogFlags, second: LogFlags) -> "Comparison":
    from streams.queries.comparison import Named, compare_logs

    async with open_log(ctx, first) as one, open_log(ctx, second) as other:
        return await compare_logs(
            Named(one.name, one.reader), Named(other.name, other.reader), one.settings.skew
        )
