"""What the demo shows of the shop: the funnel, steps, stays and silences, and what to try next."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.cli.render import demo_guests, timeline
from streams.cli.render.funnel import render_events, render_moments, render_totals
from streams.cli.render.tables import plain_grid
from streams.cli.screen import MOMENT_COLOURS, bar, bar_columns, moment_text, percent, span_text
from streams.queries.cell_table import Counted
from streams.queries.cohorts import FUNNEL_MOMENTS
from streams.queries.funnel import Funnel
from streams.queries.histograms import Bucket, quantile_s
from streams.queries.tallies import count_by_hour_of_week, count_moves, dwell_histograms
from streams.queries.timeline import Timeline

if TYPE_CHECKING:
    from streams.cli.demo_guests import Guests

BUSIEST_STEPS = 6
STEPS_BAR_COLUMNS = 28
SILENCE_BAR_COLUMNS = 14
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHADES = " ░▒▓█"


class Findings(NamedTuple):
    """Everything that the demo shows."""

    data_dir: Path
    records: int
    seconds: float
    funnel: Funnel
    tallies: Sequence[Counted]
    late: Counter[str]  # by reason
    rejected: Counter[str]  # by reason
    example: Timeline | None
    guests: "Guests"
    command: str  # this program, as it can be typed here


def opening() -> RenderableType:
    """What is about to happen."""
    moments = " → ".join(moment_text(moment) for moment in FUNNEL_MOMENTS)
    return Group(
        "",
        f"[bold]A real online shop[/], {moments}: from the first look to the purchase.",
        "[dim]Computed now from the shop's own events, by the program that you would put beside your "
        "Kafka.[/]",
        "",
    )


def render(found: Findings) -> RenderableType:
    """All of it, in the order of reading."""
    rate = found.records / found.seconds
    parts = [
        f"[dim]{found.records:,} events, each committed to disk exactly once, in {found.seconds:.1f} s "
        f"({rate:,.0f}/s). They are in {found.data_dir}.[/]",
        _head("How far they came"),
        render_totals(found.funnel),
        "",
        render_moments(found.funnel),
        _head("The busiest steps"),
        _busiest_steps(found.tallies),
        _head("How long they stay, where they fall silent"),
        _stays(found.tallies),
        _head("When they buy, by the hour of the week"),
        _week(found.tallies),
        _head("What became of each event"),
        render_events(found.funnel.events),
        _dead_letters(found.late, found.rejected),
    ]
    if found.example is not None:
        parts += [_head("One of them"), timeline.render(found.example)]
    parts += [demo_guests.render(found.guests), _head("Try next"), _next_commands(found)]
    return Group(*parts)


def _head(text: str) -> RenderableType:
    return Group("", Rule(f"[bold]{text}[/]", align="left", style="dim"))


def _busiest_steps(tallies: Sequence[Counted]) -> Table:
    kinds = ("opened", "advanced", "returned", "converted")
    counts = [(n, move) for move, n in count_moves(tallies).items() if move.kind in kinds]
    counts.sort(key=lambda row: (-row[0], row[1].kind))
    table = plain_grid()
    for n, move in counts[:BUSIEST_STEPS]:
        where = moment_text(move.to)
        if move.from_:
            where = f"{moment_text(move.from_)} → {where}"
        colour = MOMENT_COLOURS[move.to or "know"]
        table.add_row(move.kind, where, f"{n:,}", Text(bar(n, counts[0][0], STEPS_BAR_COLUMNS), style=colour))
    return table


def _stays(tallies: Sequence[Counted]) -> Table:
    """A row per moment: how long people stay in it, and how many journeys fell silent there."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("in")
    for heading in ("half stay less than", "9 of 10 less than", "stays ended", "fell silent", "came back"):
        table.add_column(heading, justify="right")
    table.add_column("")
    histograms, moves = dwell_histograms(tallies), count_moves(tallies)
    stalled = Counter({move.from_: n for move, n in moves.items() if move.kind == "stalled"})
    resumed = Counter({move.from_: n for move, n in moves.items() if move.kind == "resumed"})
    most, columns = max(stalled.values(), default=0), bar_columns(SILENCE_BAR_COLUMNS)
    for moment in FUNNEL_MOMENTS[:-1]:
        histogram = histograms.get(moment)
        if histogram is None and not stalled[moment]:
            continue
        cells = [
            moment_text(moment),
            *_quantiles(histogram),
            f"{stalled[moment]:,}",
            percent(resumed[moment], stalled[moment]),
        ]
        table.add_row(*cells, Text(bar(stalled[moment], most, columns), style="yellow"))
    return table


