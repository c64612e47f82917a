"""`streams funnel`: how many people and journeys there are, and how far they came."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from streams.cli.opened_log import LogFlags, OpenedLog, open_log
from streams.cli.options import AppOption, DataDirOption, JsonOption, KafkaOption, checked_text
from streams.cli.recorded import recorded_dimensions, recorded_setting
from streams.cli.screen import console, emit_line
from streams.cli.time_options import UntilOption, instant_ms
from streams.clock import Clock
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.core.processing.checkpoint import Checkpoint
    from streams.queries.cohorts import CohortReport
    from streams.queries.funnel_window import CellWindow


class FunnelFlags(NamedTuple):
    """Which journeys a person wants to see. None: the option was not given."""

    by: str | None = None
    last_ms: int | None = None
    until: str | None = None
    need: str | None = None


def funnel_command(
    ctx: typer.Context,
    *,
    data_dir: DataDirOption = None,
    kafka: KafkaOption = None,
    app: AppOption = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="DIMENSION",
            callback=checked_text,
            help="Also by this dimension: device, channel or one of the settings.",
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            callback=checked_text,
            help="Only journeys opened in the last 30m, 1h, 36h, 7d ...: whole minutes, hours or days.",
        ),
    ] = None,
    until: UntilOption = None,
    need: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=checked_text,
            help="Only journeys about this need, from the transitions that are still there.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Shows the funnel: people, how far their journeys came, and what became of each event.

    It is over all time, or with --last about the journeys that were opened in a window, as they stand now,
    and about what was paid in it.
    --until ends the window at another time than now.
    """
    if until is not None and last is None:
        raise ConfigError("--until ends a window: give its length too, such as --last 1h")
    wanted = FunnelFlags(by, None if last is None else _duration_ms(last), until, need)
    asyncio.run(_funnel(ctx, LogFlags(data_dir, kafka, app), wanted, json))


def _duration_ms(text: str) -> int:
    """Milliseconds. Raises ConfigError."""
    from streams.settings.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--last {text}: {error}") from None


async def _funnel(ctx: typer.Context, flags: LogFlags, wanted: FunnelFlags, json: bool) -> None:
    import msgspec

    from streams.core.processing.checkpoint import decode_checkpoint
    from streams.queries.cohorts import report_of_cells, reports_by_dimension
    from streams.queries.funnel import read_funnel
    from streams.queries.funnel_window import all_read_to_ms, window_report
    from streams.queries.need_funnel import read_need_journeys, report_of_need, reports_by_value
    from streams.queries.tallies import read_all_time_tallies, read_window_tallies
    from streams.queries.time_range import EVER, TimeRange

    async with open_log(ctx, flags, bar=True) as log:
        stored = [None if raw is None else decode_checkpoint(raw) for raw in await log.reader.checkpoints()]
        if wanted.by is not None:
            _check_dimension(wanted.by, log, stored)
        if wanted.need and not recorded_setting(log, stored, "need"):
            raise ConfigError(
                f"--need {wanted.need}: there are no needs here (the setting `need` is not set)"
            )
        window = None if wanted.last_ms is None else _window(wanted, wanted.last_ms, stored)
        report: dict[str, Any] = (
            {} if window is None else {"window": window_report(window, all_read_to_ms(stored))}
        )
        groups: Mapping[str, CohortReport] | None = None
        if wanted.need is not None:
            opened = EVER if window is None else TimeRange(window.start_ms, window.end_ms)
            found = await read_need_journeys(log.reader, wanted.need or None, opened)
            report |= {"need": wanted.need, "transitions_from": found.oldest, "cut_journeys": found.cut}
            whole: Any = report_of_need(found)
            groups = None if wanted.by is None else reports_by_value(found, wanted.by)
        elif window is not None:
            cells = await read_window_tallies(log.reader, window)
            whole = report_of_cells(cells)
            groups = None if wanted.by is None else reports_by_dimension(cells, wanted.by)
        else:
            whole = await read_funnel(log.reader)
            if wanted.by is not None:
                groups = reports_by_dimension(await read_all_time_tallies(log.reader), wanted.by)
    if json:
        report |= msgspec.structs.asdict(whole)
        emit_line(msgspec.json.encode(report if groups is None else {**report, "by": {wanted.by: groups}}))
        return
    from streams.cli.render.funnel import render_groups, render_report

    console().print(render_report(report, whole))
    if groups:
        console().print(render_groups(wanted.by or "", groups))


def _check_dimension(by: str, log: OpenedLog, stored: "Sequence[Checkpoint | None]") -> None:
    """Raises ConfigError, which names the dimensions, for what is none of them."""
    names = recorded_dimensions(log, stored)
    if by not in names:
        raise ConfigError(f"--by {by}: is no dimension of {log.name}: its dimensions are {', '.join(names)}")


def _window(wanted: FunnelFlags, last_ms: int, stored: "Sequence[Checkpoint | None]") -> "CellWindow":
    from streams.queries.funnel_window import choose_window

    now_ms = Clock().wall_ms()
    end_ms = now_ms if wanted.until is None else instant_ms("--until", wanted.until, now_ms)
    newest_ms = max((checkpoint.watermark_ms for checkpoint in stored if checkpoint is not None), default=-1)
    return choose_window(last_ms, end_ms, newest_ms)
