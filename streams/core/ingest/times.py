"""Turns timestamps into whole milliseconds, exactly: rounding could move an event across a deadline.

The form is RFC 3339 as collectors and exports write it: a T or a space, any offset (none means UTC) and any
number of fraction digits. `UTC` behind a space and offsets without a colon or minutes are read too: exports
of warehouses have them.
"""

import re
from datetime import UTC, date, datetime

MINUTE_MS = 60_000
DAY_MINUTES = 1440
QUARTER_MINUTES = 15

EARLIEST_MS = 946_684_800_000  # 2000-01-01: an earlier time comes from a clock that was never set
LATEST_MS = 7_258_118_400_000  # 2200-01-01 (excluded): a later time is in another unit

MAX_MINUTES = 16_384  # minutes that are remembered by their text: eleven days of a stream, about 2 MB

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:[Zz]| UTC| ?([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?",
    re.ASCII,
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SECONDS = {f":{second:02d}": second * 1000 for second in range(61)}
_FRACTIONS = {"": 0, "Z": 0} | {f".{ms:03d}Z": ms for ms in range(1000)}
_minutes: dict[str, int] = {}  # "2024-05-01T10:00" -> milliseconds since 1970


def parse_time(text: str) -> tuple[int, int] | None:
    """(milliseconds since 1970 UTC, UTC offset in quarter hours), both floored; None if it is no time.

    A leap second (`:60`) is the first instant of the next minute. The caller judges times outside EARLIEST_MS
    .. LATEST_MS.
    """
    # Nearly every time looks like "2024-05-01T10:00:13.273Z", and its three pieces are known already.
    fraction_ms = _FRACTIONS.get(text[19:])
    if fraction_ms is not None:
        minute_ms, second_ms = _minutes.get(text[:16]), _SECONDS.get(text[16:19])
        if minute_ms is not None and second_ms is not None:
            return minute_ms + second_ms + fraction_ms, 0
    return _instant(text)


def _instant(text: str) -> tuple[int, int] | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError:  # a 30th of February
        return None
    minute_ms = (days * DAY_MINUTES + int(hour) * 60 + int(minute)) * MINUTE_MS
    if len(_minutes) >= MAX_MINUTES:
        _minutes.clear()
    _minutes[text[:16]] = minute_ms
    at_ms = minute_ms + int(second) * 1000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)
    if sign is None:
        return at_ms, 0
    east_minutes = (int(offset_hour) * 60 + int(offset_minute or 0)) * (-1 if sign == "-" else 1)
    return at_ms - east_minutes * MINUTE_MS, east_minutes // QUARTER_MINUTES


def time_of_epoch(digits: str) -> str | None:
    """The RFC 3339 text of an epoch number: 10 digits are seconds, 13 milliseconds, 16 microseconds.

    Returns None for anything else.
    """
    if len(digits) not in (10, 13, 16) or not (digits.isascii() and digits.isdigit()):
        return None
    whole = datetime.fromtimestamp(int(digits[:10]), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{digits[10:]}Z" if len(digits) > 10 else f"{whole}Z"
