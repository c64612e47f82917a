"""What time makes useless of a device: links that decide nothing any more, and events that cannot move."""

import msgspec

from streams.core.identity.device import LINKS_PART, Device
from streams.core.identity.links import Spans, has_several_users, keep_links_ms, without_old
from streams.core.identity.ownership import Ownership, begin_of_oldest
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.signal import TIME


class Keeping(msgspec.Struct, frozen=True):
    """How long behind the settled mark things are kept."""

    finality: FinalityDelay
    spans: Spans

    def links_ms(self, device: Device) -> int:
        """For how long (ms) the links of a device are kept."""
        several_users = device.full_ms >= 0 or has_several_users(device.links)
        return keep_links_ms(self.finality.change_ms, self.spans, several_users=several_users)

    @property
    def given_ms(self) -> int:
        """For how long (ms) an event that the device gave is kept."""
        return self.finality.known_ms


class Tidied(msgspec.Struct, frozen=True):
    """What tidying has changed of a device."""

    names: set[bytes]  # of its parts
    due_ms: int  # the settled mark beyond which it is tidied next; -1: nothing is left of it


def tidy_device(device: Device, mark_ms: int, keeping: Keeping, ownership: Ownership) -> Tidied:
    """Drops what the settled mark has made useless."""
    names: set[bytes] = set()
    links_ms = keeping.links_ms(device)
    # Without its oldest links a device may have one user only, whose links are kept less long.
    while len(links := without_old(device.links, mark_ms - links_ms)) < len(device.links):
        device.began = begin_of_oldest(device.links, device.began, links, ownership.spans)
        device.links = links
        names.add(LINKS_PART)
        links_ms = keeping.links_ms(device)
    due_ms = [link.at_ms + links_ms for link in links[:1]]
    if device.full_ms >= 0 and device.full_ms + links_ms >= mark_ms:
        due_ms.append(device.full_ms + links_ms)
    if not due_ms:
        ownership.forget(device)
        names.add(LINKS_PART)
    given = device.given or {}
    oldest_ms = mark_ms - keeping.given_ms
    for ref in [ref for ref, event in given.items() if event.signal.head >> TIME < oldest_ms]:
        del given[ref]
        names.add(ref)
    device.given = given or None
    due_ms += [(event.signal.head >> TIME) + keeping.given_ms for event in given.values()]
    return Tidied(names, min(due_ms, default=-1))
