"""A profile as state records, and back: a head that every change rewrites, and sealed segments of its journal that rarely change."""

import msgspec

from streams.core.journeys.finals import JourneySummary
from streams.core.journeys.machine import Patience, State
from streams.core.journeys.profile import CHUNK, SEGMENT, Orders, Profile, next_deadline, replay, start_states
from streams.core.journeys.signal import NAMELESS, SIZE

HEAD = -1  # the head's number among a profile's records


class Head(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """All of a profile but its sealed segments."""

    needs: tuple[str, ...]
    base: list[State] | None
    begun: list[JourneySummary] | None
    orders: Orders | None
    first: int
    folded: int
    final_ms: int
    tail: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


def records(p: Profile, out: list[tuple[str, int, bytes | None]]) -> None:
    """What a commit writes for a changed profile, as (key, number, value): its head and the sealed segments that changed. Notes them as saved."""
    key, journal, first = p.key, p.journal, p.first
    full = len(journal) // CHUNK
    out.append(
        (
            key,
            HEAD,
            _encode(
                Head(p.needs, p.base, p.begun, p.orders, first, p.folded, p.final_ms, journal[full * CHUNK :])
            ),
        )
    )
    for n in range(p.saved // SEGMENT, full):
        out.append((key, first + n, journal[n * CHUNK : n * CHUNK + CHUNK]))
    if full != p.sealed:
        out += [
            (key, first + n, None) for n in range(full, p.sealed)
        ]  # a smaller copy of an event can be about fewer needs
        p.sealed = full
    p.saved = len(journal) // SIZE


def segments(p: Profile) -> range:
    """The numbers of the sealed segments that the state topic holds of a saved profile."""
    return range(p.first, p.first + p.sealed)


def restore(key: str, parts: dict[int, bytes], timer: int, patience: Patience) -> Profile:
    """The profile as it was when these records were committed with this timer position."""
    h = _decode(parts[HEAD])
    journal = b"".join([parts[n] for n in range(h.first, h.first + len(parts) - 1)]) + h.tail
    needs = h.needs if len(h.needs) > 1 else NAMELESS  # one tuple for nearly everybody
    p = Profile(
        key, [], needs, journal, folded=h.folded, base=h.base, begun=h.begun, orders=h.orders, first=h.first
    )
    p.saved, p.sealed, p.final_ms = len(journal) // SIZE, len(parts) - 1, h.final_ms
    p.newest = int.from_bytes(journal[-SIZE:][:8], "big") if journal else -1
    p.states = start_states(p)
    p.settled_ms = replay(p.states, journal[p.folded * SIZE :], p.orders, patience, [], timer)
    p.armed_ms = next_deadline(p, patience)
    return p
