"""Durations as people write them (`90s`, `30m`, `4h`, `3d`) and as the program counts them (milliseconds)."""

import re
from fractions import Fraction

SECONDS, MINUTES, HOURS, DAYS = 1_000, 60_000, 3_600_000, 86_400_000  # in milliseconds: 4 * HOURS
UNITS = {"d": DAYS, "h": HOURS, "m": MINUTES, "s": SECONDS, "ms": 1}
MAX_DURATION_MS = 3_650 * DAYS  # ten years: a longer one is a slip of the unit
EXAMPLES = "write a number and a unit, such as 90s, 30m, 4h or 3d, or a number of seconds"

_PATTERN = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)?", re.ASCII)


def parse_duration(value: object) -> int:
    """The milliseconds of a text with a unit, or of a number of seconds.

    Raises ValueError, whose text says what would be right.
    """
    is_written = isinstance(value, str | int | float) and not isinstance(value, bool)
    match = _PATTERN.fullmatch(str(value).strip()) if is_written else None
    if match is None:
        raise ValueError(f"is no duration: {EXAMPLES}")
    ms = Fraction(match[1]) * UNITS[match[2] or "s"]
    if ms.denominator != 1:
        raise ValueError("is finer than a millisecond")
    if ms > MAX_DURATION_MS:
        raise ValueError(f"is longer than {duration_text(MAX_DURATION_MS)}: {EXAMPLES}")
    return int(ms)


def duration_text(ms: int) -> str:
    """An exact text in the largest unit that fits (`90s`, `4h`), which `parse_duration` reads back.

    Days begin at three: `48h`, then `3d`.
    """
    if not ms:
        return "0s"
    unit = next(unit for unit, size in UNITS.items() if ms % size == 0 and (unit != "d" or ms >= 3 * DAYS))
    return f"{ms // UNITS[unit]}{unit}"
