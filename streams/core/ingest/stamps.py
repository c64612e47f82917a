"""Reads one time of a record, in whatever unit its format writes it.

A time that can be read in one way only is read; any other is refused, since a wrong time is worse than none.
docs/input.md lists the forms.
"""

import re
from typing import NamedTuple

from streams.core.ingest.draft import Stamp, Unit
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS, parse_time, time_of_epoch
from streams.core.ingest.zones import instant_of_local

MAX_DIGITS = 19  # of an epoch number: nanoseconds since 1970 have as many until the year 2262
_NS_PER_MS = 1_000_000
_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d{1,19}))?", re.ASCII)
_COMMA = re.compile(r"(:\d\d),(\d+)", re.ASCII)
_OFFSET = re.compile(r"(?:[Zz]| UTC| ?[+-]\d\d(?::?\d\d)?)$", re.ASCII)
_DATE_CHARS = len("2024-05-20")


class ReadTime(NamedTuple):
    """A time that was read."""

    at_ms: int  # since 1970 UTC, within EARLIEST_MS .. LATEST_MS
    utc_offset_quarters: int | None  # None: its text has none
    repaired: bool = False  # it had another form than RFC 3339 or than its unit says
    corrected: bool = False  # the tool has already corrected it by its own clock


def read_stamp(stamp: Stamp, zone: str | None) -> ReadTime | None:
    """The time of a stamp; None if it cannot be read, or lies outside the years 2000 to 2199.

    `zone`: the IANA zone of a text without an offset; None, or an unknown one: UTC.
    """
    value = stamp.value
    if stamp.unit in (Unit.TEXT, Unit.UTC_TEXT):
        if isinstance(value, str):
            found = _text(value.strip(), None if stamp.unit is Unit.UTC_TEXT else zone)
        else:
            found = _epoch(value)
    else:
        found = _number(value, stamp.unit.value)
    if found is None or not EARLIEST_MS <= found.at_ms < LATEST_MS:
        return None
    return found._replace(corrected=True) if stamp.corrected else found


def _text(text: str, zone: str | None) -> ReadTime | None:
    plain = _COMMA.sub(r"\1.\2", text)
    time = parse_time(plain)
    if time is None:
        return _epoch(int(text)) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
    at_ms, quarters = time
    if _OFFSET.search(plain, _DATE_CHARS):
        return ReadTime(at_ms, quarters, plain is not text and plain != text)
    local = instant_of_local(zone, at_ms) if zone else None
    return ReadTime(at_ms, None, plain != text) if local is None else ReadTime(local, None, True)


def _epoch(value: object) -> ReadTime | None:
    """The time of a number whose digits show its unit: 10 are seconds, 13 milliseconds, 16 microseconds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    text = time_of_epoch(str(value))
    time = None if text is None else parse_time(text)
    return None if time is None else ReadTime(time[0], None, True)


def _number(value: object, unit_ns: int) -> ReadTime | None:
    """The time of a number in a known unit, or of its digits. It is floored to milliseconds, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = _NUMBER.fullmatch(str(value).strip())
    if match is None:
        return None
    whole, fraction = match.groups()
    ns = int(whole) * unit_ns + (int(fraction) * unit_ns // 10 ** len(fraction) if fraction else 0)
    return ReadTime(ns // _NS_PER_MS, None)
