"""How records are stored in the embedded log: packed by the hundreds into one blob, a chunk, as a broker
packs its record batches.

Measured per event (500 B appended and read, half a transition of 700 B, half a state record of 200 B under a
random key, some compacted outputs; 4,000 events a batch): a row per record and a B-tree per compacted topic
13.8 us, chunks 4.9 us. With chunks, SQLite moves few large blobs, and a random key does not rewrite a page of
its own. (Chunks for what is new, merged into a B-tree now and then: 6.4 us.)

Every topic is a list of chunks. In a compacted topic the last record of a key counts. When what was written
since the last compaction outweighs what that one kept, the topic is compacted again, in the same transaction.
So each record is rewritten about once, whatever the number of keys, and a restore reads at most about twice
what is alive. The price is that a compaction holds the live records of its topic partition in memory and
takes some 2 us for each (0.2 s for 100,000); with more partitions it is smaller. And there is no index by
key: a scan for one key reads the whole partition.

Everything here runs inside a transaction of the caller's.
"""

import sqlite3
from collections.abc import Generator, Sequence
from typing import TypeVar

import msgspec

from streams.errors import Unavailable
from streams.records import Headers, Record

# Enough to make the cost of a row small; a small read does not decode much more than it wants.
CHUNK_RECORDS = 1_024
CHUNK_BYTES = 4 << 20  # large records make a chunk of fewer: a reader holds one chunk at a time
# A smaller topic is not worth compacting: at 8 MB, tallies were rewritten so often that it was half of a
# commit.
COMPACT_BYTES = 32 << 20

Row = tuple[int, bytes | None, bytes | None, Headers]  # time_ms, key, value, headers
Entry = tuple[bytes, bytes | None, Headers]  # key, value (None: a tombstone), headers
Live = dict[bytes, tuple[bytes, Headers]]

_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(list[Row])
_entries = msgspec.msgpack.Decoder(list[Entry])

_T = TypeVar("_T")
Body = tuple[int, bytes]  # number of records, packed


def pack(records: Sequence[Row] | Sequence[Entry]) -> list[Body]:
    """The records as chunk bodies, in order. This is done before the transaction begins, to keep it short."""
    return [
        body
        for at in range(0, len(records), CHUNK_RECORDS)
        for body in _halved(records[at : at + CHUNK_RECORDS])
    ]


def _halved(records: Sequence[Row] | Sequence[Entry]) -> list[Body]:
    body = _encode(records)
    if len(body) <= CHUNK_BYTES or len(records) == 1:
        return [(len(records), body)]
    half = len(records) // 2
    return _halved(records[:half]) + _halved(records[half:])


def append(con: sqlite3.Connection, place: int, bodies: list[Body]) -> None:
    """Adds chunks at the end of a place."""
    (first,) = con.execute("SELECT next FROM places WHERE place = ?", (place,)).fetchone()
    for count, body in bodies:
        con.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (place, first, count, body))
        first += count
    size = sum(len(body) for _, body in bodies)
    con.execute("UPDATE places SET next = ?, recent = recent + ? WHERE place = ?", (first, size, place))


def compact_if_due(con: sqlite3.Connection, place: int) -> None:
    """Compacts a place of a compacted topic if most of it may be superseded."""
    kept, recent = con.execute("SELECT kept, recent FROM places WHERE place = ?", (place,)).fetchone()
    if recent >= kept + COMPACT_BYTES:
        compact(con, place)


def compact(con: sqlite3.Connection, place: int) -> None:
    """Rewrites a place of a compacted topic with what is alive in it, under new offsets: a follower at an
    older offset is one that may have missed tombstones.
    """
    bodies = pack([(key, value, headers) for key, (value, headers) in live(con, place).items()])
    con.execute("DELETE FROM chunks WHERE place = ?", (place,))
    append(con, place, bodies)
    con.execute(
        "UPDATE places SET kept = ?, recent = 0 WHERE place = ?",
        (sum(len(body) for _, body in bodies), place),
    )


def live(con: sqlite3.Connection, place: int) -> Live:
    """The last value and headers of each key in a place of a compacted topic, without those whose last record
    is a tombstone.
    """
    found: Live = {}
    for (body,) in con.execute("SELECT body FROM chunks WHERE place = ? ORDER BY first", (place,)):
        for key, value, headers in _decoded(_entries, body):
            if value is None:
                found.pop(key, None)
            else:
                found[key] = (value, headers)
    return found


def bounds(con: sqlite3.Connection, place: int) -> tuple[int, int]:
    """The offset of the first record of a place and the one that its next record will get."""
    first, end = con.execute(
        "SELECT (SELECT min(first) FROM chunks WHERE place = :place), next FROM places WHERE place = :place",
        {"place": place},
    ).fetchone()
    return end if first is None else first, end


def read_chunks(
    con: sqlite3.Connection, place: int, offset: int = 0, *, compacted: bool = False
) -> Generator[list[Record], None, None]:
    """The records of a place from `offset` on, chunk by chunk. Close it if you stop early: it holds a view of
    the database open.
    """
    chunks = con.execute(
        "SELECT first, body FROM chunks WHERE place = :place AND first + count > :offset AND first >= "
        "coalesce((SELECT max(first) FROM chunks WHERE place = :place AND first <= :offset), 0) "
        "ORDER BY first",
        {"place": place, "offset": offset},
    )
    try:
        for first, body in chunks:
            if compacted:
                entries = _decoded(_entries, body)
                records = [Record(number, -1, *entry) for number, entry in enumerate(entries, first)]
            else:
                rows = _decoded(_rows, body)
                records = [Record(number, *row) for number, row in enumerate(rows, first)]
            yield records if first >= offset else records[offset - first :]
    finally:
        chunks.close()


def _decoded(decoder: msgspec.msgpack.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"The log is damaged ({error}). Take a new data directory and replay the input into it."
        ) from error
