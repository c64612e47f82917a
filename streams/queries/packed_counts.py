"""Some counters as they stand in a snapshot: twelve bytes each, four say which and eight say how many.

A start with ten million counters leaves them as they are. Only those of a window that changes again become a
dict, and most windows are over.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence

BYTE_ORDER = sys.byteorder  # of the numbers: that of the machine
_WHICH, _COUNT = "I", "q"  # codes of arrays; an amount of money has 64 bits
_WHICH_BYTES = array(_WHICH).itemsize
_BYTES = _WHICH_BYTES + array(_COUNT).itemsize


class PackedCounts:
    """Counters by the number of a name, which nobody changes."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return len(self.raw) // _BYTES

    def items(self) -> Iterable[tuple[int, int]]:
        """Which, and how many."""
        which, counts = array(_WHICH), array(_COUNT)
        end = len(self) * _WHICH_BYTES
        which.frombytes(self.raw[:end])
        counts.frombytes(self.raw[end:])
        return zip(which, counts, strict=True)

    def unpacked(self, numbers: Sequence[int]) -> dict[int, int]:
        """A dict of them, which may change. `numbers`: those of all names, in order. They are shared by all
        dicts, since a number that is made anew costs as much as the rest of a counter.
        """
        return {numbers[which]: count for which, count in self.items()}


def pack_counts(counts: Mapping[int, int] | PackedCounts) -> bytes:
    """The bytes that stand for these counters."""
    if isinstance(counts, PackedCounts):
        return counts.raw
    return array(_WHICH, counts.keys()).tobytes() + array(_COUNT, counts.values()).tobytes()
