"""Finds the line of a rules file that a mistake is in.

TOML's reader gives values without their lines. So a mistake says where its value stands in the file, and the
file's text is searched for that: first for the table, in it for the key, behind that for the value.
"""

import re
from typing import NamedTuple

from streams.errors import ConfigError

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"-]+)\s*\]\]?\s*(?:#.*)?")


class Spot(NamedTuple):
    """Where a value stands in a rules file. What is not known is empty."""

    table: str = ""  # event, query, page, cue, read, lexicon.it; "": the keys before the first table
    number: int = 0  # of a rule among those of its kind, from 1
    rule: str = ""  # the name of a rule, instead of its table and number
    key: str = ""
    value: str = ""  # of several values of the key the one that is wrong


class Mistake(ConfigError):
    """Something wrong in a rules file, and where."""

    def __init__(self, message: str, spot: Spot) -> None:
        super().__init__(message)
        self.spot = spot


def line_of(text: str, spot: Spot) -> int:
    """The number of the line, from 1: that of the value, else of its key, else of its table."""
    lines = text.splitlines()
    begin, end = _rule_lines(lines, spot.rule) if spot.rule else _table_lines(lines, spot.table, spot.number)
    found = begin
    if spot.key:
        is_key = re.compile(rf"(?:^|[{{,]|\[\w+\])\s*\"?{re.escape(spot.key)}\"?\s*=").search
        tables = (n for n, name in _headers(lines) if not spot.table and name == spot.key)
        found = next((n for n in range(begin, end) if is_key(lines[n])), next(tables, found))
    if spot.value:
        found = next((n for n in range(found, end) if spot.value in lines[n]), found)
    return min(found, max(len(lines) - 1, 0)) + 1


def _headers(lines: list[str]) -> list[tuple[int, str]]:
    """The lines that begin a table, with the table's name."""
    found = ((n, _HEADER.fullmatch(line)) for n, line in enumerate(lines))
    return [(n, match[2].replace('"', "")) for n, match in found if match is not None]


def _table_lines(lines: list[str], table: str, number: int) -> tuple[int, int]:
    """The lines of a table: the first, and the one behind the last."""
    headers = _headers(lines)
    named = [place for place, (_, name) in enumerate(headers) if name == table]
    if table and len(named) >= max(number, 1):
        place = named[max(number, 1) - 1]
        return headers[place][0], headers[place + 1][0] if place + 1 < len(headers) else len(lines)
    if not table:
        return 0, headers[0][0] if headers else len(lines)
    # Written within the line of another key: event = [{...}], lexicon = {it = {...}}.
    is_key = re.compile(rf"\s*{table.partition('.')[0]}\s*=").match
    return next((n for n, line in enumerate(lines) if is_key(line)), 0), len(lines)


def _rule_lines(lines: list[str], name: str) -> tuple[int, int]:
    """The lines of the last rule of that name."""
    is_named = re.compile(rf"(?:^|[{{,])\s*name\s*=\s*[\"']{re.escape(name)}[\"']").search
    at = next((n for n in reversed(range(len(lines))) if is_named(lines[n])), 0)
    starts = [n for n, _ in _headers(lines)]
    return (
        max((n for n in starts if n <= at), default=0),
        min((n for n in starts if n > at), default=len(lines)),
    )
