"""Whose a device is now: what `<app>.identities` says of it.

The newest link decides. It is shown only once an event of the device has come that a link decides: libraries
on servers make a new device for each event, and all of those are of no use to anybody.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter

import msgspec

from streams.core.identity.device import Device, ShownAs
from streams.core.identity.links import Link, Links, Spans, newest_link, showing_link, users_at

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


def device_owner(device: Device, spans: Spans) -> DeviceOwner:
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


_FORGOTTEN = DeviceOwner(None, None, 0)  # stands for what was published of a device whose links are gone


class Ownership:
    """Whose the devices of a partition are, and what the open batch has changed of that."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self.most_users = 0  # of a device that was published, since the start
        self.counts = dict.fromkeys(ShownAs, 0)  # devices that are held, by what is published of them
        # What was published by the last commit of devices that may be somebody else's now; None: nothing.
        self._published: dict[str, DeviceOwner | None] = {}

    def hold(self, device: Device) -> None:
        """Counts a device that is held from now on."""
        self.counts[ShownAs(device.shown_as)] += 1

    def release(self, device: Device) -> None:
        """Counts a device no longer. Whoever calls it has called `forget` before."""
        self.counts[ShownAs(device.shown_as)] -= 1

    def note(self, device: Device) -> None:
        """Keeps what was published of a device. Call it before its links change."""
        if device.key not in self._published:
            is_shown = device.shown_as != ShownAs.NOTHING
            self._published[device.key] = device_owner(device, self.spans) if is_shown else None

    def show_if_decided(self, device: Device, times_ms: Iterable[int]) -> bool:
        """Has a device shown from now on if a link decides one of its events, which have these times. False:
        none does.
        """
        if device.full_ms < 0 and not any(
            showing_link(device.links, at_ms, self.spans) is not None for at_ms in times_ms
        ):
            return False
        self.note(device)
        self._set(device, ShownAs.LINKED)
        return True

    def forget(self, device: Device) -> None:
        """Has nothing published any more of a device whose links are gone."""
        if device.shown_as != ShownAs.NOTHING:
            self._published.setdefault(device.key, _FORGOTTEN)
            self._set(device, ShownAs.NOTHING)

    def take(self, find: Callable[[str], Device | None]) -> list[tuple[str, DeviceOwner | None]]:
        """Returns the devices that are somebody else's than at the last commit; None: nothing is published of
        them any more. Call it once per batch, before its state is written.
        """
        changed: list[tuple[str, DeviceOwner | None]] = []
        for key, published in self._published.items():
            device, now = find(key), None
            if device is not None and device.shown_as != ShownAs.NOTHING:
                now = device_owner(device, self.spans)
                self._set(device, now.shown_as)
                self.most_users = max(self.most_users, now.users)
            if now != published:
                changed.append((key, now))
        self._published = {}
        return changed

    def user_of(self, device: Device | None) -> str | None:
        """The user whose device this is, by what is published of it; None: nobody's."""
        if device is None or device.shown_as != ShownAs.LINKED:
            return None
        return newest_link(device.links).user

    def _set(self, device: Device, shown_as: ShownAs) -> None:
        self.counts[ShownAs(device.shown_as)] -= 1
        self.counts[shown_as] += 1
        device.shown_as = shown_as
