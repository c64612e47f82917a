"""Reads a file, once, from its first record to its last."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from streams.records import Headers
from streams.sources.csv import csv_rows
from streams.sources.files import Lines, file_records
from streams.sources.jsonl import jsonl_rows


class InputFormat(NamedTuple):
    """How the lines of an input are read."""

    name: Literal["segment", "csv"] = "segment"
    mapping: Mapping[str, str] = {}  # for csv, the column of each field of an event

    def rows(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, Headers]]:
        """The records of the lines, as (value, headers). Raises the errors of `csv_rows`."""
        return csv_rows(lines, self.mapping) if self.name == "csv" else jsonl_rows(lines)


class InputFile:
    """A file that was opened, with its records."""

    def __init__(self, path: Path, format: InputFormat) -> None:
        """Raises InputError if the file cannot be read or lacks a mapped column.

        Raises ConfigError if the mapping names a field that does not exist.
        """
        self.lines = Lines(path)
        try:
            rows = format.rows(self.lines)
        except BaseException:
            self.lines.close()
            raise
        self.records = file_records(self.lines, lambda lines: rows)
