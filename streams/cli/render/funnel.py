"""The funnel as a picture: how many journeys reached each moment, and how the others ended."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streams.cli.render.amounts import amount_cell
from streams.cli.render.unmatched import unmatched_texts
from streams.cli.screen import (
    MOMENT_COLOURS,
    bar,
    bar_columns,
    count_text,
    moment_text,
    percent,
    plural,
    span_text,
    time_text,
)
from streams.queries.cohorts import (
    FUNNEL_MOMENTS,
    CohortReport,
    JourneyCounts,
    Revenue,
    TimeToConvert,
    reached,
)
from streams.queries.funnel import NO_JOURNEY, EventCounts, Funnel
from streams.queries.funnel_window import FunnelWindow

REACHED_BAR_COLUMNS = 15
EVENTS_BAR_COLUMNS = 60

OUTCOMES_SHOWN = ("abandoned", "open", "stalled", "converted", "refunded")
EVENT_COLOURS = {
    "applied": "green",
    "refused": "magenta",
    "robot": "cyan",
    "no_signal": "bright_black",
    "duplicate": "blue",
    "late": "yellow",
    "rejected": "red",
}


def render_report(given: Mapping[str, Any], whole: Funnel | CohortReport) -> RenderableType:
    """The funnel over all time, or of the window and the need that are given, and what was read for it."""
    parts: list[RenderableType] = []
    if (window := given.get("window")) is not None:
        parts += _window(window)
    if "need" in given:
        parts.append(_need(given["need"], given["transitions_from"], given["cut_journeys"]))
    if isinstance(whole, Funnel):
        parts += [render_totals(whole), *_time_to_convert(whole.time_to_convert), *_stitched(whole)]
        parts += [*_money(whole), "", render_moments(whole), ""]
        if whole.cues:
            parts += [render_cues(whole.cues), ""]
        parts.append(render_events(whole.events))
        if whole.repaired:
            parts.append(f"[dim]{render_repaired(whole.repaired)}[/]")
    else:
        when = "in this window: " if window is not None else ""
        paid = [f"{when}{line}" for line in _revenue(whole.revenue)]
        took = _time_to_convert(whole.time_to_convert)
        parts += [_journeys(whole.journeys), *took, *paid, "", render_moments(whole)]
    return Group(*parts)


def _window(window: FunnelWindow) -> list[RenderableType]:
    line = f"journeys opened from [bold]{time_text(window.start)}[/] to [bold]{time_text(window.end)}[/] UTC"
    if window.over:
        return [line]
    read = "nothing has" if window.read_to is None else f"events up to {time_text(window.read_to)} have"
    return [line, f"[yellow]not over yet[/]: {read} been read"]


def _need(need: str, oldest: str | None, cut: int) -> RenderableType:
    about = f"about [bold]{escape(need)}[/]" if need else "about the need without a name"
    if oldest is None:
        return f"{about}, from the transitions: there are none"
    line = f"{about}, from the transitions, which go back to {time_text(oldest)}"
    return f"{line}; {plural(cut, 'journey')} began before, left out" if cut else line


def render_totals(funnel: Funnel) -> RenderableType:
    """How many people and journeys there are."""
    return Group(
        f"[bold]{funnel.profiles:,}[/] people, [bold green]{funnel.profiles_converted:,}[/] of them bought "
        f"([bold]{percent(funnel.profiles_converted, funnel.profiles)}[/])",
        _journeys(funnel.journeys),
    )


def _journeys(j: JourneyCounts) -> str:
    return (
        f"[bold]{j.opened:,}[/] journeys: [green]{j.converted:,} converted[/] "
        f"({percent(j.converted, j.opened)}; {j.refunded:,} refunded later), [red]{j.abandoned:,} "
        f"abandoned[/], [cyan]{j.open:,} open[/] ({j.stalled:,} stalled)"
    )


def _time_to_convert(took: TimeToConvert | None) -> list[RenderableType]:
    """How long it took from the opening to the purchase."""
    if took is None:
        return []
    return [
        f"half of those that bought took up to [bold]{span_text(took.p50_s)}[/] from the first step, nine "
        f"of ten up to [bold]{span_text(took.p90_s)}[/]"
    ]


def _stitched(funnel: Funnel) -> list[RenderableType]:
    """How many purchases have a guest's steps before them, and how many have none at all."""
    bought = funnel.journeys.converted
    if not bought:
        return []
    stitched, nowhere = funnel.stitched, funnel.from_nowhere
    return [
        f"of the purchases [bold]{percent(stitched, bought)}[/] ({stitched:,}) have a guest's steps before "
        f"them, {percent(nowhere, bought)} ({nowhere:,}) come from nowhere"
    ]


