"""Slices of people: a recomputation holds one slice in memory at a time, and reads the input once for each.

The hash is another one than that which chose the partition: all people of a partition have that in common.
"""

from typing import NamedTuple
from zlib import crc32

MAX_SLICES = 65_536  # so many times nobody reads an input; then memory has to do


class Slice(NamedTuple):
    """The people whose hash leaves `number` when it is divided by `of`."""

    of: int
    number: int

    def has(self, key: str) -> bool:
        """True if the person with this profile key is in the slice."""
        return self.of == 1 or crc32(key.encode()) % self.of == self.number

    def split(self, ways: int) -> "list[Slice]":
        """This slice as so many smaller ones."""
        return [Slice(self.of * ways, self.number + self.of * n) for n in range(ways)]
