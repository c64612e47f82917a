"""The database file of the embedded log: where it is, how it is opened, and what its errors mean to a person.

There is one file per data directory, in WAL mode, with synchronous=FULL: a commit is on the disk when it
returns, and a reader never waits for the writer. The bounds below were measured with the workload of
`streams.log.sqlite.chunks`.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import ConfigError, Incompatible, InputError, Unavailable
from streams.log.sqlite import tables
from streams.log.sqlite.connections import CountedConnection, open_connection
from streams.log.sqlite.damage import PAGE_BYTES, Damage, is_damage
from streams.log.sqlite.reading import open_to_read
from streams.topology import MAX_PARTITIONS

FILE = "log.sqlite"
FORMAT = 1  # of the tables and of what is packed into them; a newer one is refused
DEFAULT_APP = "streams"

# How long to wait for another process's transaction; the longest of ours takes well under a second.
BUSY_S = 10.0
# How long SQLite itself waits. Its own pauses grow to 100 ms, and a process that writes all the time starves
# one that sleeps so long.
POLL_MS = 5
# 64 MB of WAL between checkpoints. 16 MB cost 0.6 us more per event, and a checkpoint takes some 0.1 s.
CHECKPOINT_PAGES = 4_096
WAL_KEPT_BYTES = 128 << 20  # a WAL that a long scan has made longer is cut back to this
CACHE_KIB = 32_768  # the dirty pages of a batch stay in memory until its commit

_REPLAY = "Take a new data directory and replay the input into it."


@contextmanager
def plain_errors(file: Path) -> Iterator[None]:
    """Turns errors of SQLite into errors that a person can act on. Misuse of SQLite stays what it is: a
    defect.
    """
    try:
        yield
    except Damage as damage:
        raise _damaged(file, damage.where, damage.safe) from damage
    except UnicodeDecodeError as error:  # of a name, or of SQLite's own message, which quotes one
        raise _damaged(file, str(error)) from error
    except (sqlite3.OperationalError, sqlite3.DataError) as error:
        raise _plain(error, file) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a subclass: misuse, a broken constraint
            raise
        raise _plain(error, file) from error


def _damaged(file: Path, where: str, safe: str = "") -> Unavailable:
    safe = safe or "What was printed before is right; do not rely on what else it holds."
    return Unavailable(f"The log is damaged: {file}, {where}. {safe} {_REPLAY}")


def _plain(error: sqlite3.Error, file: Path) -> Exception:
    if is_damage(error):
        return _damaged(file, str(error))
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the low byte is the kind, the rest its detail
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(
                f"{file} is held by another process, which did not release it within {BUSY_S:g} s. Stop that "
                "process, or wait for it."
            )
        case sqlite3.SQLITE_FULL:
            return Unavailable(
                f"The disk that holds {file} is full. What was committed is safe: make room and start again."
            )
        case sqlite3.SQLITE_IOERR:
            return Unavailable(
                f"{file} could not be read or written ({error}). What was committed is safe: check the disk "
                "and start again."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return Unavailable(
                f"{file} cannot be written ({error}). Give this user the right to write it and its directory."
            )
        case sqlite3.SQLITE_CANTOPEN:
            return InputError(f"{file} cannot be opened ({error}).")
        case sqlite3.SQLITE_NOTADB:
            return InputError(
                f"{file} is not a log of this program. Name another data directory, or move the file away."
            )
        case sqlite3.SQLITE_TOOBIG:
            return Unavailable(f"A record is larger than {file} can hold (1 GB).")
        case _:
            return Unavailable(f"{file} cannot be used: {error}.")


def connect_to_write(
    file: Path, partitions: int | None, app: str | None, topics: frozenset[str]
) -> sqlite3.Connection:
    """Opens the database to write, and makes it and its directory if need be.

    `partitions` and `app` must be what is stored; None accepts that, and makes a new one with 1 partition and
    the app `streams`.
    """
    if partitions is not None and not 1 <= partitions <= MAX_PARTITIONS:
        raise ConfigError(f"partitions is {partitions}: it must be between 1 and {MAX_PARTITIONS}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{file.parent} cannot be a data directory: {error.strerror}.") from error
    with plain_errors(file):
        con = open_connection(file, CountedConnection, timeout_s=BUSY_S)
        try:
            if not _is_new(con):
                # Before anything is changed: the file may not be ours.
                con.execute("BEGIN")
                _check(con, file, partitions, app)
                con.execute("COMMIT")
            _set_up(con, file)
            con.execute(f"PRAGMA busy_timeout = {POLL_MS}")
            begin(con)
            if _is_new(con):
                _create(con, partitions or 1, app or DEFAULT_APP)
            _check(con, file, partitions, app)  # another process may have made it meanwhile
            _add_places(con, topics)
            con.execute("COMMIT")
        except BaseException:
            con.close()
            raise
    return con


def connect_to_read(file: Path) -> sqlite3.Connection:
    """Opens the database to read, beside a running writer or without one. Raises InputError if there is no
    log.
    """
    if not file.is_file():
        raise InputError(
            f"{file.parent} is not a data directory: there is no {FILE} in it. Name the --data-dir of a "
            "replay or run."
        )
    with plain_errors(file):
        con = open_to_read(file, BUSY_S)
        try:
            con.execute("BEGIN")
            _check(con, file, None, None)
            con.execute("COMMIT")
        except BaseException:
            con.close()
            raise
    return con


def begin(con: sqlite3.Connection) -> None:
    """Begins a transaction that writes, once those of other processes have ended."""
    _insist(con, "BEGIN IMMEDIATE")


def _insist(con: sqlite3.Connection, statement: str) -> None:
    """Executes a statement; retries while another process holds the file."""
    deadline = time.monotonic() + BUSY_S
    while True:
        asked = time.monotonic()
        try:
            con.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or asked > deadline:
                raise
        time.sleep(max(0.0, asked + POLL_MS / 1_000 - time.monotonic()))  # SQLite has not waited in all cases


def partition_count(con: sqlite3.Connection) -> int:
    return int(tables.read_known(con, "meta", "partitions")[1])


def places(con: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """The number under which the chunks of each (topic, partition) are filed."""
    return {(topic, partition): number for number, topic, partition, *_ in tables.read_all(con, "places")}


def _set_up(con: sqlite3.Connection, file: Path) -> None:
    con.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # has an effect on a new file only
    if con.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        # Two processes may be making the same file, and here SQLite itself does not wait.
        _insist(con, "PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    con.execute("PRAGMA fullfsync = ON")  # macOS: without it the disk may still hold a commit in its cache
    con.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    con.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    con.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    (mode,), (synchronous,) = (
        con.execute("PRAGMA journal_mode").fetchone(),
        con.execute("PRAGMA synchronous").fetchone(),
    )
    if (mode, synchronous) != ("wal", 2):  # on a network file system, for example
        raise Unavailable(
            f"{file} cannot be written safely here (journal {mode}, synchronous {synchronous}). Put it on a "
            "local disk."
        )


def _is_new(con: sqlite3.Connection) -> bool:
    """True if nothing was ever written into the file but its first page."""
    (statements,) = con.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (pages,) = con.execute("PRAGMA page_count").fetchone()
    if not statements and pages > 1:
        raise Damage("the definitions of the tables are gone")
    return not statements


def _create(con: sqlite3.Connection, partitions: int, app: str) -> None:
    for statement in tables.SCHEMA:
        con.execute(statement)
    for name, value in (
        ("format", FORMAT),
        ("partitions", partitions),
        ("app", app),
        ("places", 0),
        ("sources", 0),
    ):
        tables.insert(con, "meta", (name, value))
    for number in range(partitions):
        tables.insert(con, "partitions", (number, 0, None))


def _add_places(con: sqlite3.Connection, topics: frozenset[str]) -> None:
    """Adds places for topics that an older version of this program did not have."""
    wanted = {(topic, partition) for topic in topics for partition in range(partition_count(con))}
    there = places(con)
    added = sorted(wanted - there.keys())
    for number, (topic, partition) in enumerate(added, max(there.values(), default=0) + 1):
        tables.insert(con, "places", (number, topic, partition, 0, 0, 0, 0))
    tables.update(con, "meta", ("places", len(there) + len(added)))


def _check(con: sqlite3.Connection, file: Path, partitions: int | None, app: str | None) -> None:
    _check_schema(con, file)
    tables.check_rows(con)
    meta: dict[str, int | str] = dict(tables.read_all(con, "meta"))
    if partitions is not None and partitions != meta["partitions"]:
        raise Incompatible(
            f"{file.parent} was made with {meta['partitions']} partition(s), not {partitions}. A person's "
            "partition depends on their number: "
            f"go on with {meta['partitions']}, or take a new data directory and replay the input into it."
        )
    if app is not None and app != meta["app"]:
        raise Incompatible(
            f"{file.parent} belongs to the app {meta['app']}, not {app}. Go on with that name, or replay "
            "into a new one."
        )


def _check_schema(con: sqlite3.Connection, file: Path) -> None:
    """Raises InputError for another program's file, Incompatible for another format of ours, Damage."""
    if _is_new(con):
        raise InputError(f"{file} is not a log of this program yet: nothing was written into it.")
    stored = {
        str(sql)
        for (sql,) in con.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
    }
    if stored == set(tables.SCHEMA):
        format = tables.read_known(con, "meta", "format")[1]
        if format != FORMAT:
            raise Incompatible(
                f"{file} has format {format}, this program reads format {FORMAT}. Use the version of the "
                "program that wrote it, or take a new data directory and replay the input into it."
            )
    elif any("crc INTEGER" in sql for sql in stored):
        raise Damage("the definitions of the tables")
    elif any(sql.startswith("CREATE TABLE meta (name TEXT PRIMARY KEY, value)") for sql in stored):
        raise Incompatible(
            f"{file} is of a version without checksums, which this program does not read. {_REPLAY}"
        )
    else:
        raise InputError(
            f"{file} is not a log of this program. Name another data directory, or move the file away."
        )
