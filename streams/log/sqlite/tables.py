"""The tables of the embedded log beside its chunks: one row per partition, per topic partition, per file that
was read, and what the log as a whole is.

Each row ends with the checksum of its other columns and is checked whenever it is read; `check_rows` also
finds rows that are gone. Everything here runs inside a transaction of the caller's.
"""

import sqlite3
from typing import Any

import msgspec

from streams.log.sqlite.damage import Damage, row_checksum

SCHEMA = (
    # format, partitions, app, and how many rows the tables places and sources have
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value, crc INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE partitions (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, checkpoint BLOB,
    crc INTEGER NOT NULL)""",
    # position: how many records of a file were appended
    """CREATE TABLE sources (name TEXT PRIMARY KEY, position INTEGER NOT NULL, crc INTEGER NOT NULL)
    WITHOUT ROWID""",
    # place: the number under which the chunks of a topic partition are filed; first, next: the offsets of its
    # first and of its next record; kept, recent: of a compacted topic, the bytes that the last compaction
    # kept and those written since
    """CREATE TABLE places (place INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    first INTEGER NOT NULL, next INTEGER NOT NULL, kept INTEGER NOT NULL, recent INTEGER NOT NULL,
    crc INTEGER NOT NULL)""",
    """CREATE TABLE chunks (place INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    body BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (place, first))""",
)
_COLUMNS = {  # the first is the key
    "meta": ("name", "value"),
    "partitions": ("partition", "epoch", "checkpoint"),
    "sources": ("name", "position"),
    "places": ("place", "topic", "partition", "first", "next", "kept", "recent"),
}
_SELECT = {table: f"SELECT {', '.join(names)}, crc FROM {table}" for table, names in _COLUMNS.items()}
_SELECT_ONE = {table: f"{_SELECT[table]} WHERE {names[0]} = ?" for table, names in _COLUMNS.items()}
_INSERT = {table: f"INSERT INTO {table} VALUES (?{', ?' * len(names)})" for table, names in _COLUMNS.items()}
_UPDATE = {
    table: f"UPDATE {table} SET {' = ?, '.join(names[1:])} = ?, crc = ? WHERE {names[0]} = ?"
    for table, names in _COLUMNS.items()
}

_META = {"format", "partitions", "app", "places", "sources"}

StoredRow = tuple[Any, ...]


class ChunkPlace(msgspec.Struct, frozen=True, gc=False):
    """Where the chunks of a topic partition are filed, and which records they hold."""

    number: int
    topic: str
    partition: int
    first: int  # offset of its first record
    next: int  # offset that its next record will get
    kept: int  # bytes that the last compaction kept
    recent: int  # bytes written since


def read_all(con: sqlite3.Connection, table: str) -> list[StoredRow]:
    """All rows of a table, without their checksums. Raises Damage."""
    return [_checked(table, row) for row in con.execute(_SELECT[table])]


def read_one(con: sqlite3.Connection, table: str, key: object) -> StoredRow | None:
    """The row of this key, without its checksum; None if there is none. Raises Damage."""
    row = con.execute(_SELECT_ONE[table], (key,)).fetchone()
    if row is None:
        return None
    if row[0] != key:
        raise Damage(f"table {table}, row {key}")
    return _checked(table, row)


def read_known(con: sqlite3.Connection, table: str, key: object) -> StoredRow:
    """The row of this key, which was written. Raises Damage, also if it is gone."""
    row = read_one(con, table, key)
    if row is None:
        raise Damage(f"table {table}, row {key} is gone")
    return row


def insert(con: sqlite3.Connection, table: str, row: StoredRow) -> None:
    """Adds a row."""
    con.execute(_INSERT[table], (*row, row_checksum(*row)))


def update(con: sqlite3.Connection, table: str, row: StoredRow) -> None:
    """Writes a row anew that is there. Raises Damage if it is not."""
    if con.execute(_UPDATE[table], (*row[1:], row_checksum(*row), row[0])).rowcount != 1:
        raise Damage(f"table {table}, row {row[0]} is gone")


def read_place(con: sqlite3.Connection, number: int) -> ChunkPlace:
    """The place of this number. Raises Damage."""
    return ChunkPlace(*read_known(con, "places", number))


def write_place(con: sqlite3.Connection, place: ChunkPlace) -> None:
    """Writes what has changed of a place. Raises Damage."""
    update(con, "places", msgspec.structs.astuple(place))


def check_rows(con: sqlite3.Connection) -> None:
    """Checks every row of these tables, and that none is gone. Raises Damage."""
    meta: dict[str, int | str] = dict(read_all(con, "meta"))
    if meta.keys() != _META:
        raise Damage(f"table meta has {', '.join(map(repr, meta))}")
    for table in ("partitions", "places", "sources"):
        rows = read_all(con, table)
        if len(rows) != meta.get(table) or len({row[0] for row in rows}) != len(rows):
            raise Damage(f"table {table} has {len(rows)} rows and not {meta.get(table)}")


def _checked(table: str, row: StoredRow) -> StoredRow:
    *columns, crc = row
    if crc != row_checksum(*columns):
        raise Damage(f"table {table}, row {columns[0]!r}")
    return tuple(columns)
