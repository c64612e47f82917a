"""What the comparison of two logs is made of: a log at its checkpoints, and sums of hashes of what it says.

A sum stands for a set of records, whatever their order: two sets with equal sums are equal.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec
import orjson

from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.log.port import Reader

# What a record says about itself, and not about the step or the counter.
OF_THE_RECORD = ("rev", "op", "moved_from", "partition", "count", "cell")
_SUM_BITS = (1 << 128) - 1

HashSums = dict[str, int]
"""A sum of hashes per stretch of time."""


class Difference(msgspec.Struct, frozen=True):
    """Something that one log says and the other does not, or that they count differently."""

    what: dict[str, Any]
    one: int  # how often it holds in the first log, or how much it counts
    other: int


class LogAt(NamedTuple):
    """A log as its partitions left it at these checkpoints. None: nothing was committed yet."""

    reader: Reader
    checkpoints: list[Checkpoint | None]

    @property
    def begun(self) -> list[Checkpoint]:
        """The checkpoints that there are."""
        return [checkpoint for checkpoint in self.checkpoints if checkpoint is not None]

    def rev(self, partition: int) -> int:
        """The last transition record of a partition."""
        checkpoint = self.checkpoints[partition]
        return 0 if checkpoint is None else checkpoint.rev

    def batches(self, partition: int) -> int:
        """The last batch of a partition."""
        checkpoint = self.checkpoints[partition]
        return 0 if checkpoint is None else checkpoint.batches


async def log_now(reader: Reader) -> LogAt:
    """The log as it is now. Raises Incompatible for another format, Unavailable, Refused."""
    return LogAt(
        reader, [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    )


def content_of_record(value: dict[str, Any]) -> bytes:
    """The content of a record, in one form for both logs. It changes `value`."""
    for name in OF_THE_RECORD:
        value.pop(name, None)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def add_hash(sums: HashSums, stretch: str, text: bytes, weight: int) -> None:
    """Adds the hash of a text to the sum of its stretch, `weight` times."""
    digest = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())
    sums[stretch] = (sums.get(stretch, 0) + weight * digest) & _SUM_BITS


def differing_stretches(one: HashSums, other: HashSums) -> list[str]:
    """The stretches in which two logs do not have the same, in order."""
    return sorted(at for at in one.keys() | other.keys() if one.get(at, 0) != other.get(at, 0))
