"""Every form of a time that senders write is read as what it says, or refused: none is misread."""

from typing import Any

import pytest

from streams.core.ingest.draft import Stamp, Unit
from streams.core.ingest.stamps import read_stamp

AT = 1_716_200_000_000  # 2024-05-20T10:13:20Z
HOUR = 3_600_000
ROME = "Europe/Rome"  # two hours east in May

READ: list[tuple[Any, int, bool]] = [  # value, ms, whether it counts as repaired
    ("2024-05-20T10:13:20Z", AT, False),
    ("2024-05-20t10:13:20z", AT, False),
    ("2024-05-20 10:13:20Z", AT, False),
    ("2024-05-20T10:13:20.1Z", AT + 100, False),
    ("2024-05-20T10:13:20.123456789Z", AT + 123, False),
    ("2024-05-20T12:13:20+02:00", AT, False),
    ("2024-05-20T12:13:20+0200", AT, False),
    ("2024-05-20T12:13:20+02", AT, False),
    ("2024-05-20 12:13:20 +02:00", AT, False),
    ("2024-05-20 10:13:20.000 UTC", AT, False),
    ("2024-05-20T10:13:20", AT, False),
    ("2024-05-20T10:12:60Z", AT - 20_000, False),
    (" 2024-05-20T10:13:20Z ", AT, False),
    ("2024-05-20T10:13:20,5Z", AT + 500, True),
    (1_716_200_000, AT, True),
    (1_716_200_000_000, AT, True),
    (1_716_200_000_000_000, AT, True),
    (1_716_200_000.0, AT, True),
    ("1716200000", AT, True),
    ("1716200000000", AT, True),
]
REFUSED: list[Any] = [
    "", "now", "2024-05-20", "2024-05", "20240520T101320Z", "2024-05-20T10:13Z", "2024-05-20T10.13.20Z",
    "2024-05-20T24:00:00Z", "2024-05-20T10:60:00Z", "2024-02-30T00:00:00Z", "2024-05-20T10:13:20.Z",
    "2024-05-20T10:13:20.123Z[Europe/Rome]", "Mon, 20 May 2024 10:13:20 GMT",
    "Mon May 20 2024 12:13:20 GMT+0200 (CEST)", "20/05/2024 10:13:20", "05/20/2024 10:13:20",
    "2024-05-20T10:13:20 PM", "10:13:20 PM", "2024-05-20T10:13:20 am+0400", "2024/05/20 10:13:20",
    "\u0662\u0660\u0662\u0664-05-20T10:13:20Z", "2567-05-20T10:13:20Z",
    "0027-05-20T10:13:20Z", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "2024-05-20T10:13:20CEST", "2024-05-20T10:13:20+25:00", "-1716200000",
    "1716200000.5", "17162000000", "171620000000000000000", "0x66", "Infinity", "Invalid Date",
    0, -1, 17, 171_620_000, 1.5, float("nan"), float("inf"), True, None, [], {}, ["2024-05-20T10:13:20Z"],
]  # fmt: skip


@pytest.mark.parametrize(("value", "at_ms", "repaired"), READ)
def test_forms_that_are_read(value: Any, at_ms: int, repaired: bool) -> None:
    """Each of these can be read in one way only."""
    found = read_stamp(Stamp("t", value), None)
    assert found is not None
    assert (at_ms, repaired) == (found.at_ms, found.repaired)


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_forms_that_are_refused(value: Any) -> None:
    """Each of these could be read in another way, or is no time of this century or the next."""
    assert read_stamp(Stamp("t", value), None) is None


@pytest.mark.parametrize(
    ("value", "unit", "zone", "at_ms"),
    [
        ("2024-05-20T12:13:20", Unit.TEXT, ROME, AT),  # local time, with its zone beside it
        ("2024-05-20T10:13:20Z", Unit.TEXT, ROME, AT),
        ("2024-05-20T10:13:20", Unit.UTC_TEXT, ROME, AT),  # a format whose times are in UTC
        ("2024-05-20T10:13:20", Unit.TEXT, "Nowhere/Land", AT),
        ("2024-10-27T02:30:00", Unit.TEXT, ROME, 1_729_989_000_000),  # shown twice: the first
        ("2024-03-31T02:30:00", Unit.TEXT, ROME, 1_711_848_600_000),  # skipped: as long after the change
        ("2024-01-20T10:00:00", Unit.TEXT, ROME, 1_705_741_200_000),
    ],
)
def test_times_without_an_offset(value: str, unit: Unit, zone: str, at_ms: int) -> None:
    """They are in the zone that is named, else in UTC."""
    found = read_stamp(Stamp("t", value, unit), zone)
    assert found is not None
    assert at_ms == found.at_ms


@pytest.mark.parametrize(
    ("value", "unit", "at_ms"),
    [
        (1_716_200_000, Unit.SECONDS, AT),
        ("1716200000", Unit.SECONDS, AT),
        (1_716_200_000.25, Unit.SECONDS, AT + 250),
        ("1716200000.9999999", Unit.SECONDS, AT + 999),
        (1_716_200_000_000, Unit.MILLISECONDS, AT),
        ("1716200000000123", Unit.MICROSECONDS, AT),
        (1_716_200_000_999_999, Unit.MICROSECONDS, AT + 999),
    ],
)
def test_numbers_of_a_known_unit(value: Any, unit: Unit, at_ms: int) -> None:
    """They are floored to milliseconds, exactly."""
    found = read_stamp(Stamp("t", value, unit), None)
    assert found is not None
    assert at_ms == found.at_ms


@pytest.mark.parametrize("value", [1_716_200_000, "", "x", "1e9", -5, True, None, [], float("nan")], ids=repr)
def test_numbers_that_are_refused(value: Any) -> None:
    """A number of another unit lies outside of the years, and whatever is no number is none."""
    assert read_stamp(Stamp("t", value, Unit.MICROSECONDS), None) is None
