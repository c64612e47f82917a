"""What everything on the screen is made of: the console, colours, numbers and spans of time in few characters."""

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MAX_COLUMNS = 100  # wider lines are hard to read; also where there is no terminal
MIN_BAR = 4
COLOURS = {"know": "cyan", "go": "blue", "do": "magenta", "buy": "yellow", "truth": "green"}
OUTCOME_COLOURS = {
    "open": "cyan",
    "stalled": "yellow",
    "converted": "green",
    "abandoned": "red",
    "refunded": "magenta",
}
FULL, EIGHTHS = "█", " ▏▎▍▌▋▊▉"
SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@cache
def console() -> "Console":
    """Standard output."""
    from rich.console import Console

    made = Console(highlight=False)
    if made.width > MAX_COLUMNS or not made.is_terminal:
        made.width = MAX_COLUMNS
    return made


def emit(line: bytes) -> None:
    """One line for machines on standard output, where nothing else goes then."""
    sys.stdout.buffer.write(line + b"\n")


def moment(name: str | None) -> str:
    """A moment in its colour."""
    return f"[{COLOURS[name]}]{name}[/]" if name else "[dim]-[/]"


def count(n: int) -> str:
    """A number; zero is dim, so that what is there stands out."""
    return f"{n:,}" if n else "[dim]0[/]"


def some(n: int, what: str) -> str:
    """A number of things: 1 event, 2,000 events."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def narrowed(width: int) -> int:
    """A bar's width on this screen: bars give way first where there are fewer columns than we would like."""
    return max(MIN_BAR, width - (MAX_COLUMNS - console().width))


def bar(part: float, whole: float, width: int) -> str:
    """A bar of eighths of a character; whatever is more than nothing shows."""
    eighths = round(part / whole * width * 8) if whole else 0
    if part and not eighths:
        eighths = 1
    return (FULL * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def printable(text: str) -> str:
    """A text without line breaks, what moves the cursor, or bytes that were no text: these are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def span(seconds: float | None) -> str:
    """A span of time in its two largest units: 3 d 4 h, 12 min, 8.2 s."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = round(seconds), list[str]()
    for size, unit in SPANS:
        if left >= size or (parts and len(parts) < 2):
            n, left = divmod(left, size)
            if n:
                parts.append(f"{n} {unit}")
            if len(parts) == 2 or not n:
                break
    return " ".join(parts)


def at(time: str) -> str:
    """An instant to the second, as people read it. It stays UTC."""
    return f"{time[:10]} {time[11:19]}"
