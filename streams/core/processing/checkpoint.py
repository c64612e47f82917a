"""What an agent commits with every batch, and starts from: where it stands in its input, in time, and in what it has said."""

import msgspec

from streams.core.processing.rulebook import Era
from streams.core.processing.watermark import INBOX, PeerProgress, SourcePosition
from streams.errors import Incompatible

FORMAT = 1  # of the checkpoint and of every state record; `streams.core.processing.upgrade` leads here from the formats before


class Counts(msgspec.Struct, array_like=True):
    """How the records of a partition ended, each in exactly one way. received is their sum, without what was handed over: that ends elsewhere."""

    received: int = 0
    applied: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    forwarded: int = 0  # to the partitions where their people live


class Checkpoint(msgspec.Struct, array_like=True):
    """Committed with every batch; the authority on where to continue."""

    format: int
    fold: bytes  # the fold settings, canonical: a start with others is refused
    sources: dict[str, SourcePosition] = {}  # by `topic:partition`: where to read on
    mark: int = -1  # horizon mark, ms
    timer: int = -1  # timer position, ms
    rev: int = 0  # transition records written so far
    counts: Counts = msgspec.field(default_factory=Counts)
    expired_corrections: int = 0  # counter changes of windows no longer kept
    eras: list[Era] = []
    forwarding: bool = False  # hands events over, or is handed some
    peers: dict[int, PeerProgress] = {}  # what was heard of the other partitions

    @property
    def offset(self) -> int:
        """How far it has come in its inputs, as one figure: their offsets added up."""
        return sum(position.offset for name, position in self.sources.items() if not name.startswith(INBOX))


class _Numbered(msgspec.Struct, array_like=True):
    """What every format begins with."""

    format: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode
_numbered = msgspec.msgpack.Decoder(_Numbered).decode


def encode(checkpoint: Checkpoint) -> bytes:
    return _encode(checkpoint)


def format_of(raw: bytes) -> int:
    """The format of a checkpoint and its state records: the first field, in every version. Raises Incompatible when there is none."""
    try:
        return _numbered(raw).format
    except msgspec.DecodeError as error:
        raise Incompatible(
            "the checkpoint cannot be read: it is damaged, or no version of this program wrote it. Start a new data directory and replay"
        ) from error


def decode(raw: bytes) -> Checkpoint:
    """Raises Incompatible when it was written in another format."""
    number = format_of(raw)
    if number > FORMAT:
        raise Incompatible(
            f"the state has format {number}, this program knows formats up to {FORMAT}: use the version that wrote it or a later one,"
            " or start a new data directory and replay"
        )
    if number < FORMAT:
        raise Incompatible(
            f"the state has format {number}, this program's is {FORMAT}: `streams run` or `streams replay` brings this data directory up to date"
        )
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise Incompatible(
            f"the checkpoint is damaged ({error}): start a new data directory and replay"
        ) from error
