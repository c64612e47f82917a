"""Whose devices are, by all links and events that the stored input holds: what `identities` must say.

The topic says nothing of a device before one of its events is decided by a link, and nothing any more once
the device is forgotten. When that was depends on how far time had come as a link was read. So of a device
that may have been forgotten and begun anew, an event must be decided by a link of its last life.
"""

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from streams.core.identity.device import Device
from streams.core.identity.links import (
    LINK_QUARTER_MS,
    Links,
    Spans,
    has_several_users,
    keep_links_ms,
    showing_link,
    without_old,
)
from streams.core.identity.ownership import DeviceOwner, device_owner
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.signal import TIME
from streams.core.processing.record_keys import is_device
from streams.queries.event_sets import PersonSets
from streams.queries.known_links import KnownLinks


class FoundOwner(msgspec.Struct, frozen=True):
    """Whose a device is of which a link decides an event."""

    owner: DeviceOwner
    links: Links
    is_certain: bool  # False: it may have been forgotten since, and not be said any more


def find_owners(sets: PersonSets, known: KnownLinks) -> dict[str, FoundOwner]:
    """Whose the devices in these sets are, by the keys of their profiles. Call it before events are given."""
    found: dict[str, FoundOwner] = {}
    for device in filter(is_device, sets.people):
        links = known.of(device)
        if not links:
            continue
        began_ms, decided_ms = _last_life_ms(links, known.spans), -1
        for at_ms in _times_ms(sets, device):
            link = showing_link(links, at_ms, known.spans)
            decided_ms = decided_ms if link is None else max(decided_ms, link.at_ms)
            if decided_ms >= began_ms:
                break
        if decided_ms >= 0:
            owner = device_owner(Device(device, list(links)), known.spans)
            found[device] = FoundOwner(owner, links, decided_ms >= began_ms)
    return found


def _times_ms(sets: PersonSets, device: str) -> Iterator[int]:
    for history in sets.histories(device):
        for events in history:
            for copy in events.values():
                yield copy.head >> TIME


def _last_life_ms(links: Links, spans: Spans) -> int:
    """The time of the first link before which the device cannot have been forgotten: a pause before it was
    long enough for that, if the next link was read as late as it may be.
    """
    pause_ms = spans.back_ms + spans.forward_ms + LINK_QUARTER_MS
    began_ms = links[0].at_ms
    for before, after in pairwise(links):
        if after.at_ms - before.at_ms > pause_ms:
            began_ms = after.at_ms
    return began_ms


def is_forgotten(links: Links, mark_ms: int, finality: FinalityDelay, spans: Spans) -> bool:
    """True if nothing is kept of a device with these links once the settled mark is there, and time was left
    to tidy up.
    """

    def kept_from_ms(*, several_users: bool) -> int:
        return mark_ms - keep_links_ms(finality.change_ms, spans, several_users=several_users)

    held = without_old(links, kept_from_ms(several_users=True))
    several_users = bool(held) and has_several_users(held)
    return links[-1].at_ms < kept_from_ms(several_users=several_users)
