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
from streams.topology import MAX_PARTITIONS

FILE = "log.sqlite"
FORMAT = 1  # of the tables and of what is packed into them; a newer one is refused
DEFAULT_APP = "streams"

# How long to wait for another process's transaction; the longest of ours takes well under a second.
BUSY_S = 10.0
# How long SQLite itself waits. Its own pauses grow to 100 ms, and a process that writes all the time starves
# one that sleeps so long.
POLL_MS = 5
# Records are stored in large blobs: 4 kB pages cost a fifth more, 64 kB pages gain nothing.
PAGE_BYTES = 16_384
# 64 MB of WAL between checkpoints. 16 MB cost 0.6 us more per event, and a checkpoint takes some 0.1 s.
CHECKPOINT_PAGES = 4_096
WAL_KEPT_BYTES = 128 << 20  # a WAL that a long scan has made longer is cut back to this
CACHE_KIB = 32_768  # the dirty pages of a batch stay in memory until its commit

_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE partitions (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, checkpoint BLOB)",
    # position: how many records of a file were appended
    "CREATE TABLE sources (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID",
    # place: the number under which the chunks of a topic partition are filed; next: the offset of its next
    # record; kept, recent: of a compacted topic, the bytes that the last compaction kept and those written
    # since
    """CREATE TABLE places (place INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    next INTEGER NOT NULL, kept INTEGER NOT NULL, recent INTEGER NOT NULL, UNIQUE (topic, partition))""",
    """CREATE TABLE chunks (place INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (place, first))""",
)


@contextmanager
def plain_errors(file: Path) -> Iterator[None]:
    """Turns errors of SQLite into errors that a person can act on. Misuse of SQLite stays what it is: a
    defect.
    """
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DataError) as error:
        raise _plain(error, file) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a subclass: misuse, a broken constraint
            raise
        raise _plain(error, file) from error


def _plain(error: sqlite3.Error, file: Path) -> Exception:
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
        case sqlite3.SQLITE_CORRUPT:
            return Unavailable(
                f"{file} is damaged ({error}). Take a new data directory and replay the input into it."
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
        con = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
        try:
            if _tables(con):
                # Before anything is changed: the file may not be ours.
                _check(con, file, partitions, app)
            _set_up(con, file)
            con.execute(f"PRAGMA busy_timeout = {POLL_MS}")
            begin(con)
            if not _tables(con):
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
        con = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None
        )
        try:
            _check(con, file, None, None)
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
    return int(con.execute("SELECT count(*) FROM partitions").fetchone()[0])


def places(con: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """The number under which the chunks of each (topic, partition) are filed."""
    return {
        (topic, partition): place
        for place, topic, partition in con.execute("SELECT place, topic, partition FROM places")
    }


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


def _tables(con: sqlite3.Connection) -> set[str]:
    return {name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _create(con: sqlite3.Connection, partitions: int, app: str) -> None:
    for statement in _SCHEMA:
        con.execute(statement)
    con.executemany(
        "INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("partitions", partitions), ("app", app)]
    )
    con.executemany("INSERT INTO partitions VALUES (?, 0, NULL)", [(number,) for number in range(partitions)])


def _add_places(con: sqlite3.Connection, topics: frozenset[str]) -> None:
    """Adds places for topics that an older version of this program did not have."""
    wanted = {(topic, partition) for topic in topics for partition in range(partition_count(con))}
    con.executemany(
        "INSERT INTO places (topic, partition, next, kept, recent) VALUES (?, ?, 0, 0, 0)",
        sorted(wanted - places(con).keys()),
    )


def _check(con: sqlite3.Connection, file: Path, partitions: int | None, app: str | None) -> None:
    if "meta" not in _tables(con):
        raise InputError(
            f"{file} is not a log of this program. Name another data directory, or move the file away."
        )
    meta = dict(con.execute("SELECT name, value FROM meta"))
    if meta.get("format") != FORMAT:
        raise Incompatible(
            f"{file} has format {meta.get('format')}, this program reads format {FORMAT}. Use the version of "
            "the program that wrote it, or take a new data directory and replay the input into it."
        )
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