def _quantiles(histogram: Counter[Bucket] | None) -> tuple[str, str, str]:
    """The median, the time that nine of ten do not exceed, and how many stays there were."""
    if histogram is None:
        return "", "", "0"
    median_s, most_s = quantile_s(histogram, 0.5), quantile_s(histogram, 0.9)
    return span_text(median_s), span_text(most_s), f"{histogram.total():,}"


def _week(tallies: Sequence[Counted]) -> RenderableType:
    """A week in shades: a row per day, a character per hour.

    In these events it is nearly flat, and the text gives the reason.
    """
    counts = count_by_hour_of_week(tallies, frozenset({"truth"}))
    most = max(counts) or 1
    table = plain_grid()
    table.add_row("", "[dim]0     6     12    18   [/]", "")
    for n, weekday in enumerate(WEEKDAYS):
        day = counts[n * 24 : n * 24 + 24]
        shades = "".join(SHADES[-(-count * (len(SHADES) - 1) // most)] for count in day)
        table.add_row(f"[dim]{weekday}[/]", f"[green]{shades}[/]", f"{sum(day):,}")
    return Group(table, "[dim]Nearly flat: the hours were shifted before these events were published.[/]")


def _dead_letters(late: Mapping[str, int], rejected: Mapping[str, int]) -> str:
    """How many records were late or rejected, and why."""
    counts = []
    for kind, reasons in (("late", late), ("rejected", rejected)):
        by_reason = ", ".join(f"{n:,} {reason}" for reason, n in sorted(reasons.items(), key=lambda r: -r[1]))
        counts.append(f"{sum(reasons.values()):,} {kind}" + (f" ({by_reason})" if by_reason else ""))
    kept = "kept with the reason, as they came" if late or rejected else "every event could be read, in time"
    return f"[dim]{' and '.join(counts)}: {kept}.[/]"


def _serving(found: Findings) -> str:
    """The demo once more, with its live part."""
    return f"{found.command} demo --serve --data-dir {shlex.quote(str(found.data_dir))}"


def _next_commands(found: Findings) -> RenderableType:
    """Commands that work as they are printed."""
    command, option = found.command, f"--data-dir {shlex.quote(str(found.data_dir))}"
    profile = "PROFILE" if found.example is None else shlex.quote(found.example.profile)
    rows = (
        ("one person's journeys", f"{command} journey {profile} {option}"),
        (
            "a generated shopper's journeys",
            f"{command} journey {found.guests.user} --data-dir {shlex.quote(str(found.guests.data_dir))}",
        ),
        ("who fell silent", f"{command} transitions {option} --kind stalled"),
        ("the counters, for machines", f"{command} funnel {option} --json"),
        ("compute everything again and compare", f"{command} verify {option}"),
        ("how a search is read", f"{command} explain 'Concessionaria Honda vicino'"),
        ("your own events, whatever tool wrote them", f"{command} run --data-dir data/mine < events.jsonl"),
        ("a live page, with every person's story", f"{command} dashboard {option}"),
        ("a live page with generated shoppers, who come while you look", _serving(found)),
    )
    lines: list[RenderableType] = []
    for meaning, typed in rows:
        lines += [f"[dim]# {meaning}[/]", Text(typed, style="bold", no_wrap=True, overflow="ignore")]
    return Group(*lines)
