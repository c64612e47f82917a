"""What a redrive has done."""

from collections import Counter
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from streams.cli.render.tables import plain_grid
from streams.cli.screen import plural
from streams.queries.redriving import COUNTS, NO_BYTES, NOT_WHOLE, REDRIVEN_BEFORE, Redrove

SHOWN_COUNTERS = 12  # kinds of counters, those that moved most
ENDINGS = {
    "applied": "applied",
    "duplicate": "known already: nothing changed",
    "no_signal": "read, but they say nothing about intent",
    "refused": "of people who refuse to be measured: counted apart",
    "robot": "of robots: counted apart",
    "late": "late again",
    "rejected": "still cannot be read",
    "already": "redriven before, by another command",
}
PASSED_OVER = {
    REDRIVEN_BEFORE: "redriven before: left alone",
    COUNTS: "of events that count, but not in all of their needs or not as a link: left alone",
    NOT_WHOLE: "cut: the dead letter does not hold the whole record, so it cannot be redriven",
    NO_BYTES: "without their bytes: of people who refused consent, so they cannot be redriven",
}


def render(done: Redrove, *, dry_run: bool) -> RenderableType:
    """The receipt: what was sent and passed over, how items ended, and which counters moved."""
    grid = plain_grid()
    would = "would be redriven" if dry_run else "redriven"
    grid.add_row(f"[bold]{done.sent.total():,}[/]", f"{would}{_by(done.sent)}")
    for why, count in done.passed_over.most_common():
        grid.add_row(f"{count:,}", PASSED_OVER[why])
    if dry_run:
        return grid
    for ending, text in ENDINGS.items():
        if count := done.ended[ending]:
            reasons = _by(_reasons(done, ending))
            grid.add_row(f"{count:,}", f"{text}{reasons}")
    if done.of_new_people:
        grid.add_row(f"{done.of_new_people:,}", "of these, of people who were not held: they count as new")
    if done.left_out:
        grid.add_row(f"{done.left_out:,}", "of these, not in all of their needs: there was no place for them")
    if done.waiting:
        grid.add_row(f"{done.waiting.total():,}", "still under way")
    return Group(grid, *_counters(done.counters), Text(f"command {done.command}", style="dim"))


def _reasons(done: Redrove, ending: str) -> Counter[str]:
    return Counter({reason: n for (ended, reason), n in done.reasons.items() if ended == ending})


def _by(reasons: Mapping[str, int]) -> str:
    if not reasons:
        return ""
    return f" ({', '.join(f'{n:,} {reason}' for reason, n in Counter(reasons).most_common())})"


def _counters(counters: Mapping[str, int]) -> list[RenderableType]:
    """What was counted, without windows and dimensions, and by how much it moved."""
    kinds = Counter[str]()
    for cell, change in counters.items():
        kinds[_kind(cell)] += change
    moved = sorted(((kind, n) for kind, n in kinds.items() if n), key=lambda pair: -abs(pair[1]))
    if not moved:
        return []
    grid = plain_grid()
    grid.add_row("", "[dim]counters that moved[/]")
    for kind, change in moved[:SHOWN_COUNTERS]:
        grid.add_row(f"{change:+,}", Text(kind))
    if len(moved) > SHOWN_COUNTERS:
        left = plural(len(moved) - SHOWN_COUNTERS, "other kind")
        grid.add_row("", f"[dim]and {left}; --json names every counter[/]")
    return [grid]


def _kind(cell: str) -> str:
    """What a cell counts: `transitions converted buy truth` of `day/2026-03-02/transitions/converted/...`."""
    window, *parts = cell.split("/")
    measure, *what = parts if window == "all" else parts[1:]
    return " ".join([measure, *what[: PARTS[measure]]])


# How many parts of a cell's name say what is counted, by measure. The length of stay and the hour would make
# a line for each bucket.
PARTS: Mapping[str, int] = {
    "transitions": 3,
    "cohort": 2,
    "dwell": 1,
    "hour_of_week": 1,
    "been_in": 1,
    "cues": 2,
    "revenue": 3,
    "stitched": 1,
    "time_to_convert": 0,
}
