"""What a replay of some files would read, repair and refuse, as a page."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from streams.cli.render.tables import plain_grid
from streams.cli.screen import percent, plural, printable, span_text, time_text
from streams.queries.input_check import InputReport, RefusedItems

SHOWN_NAMES = 20  # that no rule reads: the most frequent ones


def render(report: InputReport) -> RenderableType:
    """The report, from what is read to what is not."""
    grid = plain_grid()
    grid.add_row("files", f"{plural(len(report.files), 'file')}, {plural(report.rows, 'row')}")
    grid.add_row("events", _events(report))
    grid.add_row("read as", _counts(report.formats) or "nothing")
    if report.first is not None and report.last is not None:
        grid.add_row("time", f"{time_text(report.first)} to {time_text(report.last)} UTC")
        grid.add_row("order", _order(report))
    grid.add_row("people", _people(report))
    grid.add_row("purchases", _purchases(report))
    grid.add_row("moments", _counts(report.moments) or "none")
    grid.add_row("repaired", _counts(report.repaired) or "nothing")
    parts: list[RenderableType] = [grid]
    if report.refused:
        parts += ["", f"[red]{report.refused_items:,} refused[/]", *map(_refused, report.refused)]
    if report.unread:
        parts += ["", "names that no rule reads", _unread(report)]
    parts += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return Group(*parts)


def _events(report: InputReport) -> str:
    text = f"{report.events:,} can be read, {report.refused_items:,} are refused"
    counted = (
        (report.empty, "hold no event"),
        (report.robots, "are of robots"),
        (report.without_consent, "are of people who refused consent"),
    )
    return text + "".join(f", {count:,} {what}" for count, what in counted if count)


def _order(report: InputReport) -> str:
    if not report.disorder_s:
        return "in order of time"
    would = "a replay sorts them" if report.sorted else "little enough that a replay leaves it so"
    return f"up to {span_text(report.disorder_s)} out of order: {would}"


def _people(report: InputReport) -> str:
    about = "" if report.people_exact else "about "
    return (
        f"{about}{report.people:,}; {percent(report.with_user, 1)} of the events have a user, "
        f"{percent(report.with_device, 1)} a device"
    )


def _purchases(report: InputReport) -> str:
    share = f"; {percent(report.with_order, 1)} of them have an order id" if report.purchases else ""
    return f"{report.purchases:,}{share}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _refused(refused: RefusedItems) -> RenderableType:
    lines = [Text(f"  {refused.items:,} {refused.reason}")]
    for sample in refused.samples:
        lines.append(Text(f"    {printable(sample['detail'])}", style="dim"))
        lines.append(
            Text(f"    {printable(sample['value'])}", style="dim", no_wrap=True, overflow="ellipsis")
        )
    return Group(*lines)


def _unread(report: InputReport) -> RenderableType:
    grid = plain_grid()
    for unread in report.unread[:SHOWN_NAMES]:
        grid.add_row(f"{unread.events:,}", Text(f"{unread.type} {printable(unread.name)}".strip()))
    left = len(report.unread) - SHOWN_NAMES
    return Group(grid, f"and {left:,} more: --json has them all") if left > 0 else grid
