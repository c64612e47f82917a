"""Chooses the counters that add up to the journeys which were opened in the last minutes, hours or days.

The window is made of whole cells of one length, so that its numbers are exact. It ends with the last cell
that is over by the clock, and it is over in the data as well once every partition has read past its end.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from streams.core.funnels.windows import BY_DAY, BY_HOUR, BY_MINUTE, KEPT_MIN, LENGTH_MIN
from streams.core.ingest.times import MINUTE_MS
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.json_text import rfc3339
from streams.errors import ConfigError
from streams.settings.durations import DAYS, duration_text

CellLength = Literal["minute", "hour", "day"]

# The longest window that is made of cells of each length. A longer one would be many cells, and its beginning
# might not be kept any more.
_LENGTH_NAMES: tuple[CellLength, ...] = ("minute", "hour", "day")
LONGEST_MS = {BY_MINUTE: 1 * DAYS, BY_HOUR: 31 * DAYS, BY_DAY: 366 * DAYS}


class CellWindow(NamedTuple):
    """A window of whole cells: from `start_ms` on, before `end_ms`."""

    length: int  # BY_MINUTE, BY_HOUR or BY_DAY
    start_ms: int
    end_ms: int


class FunnelWindow(msgspec.Struct, frozen=True):
    """The window of a report, as `streams funnel --json` prints it."""

    start: str
    end: str
    cells: CellLength
    over: bool  # every partition has read past its end
    read_to: str | None  # the event time up to which every partition has read; null: nothing was read


def choose_window(last_ms: int, end_ms: int, newest_ms: int) -> CellWindow:
    """The window of `last_ms` that ends with the last whole cell before `end_ms`.

    `newest_ms` is the greatest watermark of the partitions, by which cells expire. Raises ConfigError if no
    cells fit, or if they are no longer kept.
    """
    expired = False
    for length in (BY_MINUTE, BY_HOUR, BY_DAY):
        cell_ms = LENGTH_MIN[length] * MINUTE_MS
        if last_ms < cell_ms or last_ms % cell_ms or last_ms > LONGEST_MS[length]:
            continue
        end = end_ms - end_ms % cell_ms
        if end - last_ms + cell_ms + KEPT_MIN[length] * MINUTE_MS >= newest_ms:
            return CellWindow(length, end - last_ms, end)
        expired = True
    if expired:
        raise ConfigError(
            f"--last {duration_text(last_ms)}: that window is no longer kept: journeys are counted by minute "
            "for 3 days, by hour for 40 and by day for 400; --need reads the transitions instead"
        )
    raise ConfigError(
        f"--last {duration_text(last_ms)}: give whole minutes up to 1 day, whole hours up to 31 days or "
        "whole days up to 366: 30m, 1h, 36h, 7d"
    )


def window_report(window: CellWindow, read_to_ms: int) -> FunnelWindow:
    """The window, and whether it is over in what the partitions have read: all up to `read_to_ms`; -1:
    nothing was read.
    """
    return FunnelWindow(
        start=rfc3339(window.start_ms),
        end=rfc3339(window.end_ms),
        cells=_LENGTH_NAMES[window.length],
        over=read_to_ms >= window.end_ms,
        read_to=None if read_to_ms < 0 else rfc3339(read_to_ms),
    )


def read_to_times(stored: Iterable[Checkpoint | None]) -> list[int]:
    """How far each partition has come in event time (ms), without those that have not read any event.

    A partition that is idle and has read all there is lets the wall clock move its timers: it is as far as
    they are.
    """
    return [
        max(checkpoint.watermark_ms, checkpoint.timers_fired_ms)
        for checkpoint in stored
        if checkpoint is not None and checkpoint.watermark_ms >= 0
    ]


def all_read_to_ms(stored: Iterable[Checkpoint | None]) -> int:
    """How far all partitions have come that have read any event (ms); -1: none has."""
    return min(read_to_times(stored), default=-1)
