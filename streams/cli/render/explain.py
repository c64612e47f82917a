"""How the rules read something, as a few rows."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from streams.cli.screen import MOMENT_COLOURS

_LANGUAGES = {"en": "English", "it": "Italian", "es": "Spanish"}  # of the shipped rules; others by their code
_EVIDENCE = {
    "event": "the event's name",
    "words": "the words of the event's name",
    "query": "the search",
    "page": "the page",
    "cue": "the cue",
}


def render(text: str, report: Mapping[str, Any]) -> Table:
    """What was read and how, which moment by which rule, and what it means for a journey."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row(report["read_as"], Text(text, style="bold"))
    grid.add_row("taken", Text(report["taken"]))
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
            if report["language"]:
                grid.add_row("language", Text(_language_of(report)))
        if report.get("cue"):
            grid.add_row("cue", f"{report['cue']}, by rule {report['cue_rule']}")
    grid.add_row("means", Text(report["meaning"]))
    if report["read_as"] == "record" and len(report.get("asked", ())) > 1:
        grid.add_row("evidence", Text("\n".join(map(_evidence_text, report["asked"]))))
    if report.get("rule") is not None:
        grid.add_row("next", Text(_next_text(report.get("next"))))
    grid.add_row("rules", report["rules"])
    return grid


def _language_of(report: Mapping[str, Any]) -> str:
    """In which language a search was read, with its typo."""
    read: str = _LANGUAGES.get(report["language"], report["language"])
    if "mended" in report:
        typed, meant = report["mended"]
        return f"{read}; {typed} read as {meant}"
    return read


def _evidence_text(reason: Mapping[str, Any]) -> str:
    """What one piece of evidence says by itself."""
    shown = f'{_EVIDENCE[reason["evidence"]]} "{reason["text"]}": {_reason_text(reason)}'
    if reason["yields_to"]:
        before = [_EVIDENCE[each] for each in reason["yields_to"]]
        shown += f", unless {' or '.join(before)} says more"
    return shown


def _reason_text(reason: Mapping[str, Any]) -> str:
    if reason["rule"] is None:
        return "no rule reads it"
    shown = f"{reason['rule']} ({reason['moment']}, {reason['confidence']:g})"
    language = reason["language"]
    return f"{shown} in {_LANGUAGES.get(language, language)}" if language else shown


def _next_text(reason: Mapping[str, Any] | None) -> str:
    """What would answer if the rule were not there."""
    return "without this rule, no other reads it" if reason is None else f"without it: {_reason_text(reason)}"
