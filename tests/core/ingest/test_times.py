"""Timestamps become whole milliseconds, exactly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest import times
from streams.core.ingest.times import parse_time, time_of_epoch

NOON_MS = 1_716_206_400_000  # 2024-05-20T12:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-20T12:00:00Z", (NOON_MS, 0)),
        ("2024-05-20t12:00:00z", (NOON_MS, 0)),
        ("2024-05-20 12:00:00", (NOON_MS, 0)),
        ("2024-05-20 12:00:00 UTC", (NOON_MS, 0)),
        ("2024-05-20T12:00:00.001Z", (NOON_MS + 1, 0)),
        ("2024-05-20T12:00:00.5Z", (NOON_MS + 500, 0)),
        ("2024-05-20T12:00:00.0019999999Z", (NOON_MS + 1, 0)),
        ("2024-05-20 12:00:00.999999", (NOON_MS + 999, 0)),
        ("2024-05-20T12:00:00.999999999+00:00", (NOON_MS + 999, 0)),
        ("2024-05-20T14:00:00+02:00", (NOON_MS, 8)),
        ("2024-05-20T14:00:00 +0200", (NOON_MS, 8)),
        ("2024-05-20 14:00:00+02", (NOON_MS, 8)),
        ("2024-05-20T08:30:00.25-03:30", (NOON_MS + 250, -14)),
        ("2024-05-20T12:07:00+00:07", (NOON_MS, 0)),
        ("2024-05-20T11:53:00-00:07", (NOON_MS, -1)),
        ("2024-05-20T12:00:00-00:00", (NOON_MS, 0)),
        ("2024-05-20T11:59:60Z", (NOON_MS, 0)),
        ("2024-05-20T11:59:60.500Z", (NOON_MS + 500, 0)),
        ("", None),
        ("2024-05-20", None),
        ("2024-05-20T12:00Z", None),
        ("2024-05-20T12:00:00.Z", None),
        ("2024-05-20T12:00:00,5Z", None),
        ("2024-05-20T24:00:00Z", None),
        ("2024-05-20T12:60:00Z", None),
        ("2024-05-20T12:00:61Z", None),
        ("2024-05-20T12:00:61.000Z", None),
        ("2024-02-30T12:00:00Z", None),
        ("0000-01-01T12:00:00Z", None),
        ("2024-05-20T12:00:00+24:00", None),
        ("2024-05-20T12:00:00ZZ", None),
        (" 2024-05-20T12:00:00Z", None),
        ("2024-05-20T12:00:00Z\n", None),
        ("20240520T120000Z", None),
        ("1716206400000", None),
        ("\u0662\u0660\u0662\u0664-05-20T12:00:00Z", None),
        ("2024-05-20T12:00:00.12\u0663Z", None),
    ],
)
def test_instants(text: str, expected: tuple[int, int] | None) -> None:
    """A timestamp is read in one way the first time and once its minute is known."""
    assert expected == parse_time(text)
    parse_time("2024-05-20T12:00:00Z")
    parse_time("2024-05-20T11:59:00Z")
    assert expected == parse_time(text)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31)),
    st.integers(-95, 95),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_agrees_with_the_calendar(local: datetime, offset: int, precision: str) -> None:
    """Any date at any offset is the instant of the calendar, floored to milliseconds."""
    east = timedelta(minutes=15 * offset)
    cut = local.replace(microsecond=0) if precision == "seconds" else local
    expected = (cut - east - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    sign, minutes = "+-"[offset < 0], abs(15 * offset)
    text = f"{local.isoformat(timespec=precision)}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    assert (expected, offset) == parse_time(text)
    assert (expected + 15 * 60_000 * offset, 0) == parse_time(f"{local.isoformat(timespec=precision)}Z")


def test_the_memory_of_minutes_is_bounded() -> None:
    """A stream of ever new minutes does not grow the process."""
    start = datetime(2001, 1, 1, tzinfo=UTC)
    for n in range(times.MAX_MINUTES + 10):
        parse_time(f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M}:00Z")
    assert len(times._minutes) <= times.MAX_MINUTES


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("1716206400", "2024-05-20T12:00:00Z"),
        ("1716206400001", "2024-05-20T12:00:00.001Z"),
        ("1716206400001002", "2024-05-20T12:00:00.001002Z"),
        ("9999999999", "2286-11-20T17:46:39Z"),
        ("171620640", None),
        ("-716206400", None),
        ("1716206400.5", None),
        ("\u0660716206400", None),
        ("", None),
    ],
)
def test_epoch_numbers(digits: str, expected: str | None) -> None:
    """Plain numbers of seconds, milliseconds and microseconds are told apart by their length."""
    assert expected == time_of_epoch(digits)
