"""One device on which somebody was signed in: its links, and what it gave to whom.

Its own events, those that were given to nobody, lie in the journal of its profile like anybody's.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum

import msgspec

from streams.core.identity.links import Link, Spans, user_at
from streams.core.journeys.folding import needs_order
from streams.core.journeys.journal import live_events, time_at
from streams.core.journeys.order_facts import facts_order
from streams.core.journeys.profile import Profile, folded_journal
from streams.core.journeys.signal import NAMELESS, REFUND_EVERYWHERE, Signal

# Events that a device gave and can take back or knows as copies; of more the oldest stay where they are. As
# many as a profile has live signals.
MAX_GIVEN = 256
LINKS_PART = b""  # the name of a device's links among its parts; the others are refs of events


class ShownAs(IntEnum):
    """What `<app>.identities` says of a device. Stored: the numbers stay as they are."""

    NOTHING = 0  # it has no record: no link has decided an event of it
    LINKED = 1  # it is one user's
    SHARED = 2  # it is nobody's, since too many users are signed in there


class GivenEvent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event of a device that belongs to a user."""

    signal: Signal
    user: str  # the key of the profile


class Device(msgspec.Struct, gc=False):
    """What is kept of a device that has a link, beside its own profile."""

    key: str  # of its profile
    links: list[Link]
    given: dict[bytes, GivenEvent] | None = None  # by ref; None: nothing
    # When it had more links than are kept, the time of its newest one, and it is shared for good. -1: never.
    full_ms: int = -1
    users_when_full: int = 0  # how many users it had then
    began: Link | None = None  # with which link the run of its oldest one began, if that was dropped
    shown_as: int = ShownAs.NOTHING  # once it is shown, it is until it is forgotten
    tidy_ms: int = -1  # the settled mark beyond which it is tidied next


class DeviceLinks(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The state record of a device's links."""

    links: list[Link]
    full_ms: int
    users_when_full: int
    began: Link | None
    shown_as: int


class DevicePart(msgspec.Struct, frozen=True, gc=False):
    """One state record of a device."""

    key: str
    name: bytes  # LINKS_PART, or the ref of an event that it gave
    value: bytes | None  # None: a tombstone


_encode = msgspec.msgpack.Encoder().encode
_decode_links = msgspec.msgpack.Decoder(DeviceLinks).decode
_decode_given = msgspec.msgpack.Decoder(GivenEvent).decode


def links_part(device: Device) -> DevicePart:
    """The state record of a device's links."""
    d = device
    stored = DeviceLinks(d.links, d.full_ms, d.users_when_full, d.began, d.shown_as)
    return DevicePart(d.key, LINKS_PART, _encode(stored))


def given_part(device: Device, ref: bytes) -> DevicePart:
    """The state record of an event that a device gave, or the tombstone of one that it did not."""
    given = (device.given or {}).get(ref)
    return DevicePart(device.key, ref, None if given is None else _encode(given))


def tombstones_of(device: Device) -> Iterator[DevicePart]:
    """The state records that delete a device."""
    for name in (LINKS_PART, *(device.given or ())):
        yield DevicePart(device.key, name, None)


def load_device(key: str, parts: Mapping[bytes, bytes]) -> Device:
    """The device as it was when these parts were committed. Raises msgspec.MsgspecError or KeyError for
    damaged ones.
    """
    stored = _decode_links(parts[LINKS_PART])
    given = {name: _given(value) for name, value in parts.items() if name != LINKS_PART}
    return Device(
        key,
        stored.links,
        given or None,
        stored.full_ms,
        users_when_full=stored.users_when_full,
        began=stored.began,
        shown_as=stored.shown_as,
    )


def _given(value: bytes) -> GivenEvent:
    given = _decode_given(value)
    return msgspec.structs.replace(given, signal=with_known_needs(given.signal))


def with_known_needs(signal: Signal) -> Signal:
    """A signal that was decoded, with the needs that are recognized by identity as the same objects again."""
    for known in (NAMELESS, REFUND_EVERYWHERE):
        if signal.needs == known:
            return msgspec.structs.replace(signal, needs=known)
    return signal


def folded_early(device: Device, p: Profile, from_ms: int, spans: Spans) -> int:
    """How many of a device's own events from this time on are a user's, and stay, since they were folded: its
    profile `p` was over the cap.
    """
    if not p.base_end or time_at(p.base_end, 0) < from_ms:
        return 0
    events = live_events(folded_journal(p), from_ms)
    return sum([user_at(device.links, at_ms, spans) is not None for at_ms, _ in events])


def comes_before(one: Signal, other: Signal) -> bool:
    """True if a copy of an event sorts before another one: the smaller stays."""
    return _copy_key(one) < _copy_key(other)


def _copy_key(s: Signal) -> tuple[object, ...]:
    facts = facts_order(s.facts)
    return s.head, s.utc_offset_quarters, s.rule, s.cue, facts, needs_order(s.needs)
