"""The checkpoint: how far a partition has come in its inputs, in time and in its outputs.

A partition agent commits it with every batch, and starts from the last one.
"""

from collections.abc import Iterable, Mapping

import msgspec

from streams.core.ingest.event import Apart
from streams.core.ingest.repairs import Repair
from streams.core.processing.rulebook import Era
from streams.core.processing.watermark import PeerProgress, SourcePosition
from streams.errors import Incompatible
from streams.topology import is_inbox

STATE_FORMAT = 1  # of the checkpoint and of every state record

REPLAY = "start a new app id or data directory, and replay"


class Counts(msgspec.Struct, array_like=True):
    """How the items of a partition ended, each in exactly one way.

    `received` is the sum of the seven outcomes. `forwarded` is not part of it: those items end in another
    partition. Nor are `repaired`, which counts items where they are read, `narrowed` and `unread_amounts`:
    they ended in one of those ways, too. `redriven` counts items a second time: they were late or rejected
    before.
    """

    received: int = 0
    applied: int = 0
    refused: int = 0  # the person has refused to be measured
    robot: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    forwarded: int = 0  # to the partitions that own their people
    narrowed: int = 0  # applied, but not in all of their needs: there were no places for these
    unread_amounts: int = 0  # purchases and refunds applied without their amount, which is unreadable
    repaired: dict[str, int] = {}  # events by kind of repair: one with two repairs counts in both
    redriven: dict[str, int] = {}  # redriven items by how they ended, those sent on excluded
    moves: dict[str, int] = {}  # events that devices gave, and what became of them; links that were late

    def count_repairs(self, repairs: Iterable[Repair]) -> None:
        """Counts an event that was read although something in it was wrong."""
        for kind in repairs:
            self.repaired[kind.value] = self.repaired.get(kind.value, 0) + 1

    def count_apart(self, why: Apart) -> None:
        """Counts an event that is counted and says nothing."""
        if why is Apart.REFUSED:
            self.refused += 1
        else:
            self.robot += 1


def copy_of_counts(counts: Counts) -> Counts:
    """Counts that stay as they are while the next batch is folded."""
    return msgspec.structs.replace(
        counts, repaired=dict(counts.repaired), redriven=dict(counts.redriven), moves=dict(counts.moves)
    )


_NO_OUTCOMES = ("received", "forwarded", "repaired", "narrowed", "unread_amounts", "redriven", "moves")
OUTCOMES = tuple(name for name in Counts.__struct_fields__ if name not in _NO_OUTCOMES)


class Checkpoint(msgspec.Struct, array_like=True):
    """All that says where to go on after the batch that it was committed with."""

    format: int
    fold: bytes  # the fold settings, canonical: a start with others is refused
    # Where events of its journals were read, by code (`places.py`): sources of other partitions, too.
    read_from: list[str] = []
    sources: dict[str, SourcePosition] = {}  # by `topic:partition`
    watermark_ms: int = -1
    timers_fired_ms: int = -1
    rev: int = 0  # transition records written so far
    cues: int = 0  # cue records written so far: the `rev` of the last one
    batches: int = 0  # committed so far, this one included: the `rev` of the counters that it changes
    counts: Counts = msgspec.field(default_factory=Counts)
    forgotten_without_journey: int = 0  # people; one who comes back counts once more
    expired_corrections: int = 0  # counter changes of windows that are no longer kept
    eras: list[Era] = []
    forwarding: bool = False  # events are forwarded to or from this partition
    peers: dict[int, PeerProgress] = {}  # what the other partitions have reported
    # By `late:partition` or `rejected:partition`: the first dead letter that was kept there when one of them
    # was redriven to this partition last. What was redriven of those before it is forgotten.
    kept_letters: dict[str, int] = {}
    settled_mark_ms: int = -1  # what is final, and which counters are no longer kept, goes by this mark
    reasons: dict[str, dict[str, int]] = {}  # items by outcome and reason, since the partition began

    @property
    def offset(self) -> int:
        """The sum of the offsets of its inputs: one figure for how far the partition has come in them."""
        return sum(position.offset for name, position in self.sources.items() if not is_inbox(name))

    def count_reasons(self, reasons: Mapping[str, Mapping[str, int]]) -> None:
        """Adds the reasons of a batch. Both lists are closed."""
        for outcome, counts in reasons.items():
            if counts:
                sums = self.reasons.setdefault(outcome, {})
                for reason, n in counts.items():
                    sums[reason] = sums.get(reason, 0) + n


class _Numbered(msgspec.Struct, array_like=True):
    """The field that every format of the checkpoint begins with."""

    format: int


encode_checkpoint = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode
_decode_number = msgspec.msgpack.Decoder(_Numbered).decode


def decode_checkpoint(raw: bytes) -> Checkpoint:
    """The checkpoint in these bytes. Raises Incompatible if they are damaged or have another format."""
    try:
        number = _decode_number(raw).format
    except msgspec.DecodeError as error:
        message = "the checkpoint cannot be read: it is damaged, or no version of this program wrote it"
        raise Incompatible(f"{message}: {REPLAY}") from error
    if number > STATE_FORMAT:
        raise Incompatible(
            f"the state has format {number}, and this program knows formats up to {STATE_FORMAT}: use the "
            f"version that wrote it or a later one, or {REPLAY}"
        )
    if number < STATE_FORMAT:
        raise Incompatible(
            f"the state has format {number}, and this program reads format {STATE_FORMAT}: {REPLAY}"
        )
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise Incompatible(
            f"the checkpoint is damaged, or older than this program ({error}): {REPLAY}"
        ) from error
