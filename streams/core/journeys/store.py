"""A profile as state records, and back.

Each change rewrites the profile's head, which is small. What rarely changes has records of its own: the needs
and the base, and each full segment of 8 signals (sealed) with what they say of orders. So what an event
costs does not grow with the number of signals before it.
"""

from collections.abc import Mapping

import msgspec

from streams.core.journeys.folded import Folded, fold_in
from streams.core.journeys.folding import newest_head_of, replay, states_of_base
from streams.core.journeys.journal import facts_of
from streams.core.journeys.order_facts import NO_FACTS, Facts
from streams.core.journeys.origins import EventOrigins
from streams.core.journeys.profile import SEGMENT, SEGMENT_BYTES, Profile, Redriving, deadline_of
from streams.core.journeys.signal import NAMELESS, SIZE
from streams.core.journeys.state import Patience, State
from streams.core.journeys.summary import JourneySummary

# Numbers of a profile's parts that are no segments.
HEAD_PART = -1
BASE_PART = -2
ORIGINS_PART = -3


class ProfilePart(msgspec.Struct, frozen=True, gc=False):
    """One state record of a profile."""

    key: str
    number: int  # of the segment, or HEAD_PART, BASE_PART or ORIGINS_PART
    value: bytes | None  # None: a tombstone


class ProfileHead(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What every change rewrites."""

    first_segment: int
    folded: int  # folded segments
    final_ms: int
    redriving: Redriving | None
    facts: Facts | None  # of the tail
    tail: bytes  # the signals behind the last sealed segment


class ProfileBase(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What changes when signals are folded, and when a new need comes. Without it: no base, no need named."""

    needs: tuple[str, ...]
    base: list[State] | None
    base_end: bytes
    begun: list[JourneySummary] | None
    released: bool


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(ProfileHead).decode
_decode_base = msgspec.msgpack.Decoder(ProfileBase).decode
_decode_facts = msgspec.msgpack.Decoder(Facts).decode
_decode_origins = msgspec.msgpack.Decoder(EventOrigins).decode


def save_profile(p: Profile, out: list[ProfilePart]) -> None:
    """Appends what a commit writes for a changed profile: its head, and the other records that changed.

    The profile notes what is saved.
    """
    key, journal, first = p.key, p.journal, p.first_segment
    past = len(p.folded.segments) if p.folded is not None else 0
    live = len(journal) // SEGMENT_BYTES
    tail = journal[live * SEGMENT_BYTES :]
    facts = (facts_of(tail, p.facts) or None) if p.facts else None
    head = ProfileHead(
        first_segment=first,
        folded=past,
        final_ms=p.final_ms,
        redriving=p.redriving,
        facts=facts,
        tail=tail,
    )
    out.append(ProfilePart(key, HEAD_PART, _encode(head)))
    if p.base_changed:
        base = ProfileBase(
            needs=p.needs, base=p.base, base_end=p.base_end, begun=p.begun, released=p.released
        )
        out.append(ProfilePart(key, BASE_PART, _encode(base)))
        p.base_stored, p.base_changed = True, False
    if p.origins_changed:
        stored = None if p.origins is None else _encode(p.origins)
        out.append(ProfilePart(key, ORIGINS_PART, stored))
        p.origins_stored, p.origins_changed = stored is not None, False
    full = past + live
    for n in range(p.saved // SEGMENT, full):
        begin = (n - past) * SEGMENT_BYTES
        folded = p.folded.segments[n] if p.folded is not None and n < past else b""
        out.append(ProfilePart(key, first + n, _sealed(folded or journal[begin : begin + SEGMENT_BYTES], p)))
    if full != p.sealed:
        # A smaller copy of an event can be about fewer needs, so a journal can become shorter.
        out += [ProfilePart(key, first + n, None) for n in range(full, p.sealed)]
        p.sealed = full
    p.saved = past * SEGMENT + len(journal) // SIZE


def _sealed(segment: bytes, p: Profile) -> bytes:
    """A segment as it is stored: its records, and the facts of those that have some."""
    facts = facts_of(segment, p.facts) if p.facts else NO_FACTS
    return segment + _encode(facts) if facts else segment


def tombstones(p: Profile) -> list[ProfilePart]:
    """The state records that delete a saved profile."""
    sealed = range(p.first_segment, p.first_segment + p.sealed)
    base = (BASE_PART,) if p.base_stored else ()
    origins = (ORIGINS_PART,) if p.origins_stored else ()
    return [ProfilePart(p.key, number, None) for number in (HEAD_PART, *base, *origins, *sealed)]


def load_profile(key: str, parts: Mapping[int, bytes], timers_fired_ms: int, patience: Patience) -> Profile:
    """The profile as it was when these parts (by number) were committed.

    Raises msgspec.MsgspecError or KeyError for damaged ones.
    """
    head = _decode_head(parts[HEAD_PART])
    stored = parts.get(BASE_PART)
    base = _decode_base(stored) if stored is not None else ProfileBase(NAMELESS, None, b"", None, False)
    origins = parts.get(ORIGINS_PART)
    sealed = len(parts) - 1 - (stored is not None) - (origins is not None)
    values = [parts[n] for n in range(head.first_segment, head.first_segment + sealed)]
    facts = head.facts or {}
    for value in values:
        if len(value) > SEGMENT_BYTES:
            facts |= _decode_facts(value[SEGMENT_BYTES:])
    segments = [value[:SEGMENT_BYTES] for value in values]
    folded = None
    if head.folded:
        folded = Folded(head.first_segment, [])
        for segment in segments[: head.folded]:
            fold_in(folded, segment)
    journal = b"".join(segments[head.folded :]) + head.tail
    p = Profile(
        key,
        [],
        base.needs if len(base.needs) > 1 else NAMELESS,  # one tuple for nearly everybody
        journal,
        folded=folded,
        base=base.base,
        base_end=base.base_end,
        begun=base.begun,
        released=base.released,
        facts=facts or None,
        first_segment=head.first_segment,
        final_ms=head.final_ms,
        redriving=head.redriving,
        saved=head.folded * SEGMENT + len(journal) // SIZE,
        sealed=sealed,
        base_stored=stored is not None,
        origins=_decode_origins(origins) if origins is not None else None,
        origins_stored=origins is not None,
    )
    p.newest_head = newest_head_of(journal, p.base_end)
    p.states = states_of_base(p)
    p.settled_ms = replay(p.states, journal, p.facts, patience, [], timers_fired_ms)
    p.armed_ms = deadline_of(p, patience)
    return p
