"""Labelled rows by which the shipped rules are measured: search queries, event names, pages.

A file is a table with tabs, one row a line, written by hand for this project. Its columns: `text` (the query,
the event's name, the page's path), `moment` (several, parted by `/`, where one can argue: any of them is
right; `none` is no moment), `domain`, `reason`, `split`. A file may have further ones: `type` of the call
and `properties` as JSON. Every third row is `held`: rules are never changed with an eye on those. So new rows
go to the end of a file. The rows in `others/` were written by somebody who knew neither the rules nor these
rows, in the shape of logs: they are held until somebody mends a rule with an eye on them, and tune from then
on.
"""

import csv
import json
from pathlib import Path
from typing import Any

import msgspec

from streams.core.ingest.event import Event
from streams.core.moments.verdict import INTENTS

HERE = Path(__file__).parent
LANGUAGES = ("en", "it", "es")
MOMENTS = ("none", *INTENTS)
SEEN = "seen while the words were written"  # the end of the reason of such rows


class Row(msgspec.Struct, frozen=True):
    """A labelled row."""

    text: str
    moment: str
    domain: str
    reason: str = ""
    split: str = "held"  # or tune
    type: str = "track"
    properties: str = "{}"
    locale: str = ""  # of whoever searches; without it, the language of the file

    @property
    def moments(self) -> tuple[str, ...]:
        """The moments of which any is right."""
        return tuple(self.moment.split("/"))


def split_of(number: int, reason: str) -> str:
    """The split of the row with this number, counted from 1. A row that was seen is none that is held."""
    return "held" if number % 3 == 0 and not reason.endswith(SEEN) else "tune"


def read_rows(name: str) -> list[Row]:
    """All rows of a file: `queries_en`, `names`, `others/pages`."""
    with (HERE / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [msgspec.convert({key: cell for key, cell in line.items() if cell}, Row) for line in table]


def event_of(kind: str, row: Row, language: str = "") -> Event:
    """The event in which a stream meets this row: a search, a call of that name, a page that is seen."""
    properties: dict[str, Any] = json.loads(row.properties)
    context: dict[str, Any] = {"locale": locale} if (locale := row.locale or language) else {}
    if kind == "queries":
        return _event("track", "Products Searched", {"query": row.text, **properties}, context)
    if kind == "names":
        return _event(row.type, row.text, properties, context)
    return _event("page", "", properties, {"page": {"path": row.text}, **context})


def _event(kind: str, name: str, properties: dict[str, Any], context: dict[str, Any]) -> Event:
    return Event("e-1", 0, 0, "device-1", None, kind, name, properties, context)
