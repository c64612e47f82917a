"""Examples of what rules must say, and where they say something else.

Whoever writes rules pins what matters: a line for each search, event or page, with its moment. A table with
tabs is what a spreadsheet writes, and what a person can read in a review. docs/rules.md has the format.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.core.ingest.event import Rejection
from streams.core.moments.spec import RULE_MOMENTS
from streams.core.moments.verdict import Explanation
from streams.errors import InputError
from streams.queries.explaining import ExplainedEvent, Explainer
from streams.queries.shown_verdict import ShownVerdict, shown_verdict

EXAMPLE_COLUMNS = ("kind", "text", "moment", "confidence", "locale", "reason")
NEEDED = ("kind", "text", "moment")
KINDS_OF_EXAMPLES = ("search", "event", "page", "record")
CONFIDENCES: Mapping[str, bool | None] = {"": None, "sure": True, "unsure": False}


class RuleExample(msgspec.Struct, frozen=True):
    """What the rules must say of one thing."""

    line: int  # in its file
    kind: str  # one of KINDS_OF_EXAMPLES
    text: str
    moments: tuple[str, ...]  # any of them is right
    sure: bool | None = None  # None: either is right
    locale: str | None = None  # of a search


class WrongVerdict(msgspec.Struct, frozen=True):
    """An example of which the rules say something else."""

    example: RuleExample
    verdict: ShownVerdict


class _Table(NamedTuple):
    """The file that is read, and what stands in which of its columns."""

    name: str
    columns: Sequence[str]

    def wrong(self, line: int, text: str) -> InputError:
        return InputError(f"{self.name}:{line}: {text}")


def parse_examples(name: str, text: str) -> list[RuleExample]:
    """The examples in a table with tabs. Raises InputError, which names the file (`name`) and the line."""
    rows = [
        (number, line)
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise InputError(f"{name}: there are no examples in it: the first line names the columns")
    table = _table(name, *rows[0])
    examples = [_example(table, number, line) for number, line in rows[1:]]
    if not examples:
        raise InputError(f"{name}: there are no examples in it, only the names of the columns")
    return examples


def _table(name: str, number: int, line: str) -> _Table:
    columns = _cells(line)
    table = _Table(name, columns)
    for column in columns:
        if column not in EXAMPLE_COLUMNS:
            right = f"the first line names the columns, with tabs between: {', '.join(EXAMPLE_COLUMNS)}"
            raise table.wrong(number, f"{column!r} is no column: {right}")
        if columns.count(column) > 1:
            raise table.wrong(number, f"the column {column} stands there twice")
    for column in NEEDED:
        if column not in columns:
            raise table.wrong(number, f"there is no column {column}: {', '.join(NEEDED)} are needed")
    return table


def _cells(line: str) -> list[str]:
    """The cells of a line. Quotes around a cell are a spreadsheet's if those within are doubled."""
    cells = [cell.strip() for cell in line.rstrip("\r").split("\t")]
    return [cell[1:-1].replace('""', '"') if _is_quoted(cell) else cell for cell in cells]


def _is_quoted(cell: str) -> bool:
    within = cell[1:-1].replace('""', "")
    return len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in within


def _example(table: _Table, number: int, line: str) -> RuleExample:
    cells = _cells(line)
    if len(cells) > len(table.columns):
        raise table.wrong(
            number,
            f"{len(cells)} cells, and there are {len(table.columns)} columns: {', '.join(table.columns)}",
        )
    row = dict.fromkeys(EXAMPLE_COLUMNS, "") | dict(zip(table.columns, cells, strict=False))
    for column in NEEDED:
        if not row[column]:
            raise table.wrong(number, f"no {column}: cells are parted by one tab each")
    kind, locale = row["kind"], row["locale"] or None
    if kind not in KINDS_OF_EXAMPLES:
        raise table.wrong(number, f"kind {kind!r}: must be one of {', '.join(KINDS_OF_EXAMPLES)}")
    moments = tuple(row["moment"].split("/"))
    for moment in moments:
        if moment not in RULE_MOMENTS:
            right = f"must be one of {', '.join(RULE_MOMENTS)}, or several with / between"
            raise table.wrong(number, f"moment {row['moment']!r}: {right}")
    if row["confidence"] not in CONFIDENCES:
        right = "must be sure or unsure, or empty where either is right"
        raise table.wrong(number, f"confidence {row['confidence']!r}: {right}")
    if locale is not None and kind != "search":
        raise table.wrong(number, f"locale {locale!r}: is for searches; this is kind {kind}")
    return RuleExample(number, kind, row["text"], moments, CONFIDENCES[row["confidence"]], locale)


def wrong_verdicts(
    name: str, examples: Sequence[RuleExample], explainer: Explainer
) -> Iterator[WrongVerdict]:
    """The examples of which the rules say something else. Raises InputError for a record that cannot be read,
    which names the file (`name`) and the line.
    """
    for example in examples:
        verdict = shown_verdict(_explained(name, example, explainer))
        if verdict.moment not in example.moments or example.sure not in (None, verdict.sure):
            yield WrongVerdict(example, verdict)


def _explained(name: str, example: RuleExample, explainer: Explainer) -> Explanation:
    text = example.text
    events: tuple[ExplainedEvent, ...]
    match example.kind:
        case "search":
            events = (explainer.search(text, example.locale),)
        case "event":
            events = (explainer.event_name(text),)
        case "page":
            events = (explainer.page(text),)
        case _:
            events = explainer.record(text.encode())
    place = f"{name}:{example.line}: the record"
    if len(events) != 1:
        raise InputError(f"{place} holds {len(events)} events: write one a line")
    found = events[0].found
    if isinstance(found, Rejection):
        raise InputError(f"{place} cannot be read ({found.reason.value}: {found.detail})")
    if found is None:
        raise InputError(f"{place} holds no event")
    return found
