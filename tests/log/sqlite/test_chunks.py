"""Records are packed by the hundreds, but never into a chunk too large to hold."""

import sqlite3
from pathlib import Path

from streams.log.grouping import NAMES
from streams.log.sqlite import chunks, database

FORMAT_1 = bytes.fromhex("9194cf0000018bcfe56800c4026b00c401769192a168c40178")


def test_a_chunk_is_bounded_in_records_and_in_bytes() -> None:
    """A record larger than a chunk makes one of its own; none is lost, and the order stays."""
    large = chunks.CHUNK_BYTES // 3
    sizes = [1, large, large, large, 1, 2 * chunks.CHUNK_BYTES, 1] + [10] * (2 * chunks.CHUNK_RECORDS)
    bodies = chunks.pack([(number, None, b"x" * size, ()) for number, size in enumerate(sizes)])
    assert sum(count for count, _ in bodies) == len(sizes)
    assert all(count <= chunks.CHUNK_RECORDS for count, _ in bodies)
    assert [count for count, body in bodies if len(body) > chunks.CHUNK_BYTES] == [1]
    assert len(bodies) < 15
    rows = [row for _, body in bodies for row in chunks._rows.decode(body)]
    assert [(time_ms, len(value or b"")) for time_ms, _, value, _ in rows] == list(enumerate(sizes))


def test_the_format_is_what_it_was() -> None:
    """Bytes that format 1 has written: whoever changes them raises database.FORMAT."""
    row: chunks.Row = (1_700_000_000_000, b"k\x00", b"v", (("h", b"x"),))
    assert chunks.pack([row]) == [(1, FORMAT_1)]


def test_a_place_is_compacted_when_it_has_outgrown_what_it_kept(tmp_path: Path) -> None:
    """Not at every commit: the first time beyond the size that is not worth
    it, then each time as much was added again.
    """
    con = database.connect_to_write(tmp_path / database.FILE, 1, None, NAMES)
    place = database.places(con)["state", 0]
    value = b"x" * (chunks.COMPACT_BYTES // 8)
    kept = []
    for turn in range(40):
        chunks.append(con, place, chunks.pack([(b"%d" % turn, value, ())]))
        chunks.compact_if_due(con, place)
        kept.append(_kept(con, place) // len(value))
    assert sorted(set(kept)) == [0, 8, 24]
    con.close()


def _kept(con: sqlite3.Connection, place: int) -> int:
    (kept,) = con.execute("SELECT kept FROM places WHERE place = ?", (place,)).fetchone()
    return int(kept)
