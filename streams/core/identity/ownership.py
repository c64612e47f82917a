"""Whose a device is now: what `<app>.identities` says of it. Pure rules over its links, no state.

The newest link decides. It is shown only once an event of the device has come that a link decides: libraries
on servers make a new device for each event, and all of those are of no use to anybody.
"""

from itertools import groupby
from operator import attrgetter

import msgspec

from streams.core.identity.device import Device, ShownAs
from streams.core.identity.links import Link, Links, Spans, users_at

_AT = attrgetter("at_ms")


class DeviceOwner(msgspec.Struct, frozen=True, gc=False):
    """Whose a device is."""

    user: str | None  # the key of the profile; None: the device is shared
    since: Link | None  # with which link the user's run began; None: the device is shared
    users: int  # on the device, as they are counted for sharing; of one with too many links: at least

    @property
    def shown_as(self) -> ShownAs:
        """What the device counts as."""
        return ShownAs.SHARED if self.user is None else ShownAs.LINKED


def owner_of(device: Device, spans: Spans) -> DeviceOwner:
    """Whose a device is that has links."""
    if device.full_ms >= 0:
        return DeviceOwner(None, None, device.users_when_full)
    users = users_at(device.links, device.links[-1].at_ms, spans)
    if users > spans.shared_above:
        return DeviceOwner(None, None, users)
    begin = run_begin(device.links, device.began, spans)
    return DeviceOwner(begin.user, begin, users)


def run_begin(links: Links, began: Link | None, spans: Spans) -> Link:
    """The link with which the newest run began: one user's links with no other user's between them, and no
    pause in which the device was nobody's. Of the links of one time that of the smallest user counts.

    `began`: with which link the run of the oldest one began, if that was dropped.
    """
    firsts = [next(same) for _, same in groupby(links, _AT)]
    begin = firsts.pop()
    for link in reversed(firsts):
        if link.user != begin.user or begin.at_ms - link.at_ms > spans.shared_ms:
            return begin
        begin = link
    return began or begin


def begin_of_oldest(links: Links, began: Link | None, kept: Links, spans: Spans) -> Link | None:
    """With which link the run of the oldest kept link began, if that link is dropped; None: it is kept.

    `kept`: the links without the oldest ones.
    """
    if not kept:
        return None
    begin = run_begin(links[: len(links) - len(kept) + 1], began, spans)
    return None if begin == kept[0] else begin
