"""A profile as state records, and back.

Each change rewrites the profile's head, which is small. The journal's full segments have records of their own
(sealed), which rarely change.
"""

from collections.abc import Mapping

import msgspec

from streams.core.journeys.folding import replay, states_of_base
from streams.core.journeys.journal import head_at
from streams.core.journeys.profile import SEGMENT, SEGMENT_BYTES, Orders, Profile, deadline_of
from streams.core.journeys.signal import NAMELESS, SIZE
from streams.core.journeys.state import Patience, State
from streams.core.journeys.summary import JourneySummary

HEAD_PART = -1  # the head's number among a profile's parts


class ProfilePart(msgspec.Struct, frozen=True, gc=False):
    """One state record of a profile."""

    key: str
    number: int  # of the segment, or HEAD_PART
    value: bytes | None  # None: a tombstone


class ProfileHead(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """All of a profile except its sealed segments."""

    needs: tuple[str, ...]
    base: list[State] | None
    begun: list[JourneySummary] | None
    orders: Orders | None
    first_segment: int
    folded: int
    final_ms: int
    tail: bytes  # the journal behind the last sealed segment


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ProfileHead).decode


def save_profile(p: Profile, out: list[ProfilePart]) -> None:
    """Appends what a commit writes for a changed profile: its head, and the sealed segments that changed.

    The profile notes what is saved.
    """
    key, journal, first = p.key, p.journal, p.first_segment
    full = len(journal) // SEGMENT_BYTES
    tail = journal[full * SEGMENT_BYTES :]
    head = ProfileHead(
        needs=p.needs,
        base=p.base,
        begun=p.begun,
        orders=p.orders,
        first_segment=first,
        folded=p.folded,
        final_ms=p.final_ms,
        tail=tail,
    )
    out.append(ProfilePart(key, HEAD_PART, _encode(head)))
    for n in range(p.saved // SEGMENT, full):
        out.append(
            ProfilePart(key, first + n, journal[n * SEGMENT_BYTES : n * SEGMENT_BYTES + SEGMENT_BYTES])
        )
    if full != p.sealed:
        # A smaller copy of an event can be about fewer needs, so a journal can become shorter.
        out += [ProfilePart(key, first + n, None) for n in range(full, p.sealed)]
        p.sealed = full
    p.saved = len(journal) // SIZE


def tombstones(p: Profile) -> list[ProfilePart]:
    """The state records that delete a saved profile."""
    sealed = range(p.first_segment, p.first_segment + p.sealed)
    return [ProfilePart(p.key, number, None) for number in (HEAD_PART, *sealed)]


def load_profile(key: str, parts: Mapping[int, bytes], timers_fired_ms: int, patience: Patience) -> Profile:
    """The profile as it was when these parts (by number) were committed.

    Raises msgspec.MsgspecError or KeyError for damaged ones.
    """
    head = _decode(parts[HEAD_PART])
    sealed = len(parts) - 1
    segments = [parts[n] for n in range(head.first_segment, head.first_segment + sealed)]
    journal = b"".join(segments) + head.tail
    needs = head.needs if len(head.needs) > 1 else NAMELESS  # one tuple for nearly everybody
    p = Profile(
        key,
        [],
        needs,
        journal,
        folded=head.folded,
        base=head.base,
        begun=head.begun,
        orders=head.orders,
        first_segment=head.first_segment,
        final_ms=head.final_ms,
        saved=len(journal) // SIZE,
        sealed=sealed,
    )
    if journal:
        p.newest_head = head_at(journal, len(journal) // SIZE - 1)
    p.states = states_of_base(p)
    p.settled_ms = replay(p.states, journal[p.folded * SIZE :], p.orders, patience, [], timers_fired_ms)
    p.armed_ms = deadline_of(p, patience)
    return p
