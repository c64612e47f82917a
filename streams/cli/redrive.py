"""`streams redrive`: takes dead letters once more, and says what became of them."""

import asyncio
import secrets
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.opened_log import LogFlags, open_log
from streams.cli.options import (
    AppOption,
    DataDirOption,
    KafkaOption,
    RulesOption,
    checked_text,
    rules_of,
    settings_of,
)
from streams.cli.progress import Work
from streams.cli.screen import console, emit_line
from streams.cli.stopping import StopRequest
from streams.cli.time_options import instant_ms
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streams.queries.redriving import Redrive, Redrove, Wanted

RECEIPTS_EVERY_S = 0.2  # between looks for receipts
DEFAULT_TIMEOUT = "60s"  # without a receipt: a worker that was killed is replaced within a few seconds
COMMAND_BYTES = 6  # of a command's id: two commands of one app never draw the same


class DeadLetters(StrEnum):
    """Which dead letters a person names."""

    LATE = "late"
    REJECTED = "rejected"


def redrive_command(
    ctx: typer.Context,
    letters: Annotated[DeadLetters, typer.Argument(help="Which dead letters to take once more.")],
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    rules: RulesOption = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(
            "--reason",
            metavar="REASON",
            callback=checked_text,
            help="Only those with this reason. Once per reason. [default: all]",
            show_default=False,
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            callback=checked_text,
            help="Only those put aside from this time on: RFC 3339, or how long ago (30m, 4h, 7d).",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TIME", callback=checked_text, help="Only those put aside before this time."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be redriven. Changes nothing.")
    ] = False,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            callback=checked_text,
            help="How long to wait while no receipt comes.",
        ),
    ] = DEFAULT_TIMEOUT,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Takes dead letters once more, by the rules and readers that are in force now, however late they are.

    An item counts at most once, however often it is redriven. What would change a finished journey is refused
    again. On Kafka the workers take the items, and the command waits for their receipts; a data directory is
    processed by the command itself, so stop a `run` on it before.
    """
    from streams.queries.redriving import Wanted
    from streams.queries.time_range import TimeRange

    now_ms = Clock().wall_ms()
    times = TimeRange(
        None if begin is None else instant_ms("--from", begin, now_ms),
        None if end is None else instant_ms("--to", end, now_ms),
    )
    if times.since_ms is not None and times.until_ms is not None and times.since_ms >= times.until_ms:
        raise ConfigError(f"--from {begin} --to {end}: nothing lies between: give the earlier time first")
    wanted = Wanted(letters.value, _checked(letters, reason or []), times)
    flags = LogFlags(data_dir, kafka, app)
    asyncio.run(_redrive(ctx, flags, rules, wanted, _seconds(timeout), dry_run=dry_run, json=json))


def _checked(letters: DeadLetters, reasons: list[str]) -> frozenset[str]:
    """The reasons. Raises ConfigError for one that no such dead letter has."""
    from streams.core.ingest.event import Reason
    from streams.core.processing.dead_letters import LATE_REASONS

    known = LATE_REASONS if letters is DeadLetters.LATE else tuple(reason.value for reason in Reason)
    for reason in reasons:
        if reason not in known:
            raise ConfigError(
                f"--reason {reason}: no {letters.value} record has it: write one of {', '.join(known)}"
            )
    return frozenset(reasons)


def _seconds(timeout: str) -> float:
    from streams.settings.durations import parse_duration

    try:
        return parse_duration(timeout) / 1000
    except ValueError as error:
        raise ConfigError(f"--timeout {timeout}: {error}") from None


async def _redrive(
    ctx: typer.Context,
    flags: LogFlags,
    rules: Path | None,
    wanted: "Wanted",
    timeout_s: float,
    *,
    dry_run: bool,
    json: bool,
) -> None:
    from streams.queries.redriving import Redrive, count_wanted
    from streams.runtime.embedded import Embedded

    command, clock = f"redrive-{secrets.token_hex(COMMAND_BYTES)}", Clock()
    async with open_log(ctx, flags) as log:
        if log.kafka is not None and rules is not None:
            raise ConfigError(
                f"--rules {rules}: the workers of an app on Kafka read by their own rules: start them with "
                "these, and redrive then"
            )
        if dry_run:
            _show(await count_wanted(log.reader, wanted), json=json, dry_run=True)
            return
        if log.kafka is not None:
            decode = None if log.kafka.decoder is None else log.kafka.decoder.decoded
            await _run(Redrive(log.kafka, command, clock, decode), wanted, _pause, timeout_s, json=json)
            return
        settings = settings_of(ctx, data_dir=flags.data_dir, rules=rules, partitions=log.reader.partitions)
    embedded = await Embedded.open(settings, rules_of(settings))
    try:

        async def step() -> None:
            await embedded.step(idle_s=0)

        await _run(Redrive(embedded.log, command, clock), wanted, step, timeout_s, json=json)
    finally:
        await embedded.close()


async def _run(
    redrive: "Redrive",
    wanted: "Wanted",
    pause: "Callable[[], Awaitable[None]]",
    timeout_s: float,
    *,
    json: bool,
) -> None:
    with StopRequest() as stop:

        def check() -> None:
            stop.check("what was sent will be taken; the same command says which were redriven before")

        async def look_again() -> None:
            check()
            await pause()

        try:
            with Work(f"redrive {wanted.letter}", "records", is_transient=True) as work:

                def on_sent(sent: int) -> None:
                    work.update(sent, 0, 0)
                    check()

                await redrive.send(wanted, on_sent)
                await redrive.wait(look_again, timeout_s, lambda ended: work.update(ended, 0, 0))
        finally:
            _show(redrive.done, json=json, dry_run=False)


async def _pause() -> None:
    await asyncio.sleep(RECEIPTS_EVERY_S)


def _show(done: "Redrove", *, json: bool, dry_run: bool) -> None:
    if json:
        from streams.core.processing.json_text import encode_json

        emit_line(encode_json(done.wire()))
        return
    from streams.cli.render.redrive import render

    console().print(render(done, dry_run=dry_run))
