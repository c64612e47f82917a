"""`streams app`: shows what an app on Kafka runs under, compares it with another one, and excludes a
partition.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption, checked_text, settings_of
from streams.cli.screen import console, emit_line
from streams.clock import Clock
from streams.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from streams.log.kafka.app_record import AppRecord
    from streams.queries.comparison import Comparison

CHECKPOINTS_EVERY_S = 0.5  # between looks at whether the partitions have taken what was sent to them
PASS_TIMEOUT = "60s"  # a worker that was killed is replaced within a few seconds
EXIT_NOT_THE_SAME = 1  # the exit code of `compare` if a difference was found

app_group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@app_group.callback()
def app_command() -> None:
    """Shows what an app on Kafka runs under, compares it with another, and excludes a partition."""


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


@app_group.command("exclude")
def exclude_command(
    ctx: typer.Context,
    partition: Annotated[int, typer.Argument(help="The number of the partition.", show_default=False)],
    *,
    kafka: KafkaOption = None,
    app: AppOption = None,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            callback=checked_text,
            help="How long to wait until all other partitions have taken it.",
        ),
    ] = PASS_TIMEOUT,
) -> None:
    """Lets things become final without a partition that is away and holds all others back.

    Only where identity is on does one partition hold back what is final in others, and only for one that has
    reported nothing for `exclude_after` does this do anything. When the partition is back, what it gives to
    people of others from before what is final by then is late, and what it takes back from there stays. Both
    are counted. Bring it back if you can: nothing is lost then.
    """
    from streams.settings.durations import parse_duration

    try:
        timeout_s = parse_duration(timeout) / 1000
    except ValueError as error:
        raise ConfigError(f"--timeout {timeout}: {error}") from None
    passed = asyncio.run(_exclude(ctx, LogFlags(kafka=kafka, app=app), partition, timeout_s))
    typer.echo(f"{passed} partitions let things become final without partition {partition}, until it is back")


async def _exclude(ctx: typer.Context, flags: LogFlags, number: int, timeout_s: float) -> int:
    """How many partitions go on without this one."""
    from streams.queries.passing import send_pass, wait_for_pass

    record = await _record(ctx, flags)
    if not 0 <= number < record.partitions:
        raise ConfigError(
            f"partition {number}: app {record.app} has the partitions 0 to {record.partitions - 1}"
        )
    if not record.fold["identity"]["on"]:
        raise ConfigError(
            f"partition {number}: identity is off in app {record.app}, so no partition holds others back"
        )
    async with open_log(ctx, flags) as log:
        assert log.kafka is not None, log.name
        await send_pass(log.kafka, number)
        left = await wait_for_pass(log.kafka, number, Clock(), _pause, timeout_s)
    if left:
        raise Unavailable(
            f"partitions {', '.join(map(str, left))} do not go on without partition {number}: it has "
            "reported to them within `exclude_after`, they were started within that time, or no worker has "
            "them. Start the workers, wait for as long as `exclude_after` says, and try again if it still "
            "holds them back (streams_holding_partitions)"
        )
    return record.partitions - 1


async def _pause() -> None:
    await asyncio.sleep(CHECKPOINTS_EVERY_S)
