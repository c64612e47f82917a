"""Durations as people write them ("90s", "30m", "4h", "3d") and as the program counts them: whole milliseconds."""

import re
from fractions import Fraction

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000  # in milliseconds
UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
MAX_DURATION = (
    3_650 * DAY
)  # ten years: what is longer is a slip of the unit, and would overflow no sooner than it would surprise
WANTED = "write a number and a unit, such as 90s, 30m, 4h or 3d, or a number of seconds"

_TEXT = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)?", re.ASCII)


def parse_duration(value: object) -> int:
    """Milliseconds of a text with a unit, or of a number of seconds. Raises ValueError, whose text says what would be right."""
    match = (
        _TEXT.fullmatch(str(value).strip())
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else None
    )
    if match is None:
        raise ValueError(f"is no duration: {WANTED}")
    ms = Fraction(match[1]) * UNITS[match[2] or "s"]
    if ms.denominator != 1:
        raise ValueError("is finer than a millisecond")
    if ms > MAX_DURATION:
        raise ValueError(f"is longer than {duration_text(MAX_DURATION)}: {WANTED}")
    return int(ms)


def duration_text(ms: int) -> str:
    """An exact text in the largest unit that fits: `4h`, `90s`; days from three on (`48h`, `3d`). `parse_duration` reads it back."""
    unit = (
        next(unit for unit, size in UNITS.items() if ms % size == 0 and (unit != "d" or ms >= 3 * DAY))
        if ms
        else "s"
    )
    return f"{ms // UNITS[unit]}{unit}"
