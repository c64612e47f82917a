"""The data directory: what it accepts, what it refuses, and with which messages."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType

import pytest

from streams.errors import ConfigError, Fenced, Incompatible, InputError, StreamsError, Unavailable
from streams.log.sqlite import chunks, database, tables
from streams.log.sqlite.log import SqliteLog
from streams.log.sqlite.reader import SqliteReader
from streams.records import Batch, NewRecord, Output, Source
from tests.contract.looking import (
    Restored,
    batch,
    fill,
    full_batch,
    input_ends,
    read,
    restored,
    scanned,
    seen,
)


def sql(directory: Path, statement: str) -> list[tuple[object, ...]]:
    """One statement on the database file, past the log."""
    con = sqlite3.connect(directory / database.FILE, isolation_level=None)
    try:
        return con.execute(statement).fetchall()
    finally:
        con.close()


async def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    """The writing connection is in WAL mode with synchronous=FULL (2)."""
    log = SqliteLog(tmp_path)
    assert log._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await log.close()


async def test_the_directory_is_made_with_one_file_in_it(tmp_path: Path) -> None:
    """However deep, and whatever characters are in its name; after closing there is only the database."""
    directory = tmp_path / "a" / "b ? % # ü"
    log = SqliteLog(directory, partitions=3)
    await (await log.open(2)).commit(full_batch(b"1"))
    await log.close()
    assert [path.name for path in directory.iterdir()] == [database.FILE]
    reader = SqliteLog.read_only(directory)
    assert await reader.checkpoints() == [None, None, b"1"]
    await reader.close()


async def test_what_is_stored_is_taken(tmp_path: Path) -> None:
    """No partition count and no app asked for: what the directory was
    made with; 1 partition for a new one.
    """
    for directory, made, partitions in [(tmp_path / "new", None, 1), (tmp_path / "old", 4, 4)]:
        await SqliteLog(directory, made).close()
        log = SqliteLog(directory)
        assert log.partitions == partitions
        await log.close()


REFUSED: dict[str, tuple[Callable[[Path], object], type[StreamsError], str]] = {
    "another partition count": (
        lambda d: SqliteLog(d, partitions=2),
        Incompatible,
        r"made with 3 partition\(s\), not 2.*new data directory and replay",
    ),
    "another app": (
        lambda d: SqliteLog(d, app="other"),
        Incompatible,
        "belongs to the app streams, not other",
    ),
    "no partitions": (lambda d: SqliteLog(d / "x", partitions=0), ConfigError, "partitions is 0"),
    "too many partitions": (
        lambda d: SqliteLog(d / "x", partitions=5_000),
        ConfigError,
        "partitions is 5000",
    ),
    "a file as directory": (lambda d: SqliteLog(d / database.FILE), InputError, "cannot be a data directory"),
    "a file above it": (
        lambda d: SqliteLog(d / database.FILE / "x"),
        InputError,
        "cannot be a data directory",
    ),
    "nothing to read": (lambda d: SqliteReader(d / "nowhere"), InputError, "nowhere is not a data directory"),
    "a file to read": (lambda d: SqliteReader(d / database.FILE), InputError, "is not a data directory"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
async def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, case: str) -> None:
    """The message says what is stored and how to go on; what is stored is not touched."""
    call, error, words = REFUSED[case]
    await SqliteLog(tmp_path, partitions=3).close()
    with pytest.raises(error, match=words):
        call(tmp_path)
    log = SqliteLog(tmp_path, partitions=3, app="streams")
    assert (await seen(log)).topics == {}
    await log.close()


def _newer(directory: Path) -> None:
    _made(directory)
    with closing(sqlite3.connect(directory / database.FILE, isolation_level=None)) as con:
        tables.update(con, "meta", ("format", 99))


def _older(directory: Path) -> None:
    for statement in (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
        "CREATE TABLE chunks (place INTEGER NOT NULL, first INTEGER NOT NULL, body BLOB NOT NULL)",
        "INSERT INTO meta VALUES ('format', 1)",
    ):
        sql(directory, statement)


def _made(directory: Path) -> None:
    asyncio.run(SqliteLog(directory).close())


FOREIGN: dict[str, tuple[Callable[[Path], object], type[StreamsError], str]] = {
    "no database": (
        lambda d: (d / database.FILE).write_bytes(b"once upon a time " * 100),
        InputError,
        "is not a log of this program",
    ),
    "another database": (
        lambda d: sql(d, "CREATE TABLE poems (line)"),
        InputError,
        "is not a log of this program",
    ),
    "a newer format": (_newer, Incompatible, "has format 99.*reads format 1"),
    "an older format": (_older, Incompatible, "without checksums.*new data directory and replay"),
    "a directory": (lambda d: (d / database.FILE).mkdir(), InputError, database.FILE),
}


@pytest.mark.parametrize("opening", [SqliteLog, SqliteReader])
@pytest.mark.parametrize("case", sorted(FOREIGN))
def test_a_file_that_is_no_log_of_ours_is_refused(
    tmp_path: Path, case: str, opening: Callable[[Path], object]
) -> None:
    """By writers and readers, without a traceback of SQLite's, and left as it is."""
    make, error, words = FOREIGN[case]
    make(tmp_path)
    file = tmp_path / database.FILE
    before = file.read_bytes() if file.is_file() else b""
    with pytest.raises(error, match=words):
        opening(tmp_path)
    assert (file.read_bytes() if file.is_file() else b"") == before


