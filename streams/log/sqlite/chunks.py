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
from contextlib import closing

import msgspec
from msgspec.structs import replace

from streams.log.sqlite.damage import Damage, chunk_checksum, damaged_records, is_damage
from streams.log.sqlite.tables import ChunkPlace, read_place, write_place
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
_raw_rows = msgspec.msgpack.Decoder(list[msgspec.Raw])
_row = msgspec.msgpack.Decoder(Row)
_entries = msgspec.msgpack.Decoder(list[Entry])
_entry = msgspec.msgpack.Decoder(Entry)

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


def append(con: sqlite3.Connection, number: int, bodies: list[Body]) -> None:
    """Adds chunks at the end of a place."""
    place = read_place(con, number)
    write_place(con, _appended(con, place, bodies))


def _appended(con: sqlite3.Connection, place: ChunkPlace, bodies: list[Body]) -> ChunkPlace:
    first, size = place.next, 0
    for count, body in bodies:
        crc = chunk_checksum(place.number, first, count, body)
        try:
            con.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?)", (place.number, first, count, body, crc))
        except sqlite3.IntegrityError as error:  # there is a chunk where the place ends
            raise damaged_records(place.topic, place.partition, (first, first + count), str(error)) from error
        first += count
        size += len(body)
    return replace(place, next=first, recent=place.recent + size)


def compact_if_due(con: sqlite3.Connection, number: int) -> None:
    """Compacts a place of a compacted topic if most of it may be superseded."""
    place = read_place(con, number)
    if place.recent >= place.kept + COMPACT_BYTES:
        compact(con, number)


def compact(con: sqlite3.Connection, number: int) -> None:
    """Rewrites a place of a compacted topic with what is alive in it, under new offsets: a follower at an
    older offset is one that may have missed tombstones.
    """
    bodies = pack([(key, value, headers) for key, (value, headers) in live(con, number).items()])
    con.execute("DELETE FROM chunks WHERE place = ?", (number,))
    place = read_place(con, number)
    written = _appended(con, replace(place, first=place.next), bodies)
    write_place(con, replace(written, kept=sum(len(body) for _, body in bodies), recent=0))


def live(con: sqlite3.Connection, number: int) -> Live:
    """The last value and headers of each key in a place of a compacted topic, without those whose last record
    is a tombstone. Raises Damage.
    """
    found: Live = {}
    place = read_place(con, number)
    for _, body in _checked(con, place, place.first):
        for key, value, headers in _entries.decode(body):
            if value is None:
                found.pop(key, None)
            else:
                found[key] = (value, headers)
    return found


def read_chunks(
    con: sqlite3.Connection, number: int, offset: int = 0, *, compacted: bool = False
) -> Generator[list[Record], None, None]:
    """The records of a place from `offset` on, chunk by chunk. Close it if you stop early: it holds a view of
    the database open. Raises Damage.
    """
    with closing(_checked(con, read_place(con, number), offset)) as chunks:
        for first, body in chunks:
            if compacted:
                entries = _entries.decode(body)
                records = [Record(at, -1, *entry) for at, entry in enumerate(entries, first)]
            else:
                rows = _rows.decode(body)
                records = [Record(at, *row) for at, row in enumerate(rows, first)]
            yield records if first >= offset else records[offset - first :]


def records_at(
    con: sqlite3.Connection, number: int, offsets: Sequence[int], *, compacted: bool = False
) -> Generator[Record, None, None]:
    """The records of a place at these offsets, which ascend; without those that a compaction has moved. Of a
    chunk only they are decoded, and the others are passed over: a tenth of the time. Raises Damage.
    """
    place, rows, first = read_place(con, number), list[msgspec.Raw](), -1
    for offset in offsets:
        if compacted and offset < place.first:
            continue
        if not first <= offset < first + len(rows):
            with closing(_checked(con, place, offset)) as found:
                first, body = next(found)
            rows = _raw_rows.decode(body)
        row = rows[offset - first]
        yield Record(offset, -1, *_entry.decode(row)) if compacted else Record(offset, *_row.decode(row))


def _checked(
    con: sqlite3.Connection, place: ChunkPlace, offset: int
) -> Generator[tuple[int, bytes], None, None]:
    """The chunks of a place from the one on that holds `offset`, as (offset of its first record, body), up to
    the end that the place has. Raises Damage at the first that is not what was written, or is missing.
    """
    expected, end = max(offset, place.first), place.next
    if expected >= end:
        return
    rows = con.execute(
        "SELECT first, count, body, crc FROM chunks WHERE place = :place AND first < :end AND first >= "
        "coalesce((SELECT max(first) FROM chunks WHERE place = :place AND first <= :offset), 0) "
        "ORDER BY first",
        {"place": place.number, "offset": expected, "end": end},
    )
    begun = False
    try:
        for first, count, body, crc in rows:
            if not isinstance(body, bytes) or crc != chunk_checksum(place.number, first, count, body):
                raise _damaged(place, expected, "they are not what was written")
            if first > expected or (first < expected if begun else first + count <= expected):
                raise _damaged(place, expected, "some of them are missing")
            yield first, body
            begun, expected = True, first + count
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise
        raise _damaged(place, expected, str(error)) from error
    finally:
        rows.close()
    if expected != end:
        raise _damaged(place, expected, "some of them are missing")


def _damaged(place: ChunkPlace, offset: int, why: str) -> Damage:
    return damaged_records(place.topic, place.partition, (offset, place.next), why)
