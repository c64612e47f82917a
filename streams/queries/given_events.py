"""Gives what devices did to the users who had them, once all events and links are known."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from streams.core.journeys.finality import CopyTimes
from streams.core.journeys.origins import EventOrigin
from streams.core.journeys.signal import TIME, Signal, given_ref
from streams.core.processing.record_keys import is_device, split_profile_key
from streams.queries.event_sets import EventCopy, EventSet, PersonSets
from streams.queries.known_links import KnownLinks


class GivenCopy(NamedTuple):
    """An event of a device that belongs to a user."""

    user: str  # the key of the profile
    device: str  # likewise
    ref: bytes  # the event's id within the device
    copy: EventCopy


class UnmovedEvent(NamedTuple):
    """A redriven event that no link moves: a user's own, or one of a device that was too old for that."""

    key: str  # of the profile
    signal: Signal
    is_parted: bool  # what the profile had before `held_from_ms` was not held any more
    held_from_ms: int
    copies: CopyTimes  # between which times copies of it lie


class Parting(NamedTuple):
    """An event of a device was redriven, and what its profile had before was not held any more."""

    key: str  # of the profile: the user's, or the device's whose event is its own or its user's
    at_ms: int  # of the event
    held_from_ms: int


def add_unmoved(sets: PersonSets, events: Iterable[UnmovedEvent]) -> None:
    """Adds such events to their profiles, once all have what devices gave: if an event that a device gave has
    the same id, it was forgotten by then, and is another one.
    """
    for one in events:
        if one.is_parted:
            sets.part(one.key, one.held_from_ms)
        sets.add(one.key, one.signal, one.copies)


def withdraw_given(sets: PersonSets, links: KnownLinks) -> Iterator[GivenCopy]:
    """Takes what belongs to users out of the sets of all devices in `sets`. Consume it wholly."""
    for device in [key for key in sets.people if is_device(key)]:
        if not links.users_of(device):
            continue
        for history in sets.histories(device):
            yield from _withdrawn(history, device, links)
        sets.drop_empty(device)


def _withdrawn(history: list[EventSet], device: str, links: KnownLinks) -> Iterator[GivenCopy]:
    for events in history:
        for ref, copy in list(events.items()):
            user = links.user_at(device, copy.head >> TIME)
            if user is not None:
                del events[ref]
                yield GivenCopy(user, device, ref, copy)


def give_events(sets: PersonSets, given: Iterable[GivenCopy], is_here: Callable[[str], bool]) -> None:
    """Puts events into the sets of those users for whom `is_here` is true."""
    for one in given:
        if is_here(one.user):
            device = split_profile_key(one.device)[1][2:]
            sets.give(one.user, given_ref(device, one.ref), one.copy, EventOrigin(device, one.ref))
