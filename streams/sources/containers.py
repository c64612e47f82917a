"""Tells by its first bytes how a file holds its records, whatever format these are of."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from enum import Enum

MAX_NAME_CHARS = 128  # of a column; warehouses allow 300, but nobody writes such a name
DELIMITERS = (",", ";", "\t")

_BLANK = b" \t\r\n"
_GOES_ON = (b"{", b"[", b",", b":")  # at the end of a line: JSON that goes on below
_OBJECT = re.compile(rb'\{\s*["}]')
_ARRAY = re.compile(rb"\[\s*[\[{\]]")
_PAGE = re.compile(rb'\{\s*"[^"\\]{1,128}"\s*:\s*\[\s*[{\]]')
_NAME = re.compile(r"[^\W\d][^\"'\[\]{}<>=|\\]*", re.ASCII)


class Container(Enum):
    """How a file holds its records."""

    LINES = "lines"  # a record in each line, whatever it holds
    TABLE = "table"  # a header, then a record in each row
    DOCUMENTS = "documents"  # JSON over several lines, one after the other
    ARRAY = "array"  # the members of a JSON array
    PAGE = "page"  # the members of an array that is all that an object has: a page of an API


def container_of(head: bytes, *, is_whole: bool = True) -> Container:
    """How a file that begins so holds its records. `is_whole`: nothing follows."""
    text = head.lstrip(_BLANK)
    first, line_end, others = text.partition(b"\n")
    if text[:1] not in (b"{", b"["):
        return Container.TABLE if line_end and not _is_json(first) and _is_header(first) else Container.LINES
    if _is_json(first):
        if others.strip() or not is_whole:
            return Container.LINES
        if _ARRAY.match(text):
            return Container.ARRAY
        return Container.PAGE if _PAGE.match(text) and _is_page(text, is_whole) else Container.LINES
    if _ARRAY.match(text):
        return Container.ARRAY
    second = others.lstrip(_BLANK).partition(b"\n")[0]
    is_broken = first.rstrip()[-1:] not in _GOES_ON and second[:1] == b"{" and _is_json(second)
    if not _OBJECT.match(text) or is_broken:
        return Container.LINES
    if _PAGE.match(text) and _is_page(text, is_whole):
        return Container.PAGE
    return Container.DOCUMENTS


def delimiter_of(header: str, columns: Iterable[str] = ()) -> str:
    """What stands between the columns of a header: what finds most of these columns, then most columns."""
    wanted = set(columns)
    found = {one: {name.strip() for name in _cells(header, one)} for one in DELIMITERS}
    return max(DELIMITERS, key=lambda one: (len(found[one] & wanted), len(found[one])))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_page(text: bytes, is_whole: bool) -> bool:
    """True if the array is all that the object has, or if it is so large that it can be no record."""
    if not is_whole:
        return True
    try:
        found = json.loads(text.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return False
    return len(found) == 1


def _is_header(line: bytes) -> bool:
    """True if a line looks like the names of several columns, each once, and not like what stands below."""
    try:
        text = line.decode().strip("\r\n")
    except UnicodeDecodeError:
        return False
    names = [name.strip() for name in _cells(text, delimiter_of(text))]
    return (
        len(names) > 1
        and len(set(names)) == len(names)
        and all(len(name) <= MAX_NAME_CHARS and _NAME.fullmatch(name) for name in names)
    )


def _cells(line: str, delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
