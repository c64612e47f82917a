"""The funnel of a window adds up whole cells, and says when it is not over yet."""

import msgspec
import pytest

from streams.core.funnels.windows import BY_DAY, BY_HOUR, BY_MINUTE
from streams.core.ingest.times import parse_time
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.errors import ConfigError
from streams.log.memory import MemoryLog
from streams.queries.cohorts import CohortReport, TimeToConvert, report_of_cells
from streams.queries.funnel_window import (
    CellWindow,
    all_read_to_ms,
    choose_window,
    read_to_times,
    window_report,
)
from streams.queries.tallies import read_window_tallies
from streams.settings.durations import DAYS, HOURS, MINUTES, parse_duration
from tests.queries.written import SHOP, did, written


def ms(text: str) -> int:
    parsed = parse_time(text)
    assert parsed is not None
    return parsed[0]


NOW = "2024-05-10T10:30:45Z"


@pytest.mark.parametrize(
    ("last", "length", "start", "end"),
    [
        ("1h", BY_MINUTE, "2024-05-10T09:30:00Z", "2024-05-10T10:30:00Z"),
        ("30m", BY_MINUTE, "2024-05-10T10:00:00Z", "2024-05-10T10:30:00Z"),
        ("24h", BY_MINUTE, "2024-05-09T10:30:00Z", "2024-05-10T10:30:00Z"),
        ("36h", BY_HOUR, "2024-05-08T22:00:00Z", "2024-05-10T10:00:00Z"),
        ("7d", BY_HOUR, "2024-05-03T10:00:00Z", "2024-05-10T10:00:00Z"),
        ("40d", BY_DAY, "2024-03-31T00:00:00Z", "2024-05-10T00:00:00Z"),
    ],
)
def test_a_window_is_whole_cells_that_are_over_by_the_clock(
    last: str, length: int, start: str, end: str
) -> None:
    """Minutes for a day at most, hours for a month, days for a year."""
    assert CellWindow(length, ms(start), ms(end)) == choose_window(parse_duration(last), ms(NOW), ms(NOW))


@pytest.mark.parametrize("last", ["30s", "90s", "1441m", "49.5h", "32.5d", "400d"])
def test_a_window_of_no_whole_cells(last: str) -> None:
    """It is refused, and the error says what would be right."""
    with pytest.raises(ConfigError, match="give whole minutes up to 1 day, whole hours up to 31 days"):
        choose_window(parse_duration(last), ms(NOW), ms(NOW))


def test_minutes_that_are_no_longer_kept_are_taken_from_hours() -> None:
    """Where the hours are kept. Where no cells that fit are, the error says so."""
    long_ago = ms(NOW) - 10 * DAYS
    assert BY_HOUR == choose_window(2 * HOURS, long_ago, ms(NOW)).length
    with pytest.raises(ConfigError, match="no longer kept"):
        choose_window(90 * MINUTES, long_ago, ms(NOW))


async def report(log: MemoryLog, window: CellWindow) -> CohortReport:
    return report_of_cells(await read_window_tallies(log, window))


@pytest.mark.parametrize("partitions", [1, 3])
async def test_the_journeys_opened_in_a_window(partitions: int) -> None:
    """They count by when they were opened, as they stand now: Ann's, who bought later, counts as converted,
    and Bob's was opened after the window.
    """
    log = await written(SHOP[:11], partitions)
    found = await report(log, CellWindow(BY_MINUTE, ms("2024-05-01T00:00:00Z"), ms("2024-05-01T00:10:00Z")))
    assert (1, 1, 1) == (found.journeys.opened, found.journeys.converted, found.journeys.refunded)
    assert {"know": 1, "go": 0, "do": 0, "buy": 1, "truth": 1} == found.been_in
    by_hour = CellWindow(BY_HOUR, ms("2024-05-01T00:00:00Z"), ms("2024-05-01T01:00:00Z"))
    by_minute = by_hour._replace(length=BY_MINUTE)
    hour, minutes = await report(log, by_hour), await report(log, by_minute)
    assert 3 == hour.journeys.opened
    assert TimeToConvert(1, 344.064, 344.064) == hour.time_to_convert  # it is counted by hours
    assert msgspec.structs.replace(hour, time_to_convert=None) == minutes


async def test_a_window_that_is_not_over_yet() -> None:
    """A window is over once the slowest partition that reads anything has read past its end."""
    log = await written([did("u:ann", "look", 0), did("u:bob", "look", 30)])
    stored = [decode_checkpoint(raw) for raw in await log.checkpoints() if raw is not None]
    end = "2024-05-01T00:30:00Z"
    assert window_report(CellWindow(BY_MINUTE, 0, ms(end)), all_read_to_ms(stored)).over
    later = window_report(CellWindow(BY_MINUTE, 0, ms(end) + MINUTES), all_read_to_ms(stored))
    assert (False, "2024-05-01T00:30:00.000Z") == (later.over, later.read_to)
    behind = Checkpoint(1, b"", watermark_ms=ms(end) - 1, timers_fired_ms=ms(end) - 1)
    assert not window_report(CellWindow(BY_MINUTE, 0, ms(end)), all_read_to_ms([*stored, behind])).over
    idle = Checkpoint(1, b"", watermark_ms=ms(end) - 1, timers_fired_ms=ms(end) + 1)
    assert window_report(CellWindow(BY_MINUTE, 0, ms(end)), all_read_to_ms([*stored, idle])).over
    assert [] == read_to_times([None, Checkpoint(1, b"")])
    assert None is window_report(CellWindow(BY_MINUTE, 0, ms(end)), all_read_to_ms([])).read_to
