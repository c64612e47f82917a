"""What a view of all counters needs to go on after a restart: the counters, and how far they were read.

With it a start reads what has come since and no more. It belongs to one log: of another one, of another
release or damaged, it is put aside, and everything is read.
"""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from streams.log.tail import TailPosition
from streams.queries.cell_table import CellSum, CellTable, PartitionCells
from streams.queries.packed_counts import BYTE_ORDER, PackedCounts, pack_counts
from streams.queries.views.feeding import Positions

SNAPSHOT_FORMAT = f"1, {BYTE_ORDER}-endian"
_SUM_BYTES = 4  # its first bytes: the checksum of the others

_encode = msgspec.msgpack.Encoder().encode


class _Head(msgspec.Struct, array_like=True, frozen=True):
    """What every format begins with."""

    format: str
    log: str


class _Snapshot(_Head, array_like=True, frozen=True):
    positions: Sequence[tuple[str, int, TailPosition]]
    names: Sequence[tuple[bytes, CellSum]]
    parts: dict[int, Sequence[dict[int, bytes]]]


_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode = msgspec.msgpack.Decoder(_Snapshot).decode


class RestoredCells(NamedTuple):
    """Counters as they were, and from where on to read."""

    cells: CellTable
    positions: Positions


class UnusableSnapshot(NamedTuple):
    """Everything has to be read."""

    reason: str  # for a person


def encode_snapshot(log: str, cells: CellTable, positions: Positions) -> bytes:
    """`log`: which log it is of. A partition that is being read anew is left out: it is read from its
    beginning after a restart.
    """
    kept = [(topic, n, at) for (topic, n), at in positions.items() if not cells.is_read_anew(n)]
    parts = {n: _packed_windows(part) for n, part in cells.parts.items() if not cells.is_read_anew(n)}
    body = _encode(_Snapshot(SNAPSHOT_FORMAT, log, kept, cells.names, parts))
    return crc32(body).to_bytes(_SUM_BYTES, "big") + body


def _packed_windows(part: PartitionCells) -> Sequence[dict[int, bytes]]:
    return [{start: pack_counts(counts) for start, counts in starts.items()} for starts in part.windows]


def _partition(windows: Sequence[dict[int, bytes]]) -> PartitionCells:
    return PartitionCells([{start: PackedCounts(raw) for start, raw in starts.items()} for starts in windows])


def decode_snapshot(raw: bytes, log: str) -> RestoredCells | UnusableSnapshot:
    """The counters in a snapshot of this log."""
    body = raw[_SUM_BYTES:]
    if crc32(body).to_bytes(_SUM_BYTES, "big") != raw[:_SUM_BYTES]:
        return UnusableSnapshot("it is damaged")
    try:
        head = _decode_head(body)
        if head.format != SNAPSHOT_FORMAT:
            return UnusableSnapshot(f"it has format {head.format}, and this release has {SNAPSHOT_FORMAT}")
        if head.log != log:
            return UnusableSnapshot(f"it is of {head.log}, and not of {log}")
        found = _decode(body)
    except msgspec.DecodeError as error:
        return UnusableSnapshot(f"no release wrote it ({error})")
    parts = {number: _partition(windows) for number, windows in found.parts.items()}
    positions = {(topic, number): at for topic, number, at in found.positions}
    return RestoredCells(CellTable(found.names, parts), positions)
