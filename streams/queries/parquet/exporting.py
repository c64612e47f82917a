"""Writes all tables of a log into a directory.

Files are written under another name beside their place, and appear there only when all of them are whole: no
reader takes a half-written one for an export. The manifest comes last, and says what the export is.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from streams.errors import ConfigError
from streams.log.port import Reader
from streams.queries.parquet.manifest import MANIFEST, ExportedFile, Manifest
from streams.queries.parquet.table_file import TableFile
from streams.queries.parquet.tables import EXPORTED_TABLES, table_columns, table_rows
from streams.queries.time_range import TimeRange

TEMPORARY = ".export-"  # the directory in which files are before they are whole


class ExportChoice(msgspec.Struct, frozen=True):
    """What to export."""

    dimensions: Sequence[str]
    times: TimeRange
    raw: bool = False  # the records with corrections, too


def check_target(directory: Path, replace: bool) -> None:
    """Raises ConfigError if it is a file, or if another export is there.

    With `replace`, the other one may be there.
    """
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"--parquet {directory}: is a file: name a directory, which is made if need be")
    there = [name for name in _file_names() if (directory / name).exists()]
    if there and not replace:
        raise ConfigError(
            f"--parquet {directory}: holds an export already ({', '.join(there)}): name another directory, "
            "or replace it with --replace"
        )


async def export(
    reader: Reader, directory: Path, about: Manifest, wanted: ExportChoice, on_row: Callable[[int], None]
) -> Manifest:
    """Writes the tables, and returns the manifest with the files.

    `on_row` is called with the number of rows so far; what it raises leaves nothing behind. Raises
    ConfigError if the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=TEMPORARY, dir=directory) as temporary:
            written = await _write(reader, Path(temporary), about, wanted, on_row)
            _put_in_place(Path(temporary), directory, written)
        return written
    except OSError as error:
        raise ConfigError(f"--parquet {directory}: cannot be written: {error.strerror or error}") from error


async def _write(
    reader: Reader, directory: Path, about: Manifest, wanted: ExportChoice, on_row: Callable[[int], None]
) -> Manifest:
    columns = table_columns(wanted.dimensions, wanted.raw)
    files = {
        name: TableFile(directory / _file_name(name), columns[name], about.metadata()) for name in columns
    }
    rows = 0
    async for name, fields in table_rows(reader, wanted.times, wanted.raw):
        files[name].add(fields)
        rows += 1
        on_row(rows)
    for file in files.values():
        file.close()
    sizes = {
        _file_name(name): ExportedFile(file.rows, (directory / _file_name(name)).stat().st_size)
        for name, file in files.items()
    }
    written = msgspec.structs.replace(about, files=sizes)
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(written)) + b"\n")
    for path in directory.iterdir():
        _sync(path)
    return written


def _put_in_place(temporary: Path, directory: Path, written: Manifest) -> None:
    """Moves the files. Without a manifest a directory is no whole export: the old one goes first."""
    for name in _file_names():
        if name == MANIFEST or name not in written.files:
            (directory / name).unlink(missing_ok=True)
    for name in (*written.files, MANIFEST):
        os.replace(temporary / name, directory / name)
    _sync(directory)


def _sync(path: Path) -> None:
    """Makes a file or a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_name(table: str) -> str:
    return f"{table}.parquet"


def _file_names() -> list[str]:
    """All that an export may consist of, the manifest first."""
    return [MANIFEST, *[_file_name(name) for name in EXPORTED_TABLES]]