def test_an_empty_file_holds_no_log_yet(tmp_path: Path) -> None:
    """A crash at the very start may leave one: a reader finds nothing, a writer makes the log."""
    (tmp_path / database.FILE).touch()
    with pytest.raises(InputError, match="is not a log"):
        SqliteReader(tmp_path)
    _made(tmp_path)


async def test_readers_work_beside_a_writer(tmp_path: Path) -> None:
    """They see what is committed so far, write nothing and fence nobody."""
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    reader = SqliteLog.read_only(tmp_path)
    await session.commit(full_batch(b"1"))
    await fill(log, [b"x"])
    assert (await seen(reader)) == (await seen(log))
    assert await input_ends(reader) == [1]
    await session.commit(full_batch(b"2"))
    assert await reader.checkpoints() == [b"2"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._reader.execute("DELETE FROM chunks")
    await reader.close()
    await log.close()


async def test_an_uncommitted_batch_is_seen_by_nobody(tmp_path: Path) -> None:
    """With all of a batch written and its transaction still open, neither
    the log itself nor a reader sees any of it.
    """
    log, reader = SqliteLog(tmp_path), None
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    before = await seen(log)
    with suppress(RuntimeError), log._transaction() as con:
        for place in range(1, 9):
            chunks.append(con, place, chunks.pack([(b"k", b"v", ())]))
        con.execute("UPDATE partitions SET checkpoint = x'ff'")
        reader = SqliteLog.read_only(tmp_path)
        assert await seen(log) == await seen(reader) == before
        assert await restored(session) == Restored(b"1", {b"counter": b"1"})
        raise RuntimeError("crash")
    assert await seen(log) == before
    assert reader is not None
    await reader.close()
    await log.close()


async def test_an_interrupt_in_mid_commit_rolls_back_or_comes_after(tmp_path: Path) -> None:
    """Ctrl-C at any microsecond: outputs, state and checkpoint agree, and the session can go on."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await session.commit(_counting(0))
    interrupted = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(1, 150):
            try:
                signal.setitimer(signal.ITIMER_REAL, turn * 10e-6)
                await session.commit(_counting(turn))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            counter = await _agreed(log)
            assert counter <= turn
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 0
    await session.commit(_counting(1_000))
    assert await _agreed(log) == 1_000
    await log.close()


async def test_what_an_interrupt_left_open_is_rolled_back_first(tmp_path: Path) -> None:
    """Should Ctrl-C strike in the roll-back itself, the next write begins by finishing it."""
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    log._writer.execute("BEGIN IMMEDIATE")
    log._writer.execute("UPDATE partitions SET checkpoint = x'ff'")
    await fill(log, [b"a"])
    assert await log.checkpoints() == [None]
    await session.commit(full_batch(b"1"))
    assert await restored(session) == Restored(b"1", {b"counter": b"1"})
    await log.close()


async def test_a_scan_shows_one_moment_of_all_partitions(tmp_path: Path) -> None:
    """What is committed to partition 1 while partition 0 is looked through is not seen."""
    log = SqliteLog(tmp_path, partitions=2)
    sessions = [await log.open(number) for number in range(2)]
    for session in sessions:
        await session.commit(full_batch(b"1"))
    scan = log.scan("transitions")
    await anext(scan)
    await sessions[1].commit(full_batch(b"2"))
    assert [record.value async for _, record in scan] == [b"12", b"1", b"12"]
    await log.close()


def _counting(turn: int) -> Batch:
    tag = b"%d" % turn
    return batch(
        tag,
        [Output("transitions", b"k", tag), Output("current", b"k", tag), Output("late", b"k", tag)] * 20,
        [(b"counter", tag)],
    )


async def _agreed(log: SqliteLog) -> int:
    """The number that checkpoint, state and every output say."""
    reader = SqliteLog.read_only(log._file.parent)
    (checkpoint,) = await reader.checkpoints()
    last = {
        topic: (await scanned(reader, topic))[-1][2] for topic in ("transitions", "current", "late", "state")
    }
    await reader.close()
    assert checkpoint is not None
    assert last == dict.fromkeys(last, checkpoint)
    return int(checkpoint)


async def test_waiting_for_another_writer_ends_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is dead then; a new one goes on from the last commit."""
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    holder = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="held by another process"):
        await session.commit(full_batch(b"2"))
    with pytest.raises(Unavailable, match="held by another process"):
        await fill(log, [b"x"])
    holder.close()
    with pytest.raises(Unavailable, match="Open the partition again"):
        await session.commit(full_batch(b"2"))
    assert await restored(await log.open(0)) == Restored(b"1", {b"counter": b"1"})
    assert await input_ends(log) == [0]
    await log.close()


