"""A snapshot gives back what was in it, and is put aside where it does not belong."""

from zlib import crc32

import msgspec
import pytest

from streams.log.tail import TailPosition
from streams.queries.cell_table import CellTable
from streams.queries.views.snapshot import (
    SNAPSHOT_FORMAT,
    RestoredCells,
    UnusableSnapshot,
    decode_snapshot,
    encode_snapshot,
)
from tests.queries.views.test_opened_cohorts import table

POSITIONS = {("tallies", 0): TailPosition(20, 7), ("tallies", 1): TailPosition(40)}


def restored(raw: bytes) -> RestoredCells:
    found = decode_snapshot(raw, "shop")
    assert isinstance(found, RestoredCells), found
    return found


def test_it_goes_on_where_it_was() -> None:
    """With the same sums, and records that come later change them as before."""
    cells = table()
    found = restored(encode_snapshot("shop", cells, POSITIONS))
    assert POSITIONS == found.positions
    assert len(cells) == len(found.cells)
    for one in (cells, found.cells):
        record = (
            b'{"measure":"cohort","furthest":"do","outcome":"open","cell":"","partition":1,"window":"all",'
        )
        value = record + b'"start":null,"dimensions":{"device":"tv"},"count":3,"rev":2}'
        one.apply("tallies", b"1/all/cohort/do/open/tv", value)
    assert 3 == sum(cell.count for cell in found.cells.sums())
    assert cells.sums() == found.cells.sums()


def test_a_partition_that_is_read_anew_begins_again() -> None:
    """Neither what was known of it nor how far it was read is kept."""
    cells = table()
    cells.read_anew("tallies", 1)
    found = restored(encode_snapshot("shop", cells, POSITIONS))
    assert [("tallies", 0)] == [*found.positions]
    assert len(cells) == 2 * len(found.cells)


def written(*fields: object) -> bytes:
    """What another release would write."""
    body = msgspec.msgpack.encode(fields)
    return crc32(body).to_bytes(4, "big") + body


GOOD = encode_snapshot("shop", table(), POSITIONS)
OTHER = "2, little-endian"


@pytest.mark.parametrize(
    ("raw", "log", "reason"),
    [
        (GOOD, "other", "it is of shop, and not of other"),
        (GOOD[:-1], "shop", "damaged"),
        (b"", "shop", "damaged"),
        (GOOD[:9] + bytes([GOOD[9] ^ 1]) + GOOD[10:], "shop", "damaged"),
        (written(OTHER, "shop"), "shop", f"it has format {OTHER}"),
        (written(SNAPSHOT_FORMAT, "shop"), "shop", "no release"),
    ],
    ids=["of another log", "cut off", "empty", "a bit has flipped", "of another release", "of none"],
)
def test_one_that_does_not_fit_says_why(raw: bytes, log: str, reason: str) -> None:
    """Then everything is read."""
    found = decode_snapshot(raw, log)
    assert isinstance(found, UnusableSnapshot)
    assert reason in found.reason


def test_an_empty_one_is_one() -> None:
    """Before anything was read."""
    assert 0 == len(restored(encode_snapshot("shop", CellTable(), {})).cells)