def _money(funnel: Funnel) -> list[RenderableType]:
    """A line for each currency, and one for what found nothing."""
    lines: list[RenderableType] = [*_revenue(funnel.revenue)]
    missing = unmatched_texts(funnel.unmatched_refunds, funnel.unmatched_updates)
    if funnel.unread_amounts:
        missing.append(f"{plural(funnel.unread_amounts, 'amount')} that cannot be read")
    return [*lines, f"[yellow]{', '.join(missing)}[/]"] if missing else lines


def _revenue(revenue: Revenue) -> list[str]:
    """A line for each currency: what was bought, and what refunds gave back."""
    lines = []
    for currency, kinds in revenue.items():
        bought = kinds.get("converted", 0)
        back = bought - sum(kinds.values())
        given = f", {amount_cell(back, currency)} given back" if back else ""
        lines.append(f"bought for [bold green]{amount_cell(bought, currency)}[/]{given}")
    return lines


def render_moments(found: Funnel | CohortReport) -> Table:
    """A row per moment: how many journeys reached it, how many have been in it, and the outcomes of those
    that came no further.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    columns = bar_columns(REACHED_BAR_COLUMNS)
    table.add_column("moment")
    table.add_column("reached", justify="right")
    table.add_column("", justify="right")
    table.add_column("", width=columns)
    table.add_column("been in", justify="right")
    for heading in OUTCOMES_SHOWN:
        table.add_column(heading, justify="right")
    opened = found.journeys.opened
    for n, moment in enumerate(FUNNEL_MOMENTS):
        so_far, ended_here = reached(found.furthest, FUNNEL_MOMENTS[n:]), found.furthest[moment]
        table.add_row(
            moment_text(moment),
            f"{so_far:,}",
            f"[dim]{percent(so_far, opened)}[/]",
            Text(bar(so_far, opened, columns), style=MOMENT_COLOURS[moment]),
            count_text(found.been_in[moment]),
            *(count_text(getattr(ended_here, outcome)) for outcome in OUTCOMES_SHOWN),
        )
    return table


def render_cues(cues: Mapping[str, Mapping[str, int]]) -> Table:
    """A row per cue: how often it was in each moment, and outside of every journey."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("cue")
    for heading in (*FUNNEL_MOMENTS, NO_JOURNEY):
        table.add_column(heading, justify="right")
    for cue, counts in cues.items():
        table.add_row(cue, *(count_text(counts.get(where, 0)) for where in (*FUNNEL_MOMENTS, NO_JOURNEY)))
    return table


def render_events(counts: EventCounts) -> RenderableType:
    """How events ended, in words and as one bar."""
    strip, words = Text(), Text(f"{counts.received:,} events: ")
    for name, colour in EVENT_COLOURS.items():
        n = getattr(counts, name)
        strip.append(bar(n, counts.received, EVENTS_BAR_COLUMNS)[:EVENTS_BAR_COLUMNS], style=colour)
        separator = "" if name == "applied" else ", "
        words.append(f"{separator}{n:,} {name.replace('_', ' ')}", style=colour if n else "dim")
    return Group(words, strip)


def render_repaired(repaired: Mapping[str, int]) -> str:
    """How many events were repaired, by kind. The kinds are not added up: an event can have several."""
    return "repaired: " + ", ".join(f"{count:,} {kind}" for kind, count in repaired.items())


def render_groups(dimension: str, groups: Mapping[str, CohortReport]) -> RenderableType:
    """A row per value of a dimension."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column(dimension)
    for heading in ("journeys", "reached buy", "been in buy", "converted", ""):
        table.add_column(heading, justify="right")
    table.add_column("", width=REACHED_BAR_COLUMNS)
    has_revenue = any(group.revenue for group in groups.values())
    if has_revenue:
        table.add_column("revenue", justify="right")
    for value, group in groups.items():
        opened, converted = group.journeys.opened, group.journeys.converted
        counts = (opened, reached(group.furthest, ("buy", "truth")), group.been_in["buy"], converted)
        table.add_row(
            value,
            *(f"{n:,}" for n in counts),
            percent(converted, opened),
            Text(bar(converted, opened, REACHED_BAR_COLUMNS), style="green"),
            *(["\n".join(_left(group.revenue))] * has_revenue),
        )
    return Group("", table)


def _left(revenue: Revenue) -> list[str]:
    """What is left of purchases after refunds, of each currency."""
    return [amount_cell(sum(kinds.values()), currency) for currency, kinds in revenue.items()]