async def test_a_full_disk_ends_the_session_and_loses_nothing(tmp_path: Path) -> None:
    """The batch is not there, what was committed before is; with room again a new session goes on."""
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    before = await seen(log)
    (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(Unavailable, match=r"disk that holds .* is full"):
        await session.commit(batch(b"2", [Output("late", b"k", b"x" * 1_000_000)], [(b"counter", b"2")]))
    assert await seen(log) == before
    log._writer.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(Unavailable, match="Open the partition again"):
        await session.commit(full_batch(b"2"))
    session = await log.open(0)
    await session.commit(full_batch(b"3"))
    assert await restored(session) == Restored(b"3", {b"counter": b"3"})
    await log.close()


async def test_damage_is_reported_in_words(tmp_path: Path) -> None:
    """A chunk whose bytes are not what was written is an error with a
    way out, not a traceback of the decoder.
    """
    log = SqliteLog(tmp_path)
    await fill(log, [b"a"])
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    sql(tmp_path, "UPDATE chunks SET body = x'93c1'")
    with pytest.raises(Unavailable, match="damaged"):
        await read(session, 0, 1)
    with pytest.raises(Unavailable, match="damaged"):
        await session.restore()
    with pytest.raises(Unavailable, match="damaged"):
        await scanned(log, "current")
    await log.close()


async def test_a_compacted_topic_does_not_grow_with_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most about twice what is alive, plus the size that is not
    worth compacting; the file reuses the room.
    """
    monkeypatch.setattr(chunks, "COMPACT_BYTES", 10_000)
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    for turn in range(100):
        await session.commit(
            batch(b"c", state=[(b"%d" % number, b"%03d" % turn * 10) for number in range(100)])
        )
    ((size, count),) = sql(tmp_path, "SELECT sum(length(body)), sum(count) FROM chunks")
    assert 3_000 < int(str(size)) < 30_000
    assert int(str(count)) < 1_000
    assert (await restored(session)).state == {b"%d" % number: b"099" * 10 for number in range(100)}
    await log.close()
    assert (tmp_path / database.FILE).stat().st_size < 1_000_000


async def test_a_frozen_reader_sees_one_moment(tmp_path: Path) -> None:
    """While a writer goes on, all scans, ends and checkpoints of a frozen reader are of when
    it was made; another reader sees the new.
    """
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await fill(log, [b"1"])
    await session.commit(full_batch(b"1"))
    frozen = SqliteLog.read_only(tmp_path, frozen=True)
    before = await seen(frozen)
    await fill(log, [b"2"])
    await session.commit(full_batch(b"2"))
    assert await seen(frozen) == before
    current = SqliteLog.read_only(tmp_path)
    assert await seen(current) != before
    await current.close()
    await frozen.close()
    await log.close()


async def test_who_lost_a_partition_appends_no_more_of_a_file(tmp_path: Path) -> None:
    """If two read one file, exactly one goes on: the last to open.

    The other's next append of the file is fenced, and so not in the way.
    """
    first, second = SqliteLog(tmp_path, 2), SqliteLog(tmp_path)
    for log in (first, second):
        for partition in range(2):
            await log.open(partition)
    with pytest.raises(Fenced, match="taken over"):
        await first.append([NewRecord(0, None, b"a", 0)], Source("f", 0, 1))
    await second.append([NewRecord(0, None, b"a", 0)], Source("f", 0, 1))
    assert await second.position("f") == 1
    await first.close()
    await second.close()


async def test_all_partitions_are_taken_over_at_once(tmp_path: Path) -> None:
    """The later of two has all of them, and the earlier none."""
    first, second = SqliteLog(tmp_path, 3), SqliteLog(tmp_path, 3)
    before, after = await first.open_all(), await second.open_all()
    assert [0, 1, 2] == [session.partition for session in after]
    for session in before:
        with pytest.raises(Fenced):
            await session.commit(full_batch(b"1"))
    for session in after:
        await session.commit(full_batch(b"2"))
    await first.close()
    await second.close()
