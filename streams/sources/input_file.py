"""Reads a finite input: a file, once, from its first record to its last.

The file is known by its content, so that replaying it again counts nothing twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

from streams.errors import InputError
from streams.records import Headers
from streams.sources.csv import csv_rows
from streams.sources.files import Lines, file_records
from streams.sources.jsonl import jsonl_rows

_HASHED_BYTES = 1 << 20  # read at once to name a file by its content


class InputFormat(NamedTuple):
    """How the lines of an input are read."""

    name: Literal["segment", "csv"] = "segment"
    mapping: Mapping[str, str] = {}  # for csv, the column of each field of an event

    def rows(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, Headers]]:
        """The records of the lines, as (value, headers). Raises the errors of `csv_rows`."""
        return csv_rows(lines, self.mapping) if self.name == "csv" else jsonl_rows(lines)


class InputFile:
    """A file that was opened, with its records and a name that stands for its content.

    It is made before a data directory is touched, since it may be wrong.
    """

    def __init__(self, path: Path, format: InputFormat) -> None:
        """Raises InputError if the file cannot be read or lacks a mapped column.

        Raises ConfigError if the mapping names a field that does not exist.
        """
        self.name = content_name(path, format)
        self._path, self._format = path, format
        self.lines = Lines(path)
        try:
            rows = format.rows(self.lines)
        except BaseException:
            self.lines.close()
            raise
        self.records = file_records(self.lines, lambda lines: rows)

    def again(self) -> Iterator[tuple[bytes, Headers]]:
        """All records of the file, read anew from the first on."""
        return file_records(Lines(self._path), self._format.rows)


def content_name(path: Path, format: InputFormat) -> str:
    """A name for a file, which depends only on its content and on how it is read.

    Raises InputError if the file cannot be read.
    """
    digest = blake2b(repr((format.name, sorted(format.mapping.items()))).encode(), digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(_HASHED_BYTES):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return f"replay:{digest.hexdigest()}"
