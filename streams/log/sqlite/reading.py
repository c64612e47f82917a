"""Opens the database file to read it, also where nothing may be written: a copy of the file alone, a data
directory on a read-only mount or of another user.

SQLite needs two more files beside a database in WAL mode: the WAL itself, and an index of it (`-shm`) through
which processes see each other. Where it cannot make them, it refuses to read. But whoever writes has made the
index. Without one nobody writes, and the file can be read without it: as it is (`immutable`) if there is no
WAL either, else with an index in memory (`unix-none`, which locks nothing, in exclusive mode). `immutable`
alone would leave out what is only in the WAL.

Somebody who may write could begin to after all. The file would have changed then, and the reader says so when
it is closed.
"""

import sqlite3
from pathlib import Path

from streams.errors import Unavailable
from streams.log.sqlite.connections import CountedConnection, open_connection

_REFUSALS = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


class LoneConnection(CountedConnection):
    """A connection that other processes do not see, and that does not see them."""

    file: Path
    opened: tuple[object, ...]

    def close(self) -> None:
        """Raises Unavailable if the file was written since it was opened."""
        super().close()
        if _stamps(self.file) != self.opened:
            raise Unavailable(
                f"{self.file} was written while it was read, by a user with more rights. What was read "
                "may be of several moments: ask again."
            )


def open_to_read(file: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection that reads the file, beside a running writer or without one. Raises errors of SQLite."""
    con = open_connection(file, CountedConnection, "mode=ro", timeout_s=timeout_s)
    try:
        _probe(con)
        return con
    except sqlite3.OperationalError as error:
        con.close()
        if error.sqlite_errorcode & 0xFF not in _REFUSALS or _beside(file, "shm").exists():
            raise
    except BaseException:
        con.close()
        raise
    opened = _stamps(file)
    how = "vfs=unix-none" if _beside(file, "wal").exists() else "immutable=1"
    lone = open_connection(file, LoneConnection, f"mode=ro&{how}")
    lone.file, lone.opened = file, opened
    try:
        lone.execute("PRAGMA locking_mode = EXCLUSIVE")
        _probe(lone)
    except BaseException:
        lone.close()
        raise
    return lone


def _probe(con: sqlite3.Connection) -> None:
    con.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f"{file.name}-{what}")


def _stamps(file: Path) -> tuple[object, ...]:
    """What changes when the database is written, or is opened to be."""
    stamps: list[object] = []
    for path in (file, _beside(file, "wal"), _beside(file, "shm")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            stamps.append(None)
        else:
            stamps.append((stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return tuple(stamps)
