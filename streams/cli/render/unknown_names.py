"""The names of events that no rule has, as a table."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.screen import MOMENT_COLOURS, percent, printable
from streams.queries.unknown_names import UnknownName, UnknownNamesReport

SHOWN_UNKNOWN_NAMES = 30  # the most frequent ones: more than that is no list that a person reads


def render(report: UnknownNamesReport) -> RenderableType:
    """How many events have such a name, then the most frequent names with what was read in them."""
    share = percent(report.unknown / report.events if report.events else 0.0, 1)
    head = Text(f"{report.unknown:,} of {report.events:,} events ({share}) have a name that no rule has")
    if not report.names:
        return Group(head, Text(f"rules {report.rules}", style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title, style in (("events", "bold"), ("name", ""), ("read as", ""), ("by", "dim"), ("first", "dim")):
        table.add_column(
            title, style=style, justify="right" if title == "events" else "left", overflow="fold"
        )
    for name in report.names[:SHOWN_UNKNOWN_NAMES]:
        table.add_row(
            f"{name.events:,}",
            Text(printable(name.name)),
            _read_as(name),
            Text(_by(name)),
            Text(name.example),
        )
    parts: list[RenderableType] = [head, "", table]
    left = len(report.names) - SHOWN_UNKNOWN_NAMES
    if left > 0:
        parts.append(f"and {left:,} more: --json has them all")
    lost = sum(name.read_by.get("unnumbered_purchase", 0) for name in report.names)
    if lost:
        parts.append(
            Text(
                f"{lost:,} of them look like purchases and name no order, so they are not counted as such: "
                "give the name an [[event]] rule of your own (docs/rules.md)",
                style="yellow",
            )
        )
    return Group(*parts, Text(f"rules {report.rules}", style="dim"))


def _read_as(name: UnknownName) -> Text:
    shown = Text()
    for moment, events in sorted(name.moments.items(), key=lambda each: -each[1]):
        if shown:
            shown.append(", ")
        shown.append(moment, style=MOMENT_COLOURS.get(moment, ""))
        if len(name.moments) > 1:
            shown.append(f" {events:,}")
    if name.unsure:
        shown.append(" unsure" if name.unsure == name.events else f" ({name.unsure:,} unsure)")
    return shown


def _by(name: UnknownName) -> str:
    if name.rule is None:
        return "nothing"
    return f"{name.rule} ({name.matched})" if name.matched else name.rule
