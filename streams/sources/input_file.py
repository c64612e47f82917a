"""Reads a file, once, from its first record to its last."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from streams.core.ingest.door import InputDoor, read_as
from streams.records import Headers
from streams.sources.containers import Container, container_of
from streams.sources.csv import csv_rows
from streams.sources.documents import document_rows
from streams.sources.files import Lines, file_records
from streams.sources.jsonl import jsonl_rows


class InputFormat(NamedTuple):
    """How a file is read: what holds its records, and what they are."""

    door: InputDoor = InputDoor()
    is_table: bool = False  # it is one, whatever its first line looks like
    # Each record says how it is read, so that a later start under other settings reads it alike. It says,
    # too, that the time of its append is no witness of the time of its event.
    is_marked: bool = False

    def container(self, head: bytes, *, is_whole: bool = True) -> Container:
        """What holds the records of a file that begins so. `is_whole`: nothing follows."""
        if self.is_table:
            return Container.TABLE
        found = container_of(head, is_whole=is_whole)
        is_text = found is Container.LINES and head.lstrip()[:1] not in (b"{", b"[", b"")
        return Container.TABLE if is_text and self.door.mapping else found  # no other text can be mapped

    def lines(self, lines: Iterable[bytes], container: Container) -> Iterator[tuple[bytes, Headers]]:
        """The records in some lines, as (value, headers). Raises the errors of `csv_rows`.

        Each line of a table comes after its header.
        """
        is_table = container is Container.TABLE
        return self._marked(csv_rows(lines, self.door.mapping) if is_table else jsonl_rows(lines))

    def whole(self, lines: Lines) -> Iterator[tuple[bytes, Headers]]:
        """The records of a whole file. Raises the errors of `csv_rows`."""
        head, is_whole = lines.head()
        container = self.container(head, is_whole=is_whole)
        if container in (Container.TABLE, Container.LINES):
            return self.lines(lines, container)
        return self._marked(document_rows(lines, container))

    def _marked(self, rows: Iterator[tuple[bytes, Headers]]) -> Iterator[tuple[bytes, Headers]]:
        if not self.is_marked:
            return rows
        header = read_as(self.door)
        return ((value, (*headers, *header) if headers else header) for value, headers in rows)


class InputFile:
    """A file that was opened, with its records."""

    def __init__(self, path: Path, format: InputFormat) -> None:
        """Raises InputError if the file cannot be read or lacks a mapped column."""
        self.lines = Lines(path)
        try:
            rows = format.whole(self.lines)
        except BaseException:
            self.lines.close()
            raise
        self.records = file_records(self.lines, lambda lines: rows)
