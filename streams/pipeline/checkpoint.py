"""What an agent commits with every batch, and starts from: where it stands in its input, in time, and in what it has said."""

import msgspec

from streams.errors import Incompatible
from streams.pipeline.rulebook import Era

FORMAT = 1  # of checkpoint and state records; a later format reads this one or says how to go on


class Counts(msgspec.Struct, array_like=True):
    """How the records of a partition ended, each in exactly one way. received is their sum."""

    received: int = 0
    applied: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0


class Checkpoint(msgspec.Struct, array_like=True):
    """Committed with every batch; the authority on where to continue."""

    format: int
    fold: bytes  # the fold settings, canonical: a start with others is refused
    offset: int = 0  # of the next record to read
    mark: int = -1  # horizon mark, ms
    timer: int = -1  # timer position, ms
    rev: int = 0  # transition records written so far
    counts: Counts = msgspec.field(default_factory=Counts)
    expired_corrections: int = 0  # counter changes of windows no longer kept
    eras: list[Era] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


def encode(checkpoint: Checkpoint) -> bytes:
    return _encode(checkpoint)


def decode(raw: bytes) -> Checkpoint:
    """Raises Incompatible when it was written in another format."""
    try:
        c = _decode(raw)
    except msgspec.DecodeError as error:
        raise Incompatible("the checkpoint was written by an incompatible version of this program: start a new data directory and replay") from error
    if c.format != FORMAT:
        raise Incompatible(
            f"the state has format {c.format}, this program reads format {FORMAT}: use the version that wrote it,"
            " or start a new data directory and replay"
        )
    return c
