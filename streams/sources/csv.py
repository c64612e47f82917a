"""Turns the rows of a CSV export into Segment-shaped JSON: one format is stored, and one reader judges it.

A row that cannot be read becomes a record too: its bytes as they came, with a header that marks it
unreadable. The next line is then read as the start of a row again, since one stray quote must not swallow the
rest of a file.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason, Rejection, reject
from streams.core.ingest.record_bytes import BOM
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.errors import InputError
from streams.records import Headers
from streams.sources.mapping import Columns, check_targets

MAX_ROW_LINES = 128  # a quoted field may hold line breaks, but a row of more lines has a stray quote

_encode = msgspec.json.Encoder().encode


def csv_rows(lines: Iterable[bytes], mapping: Mapping[str, str]) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of each row. `mapping` leads from a field to its column.

    The lines keep their line ends. The header is read at once. Raises ConfigError for a target that is no
    field, and InputError for an empty file, a header that cannot be read or a mapped column that it lacks.
    Rows that cannot be read are marked `bad_row` or `too_large`; blank lines are skipped.
    """
    check_targets(mapping)
    source = _RowLines(lines)
    header = next(_parsed(source), None)
    if header is None:
        raise InputError("the file is empty: a CSV file begins with a header")
    if isinstance(header, Rejection):
        raise InputError(f"the header cannot be read: {header.detail}")
    return _records(source, Columns(header, mapping))


def _records(source: "_RowLines", columns: Columns) -> Iterator[tuple[bytes, Headers]]:
    for row in _parsed(source):
        if isinstance(row, Rejection):
            yield source.start_over(), unreadable_headers(row.reason, row.detail)
        elif len(row) != columns.width:
            yield (
                source.start_over(),
                unreadable_headers(Reason.BAD_ROW, f"expected {columns.width} fields, found {len(row)}"),
            )
        else:
            yield _encode(columns.record(row)), ()


def _parsed(source: "_RowLines") -> Iterator[list[str] | Rejection]:
    """The rows, or the reason why one cannot be read.

    While the caller looks at a row, `source` still holds its lines.
    """
    reader = csv.reader(source, strict=True)
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
        self._again = deque(first.removeprefix(BOM) for first in islice(self._lines, 1))

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
