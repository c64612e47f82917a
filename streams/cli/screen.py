"""The parts of everything on the screen: the console, colours, and numbers and times in few characters."""

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MAX_SCREEN_COLUMNS = 100  # wider lines are hard to read; it is also the width where there is no terminal
MIN_BAR_COLUMNS = 4

MOMENT_COLOURS = {"know": "cyan", "go": "blue", "do": "magenta", "buy": "yellow", "truth": "green"}
OUTCOME_COLOURS = {
    "open": "cyan",
    "stalled": "yellow",
    "converted": "green",
    "abandoned": "red",
    "refunded": "magenta",
}
FULL_BLOCK, EIGHTHS_OF_BLOCK = "█", " ▏▎▍▌▋▊▉"
TIME_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@cache
def console() -> "Console":
    """The console that prints to standard output."""
    from rich.console import Console

    made = Console(highlight=False)
    if made.width > MAX_SCREEN_COLUMNS or not made.is_terminal:
        made.width = MAX_SCREEN_COLUMNS
    return made


def emit_line(line: bytes) -> None:
    """Prints one line for machines to standard output. A command that does so prints nothing else there."""
    sys.stdout.buffer.write(line + b"\n")


def moment_text(moment: str | None) -> str:
    """A moment in its colour; None is a dash."""
    return f"[{MOMENT_COLOURS[moment]}]{moment}[/]" if moment else "[dim]-[/]"


def count_text(n: int) -> str:
    """A number. Zero is dim, so that the others stand out."""
    return f"{n:,}" if n else "[dim]0[/]"


def plural(n: int, noun: str) -> str:
    """A number of things: 1 event, 2,000 events."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def bar_columns(wanted: int) -> int:
    """The width of a bar on this screen. Where columns are few, the bars get narrower first."""
    return max(MIN_BAR_COLUMNS, wanted - (MAX_SCREEN_COLUMNS - console().width))


def bar(part: float, whole: float, columns: int) -> str:
    """A bar, drawn in eighths of a character. A part greater than zero always shows."""
    eighths = round(part / whole * columns * 8) if whole else 0
    if part and not eighths:
        eighths = 1
    return (FULL_BLOCK * (eighths // 8) + EIGHTHS_OF_BLOCK[eighths % 8]).rstrip()


def printable(text: str) -> str:
    """The text with escapes for line breaks, for what moves the cursor, and for bytes that were no text."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def span_text(seconds: float | None) -> str:
    """A span of time in its two largest units: 3 d 4 h, 12 min, 8.2 s. None is empty."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = round(seconds), list[str]()
    for size, unit in TIME_UNITS:
        if left >= size or (parts and len(parts) < 2):
            n, left = divmod(left, size)
            if n:
                parts.append(f"{n} {unit}")
            if len(parts) == 2 or not n:
                break
    return " ".join(parts)


def time_text(time: str) -> str:
    """A time of the wire contract to the second, as people read it. It stays UTC."""
    return f"{time[:10]} {time[11:19]}"
