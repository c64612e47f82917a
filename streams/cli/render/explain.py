"""How the rules read something, as a few rows."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from streams.cli.screen import MOMENT_COLOURS


def render(text: str, report: Mapping[str, Any]) -> Table:
    """What was read and how, which moment by which rule, and what it means for a journey."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row(report["read_as"], Text(text, style="bold"))
    if report.get("format"):
        grid.add_row("format", report["format"])
    if report.get("repairs"):
        grid.add_row("repaired", Text(", ".join(report["repairs"])))
    if report.get("clock_error_s"):
        ahead = "ahead" if report["clock_error_s"] > 0 else "behind"
        grid.add_row("clock", f"{abs(report['clock_error_s']):g} s {ahead}")
    if report.get("filled_in"):
        grid.add_row("made up", Text(", ".join(report["filled_in"])))
    if "rejected" not in report:
        colour = MOMENT_COLOURS.get(report["moment"], "")
        grid.add_row("moment", Text(report["moment"], style=f"bold {colour}".strip()))
        if report["rule"] is not None:
            grid.add_row("rule", f"{report['rule']}, confidence {report['confidence']:g}")
            grid.add_row("matched", Text(report["matched"]))
        if report.get("cue"):
            grid.add_row("cue", f"{report['cue']}, by rule {report['cue_rule']}")
    grid.add_row("means", Text(report["meaning"]))
    grid.add_row("rules", report["rules"])
    return grid
