"""Turns the rows of a table into JSON: objects of text, under the names of the columns.

A row that cannot be read becomes a record too: its bytes as they came, with a header that marks it
unreadable. The next line is then read as the start of a row again, since one stray quote must not swallow the
rest of a file.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason, Rejection, reject
from streams.core.ingest.formats.mapping import CONSTANT
from streams.core.ingest.record_bytes import BOM
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.errors import InputError
from streams.records import Headers
from streams.sources.containers import delimiter_of

MAX_ROW_LINES = 128  # a quoted field may hold line breaks, but a row of more lines has a stray quote

_encode = msgspec.json.Encoder().encode


def csv_rows(
    lines: Iterable[bytes], mapping: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of each row. `mapping` leads from fields to columns, which must be there.

    The lines keep their line ends. The header is read at once, and shows what stands between fields. Raises
    InputError for an empty file, a header that cannot be read, and a column that is missing or ambiguous.
    Rows that cannot be read are marked `bad_row` or `too_large`; blank lines are skipped.
    """
    source = _RowLines(lines)
    first = source.first.decode("utf-8", "replace").rstrip("\r\n")
    rows = _parsed(source, delimiter_of(first, mapping.values()))
    header = next(rows, None)
    if header is None:
        raise InputError("the file is empty: a CSV file begins with a header")
    if isinstance(header, Rejection):
        raise InputError(f"the header cannot be read: {header.detail}")
    names = [name.strip() or f"column_{n}" for n, name in enumerate(header, 1)]
    _check_columns(names, mapping)
    return _records(source, rows, names)


def _records(
    source: "_RowLines", rows: Iterator[list[str] | Rejection], names: Sequence[str]
) -> Iterator[tuple[bytes, Headers]]:
    for row in rows:
        if isinstance(row, Rejection):
            yield source.start_over(), unreadable_headers(row.reason, row.detail)
        elif len(row) != len(names):
            yield (
                source.start_over(),
                unreadable_headers(Reason.BAD_ROW, f"expected {len(names)} fields, found {len(row)}"),
            )
        else:
            yield _encode({name: cell for name, cell in zip(names, row, strict=True) if cell}), ()


def _check_columns(names: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Raises InputError if the header has a name twice, lacks a mapped column, or if a column that is not
    mapped would become a property that another one is mapped to.
    """
    shown = f"the header's columns: {', '.join(names)}"
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"the header has the column {twice!r} more than once; {shown}")
    for field, column in mapping.items():
        if column not in names and not column.startswith(CONSTANT):
            raise InputError(f"no column {column!r} (mapped to {field}); {shown}")
    for name in names:
        for field in mapping:
            if name not in mapping.values() and f"{field}.".startswith(f"properties.{name}."):
                raise InputError(
                    f"the column {name!r} would become properties.{name}, but another column is mapped to "
                    f"{field}: map this one to another name"
                )


def _parsed(source: "_RowLines", delimiter: str) -> Iterator[list[str] | Rejection]:
    """The rows, or the reason why one cannot be read.

    While the caller looks at a row, `source` still holds its lines.
    """
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.taken.clear()
        source.fault = None
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield source.fault or reject(Reason.BAD_ROW, str(error))
            continue
        if source.fault is not None:
            # It is one whole row, though a bad one: none of its lines is read again.
            source.taken[:] = [b"".join(source.taken)]
            yield source.fault
        elif row:
            yield row


class _RowLines:
    """Feeds lines to the parser and remembers those of the current row.

    So the bytes of a bad row can be kept, and its other lines read again.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.taken: list[bytes] = []
        self.fault: Rejection | None = None  # found in one of the lines taken: no row may have it
        self._lines = iter(lines)
        self.first = next(self._lines, b"").removeprefix(BOM)
        self._again = deque([self.first] if self.first else [])

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_ROW_LINES:
            raise StopIteration  # the parser reports that a row ended in its middle
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        if len(line) > MAX_RECORD_BYTES:
            self.fault = reject(Reason.TOO_LARGE, f"a line of more than {MAX_RECORD_BYTES} bytes")
            return ""
        if b"\0" in line:
            self.fault = reject(Reason.BAD_ROW, "a NUL byte")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self.fault = reject(Reason.BAD_ROW, f"not UTF-8: {error}")
            return line.decode("utf-8", "replace")

    def start_over(self) -> bytes:
        """Returns at most MAX_KEPT_BYTES of the first line taken.

        The lines after it are read again, as new rows.
        """
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        return first[:MAX_KEPT_BYTES]
