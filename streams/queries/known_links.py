"""Whose an event is that names a device alone, by all links that the stored input holds.

A partition decides by the links that it has, and corrects itself as further ones come. Here all are known at
once. So only what a partition had to decide early, because of a cap, can differ.
"""

import msgspec

from streams.core.identity.links import (
    LINK_QUARTER_MS,
    MAX_LINKS,
    Link,
    Links,
    Spans,
    deciding_link,
    thinned,
    user_at,
    users_at,
)
from streams.core.ingest.event import Event
from streams.core.journeys.signal import event_ref
from streams.core.processing.connecting import device_key, makes_link
from streams.core.processing.parameters import IdentityParameters

# What they take, as tests/queries/test_known_links.py measures it.
BYTES_PER_DEVICE = 500
BYTES_PER_LINK = 300
_ALL_MS = 1 << 62  # later than any link

UserQuarter = tuple[str, int]
"""A user, and the number of a quarter of an hour: of their links in it the first one counts."""


class EventLink(msgspec.Struct, frozen=True):
    """What an event says about a device."""

    device: str  # the key of its profile
    user: str  # likewise
    at_ms: int
    event: str  # its id

    @property
    def quarter(self) -> int:
        """The number of its quarter of an hour."""
        return self.at_ms // LINK_QUARTER_MS


class KnownLinks:
    """The links of some devices."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self.is_whole = False  # all links were added
        self._first: dict[str, dict[UserQuarter, Link]] = {}  # by device
        self._links: dict[str, list[Link]] = {}  # likewise, when all were added
        self._crowded: set[str] = set()  # devices that had more links in all than a partition keeps
        self._count = 0

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        devices = len(self._links) if self.is_whole else len(self._first)
        return devices * BYTES_PER_DEVICE + self._count * BYTES_PER_LINK

    def add(self, link: EventLink) -> None:
        """Adds a link that is not late. It says nothing if an earlier one of its quarter is known."""
        if self.is_whole:
            return
        first, name = self._first.setdefault(link.device, {}), (link.user, link.quarter)
        known, new = first.get(name), Link(link.at_ms, link.user, event_ref(link.event))
        self._count += known is None
        if known is None or new < known:
            first[name] = new

    def close(self) -> None:
        """All were added: keeps those that decide something."""
        if self.is_whole:
            return
        self.is_whole, self._count = True, 0
        while self._first:
            device, first = self._first.popitem()
            links = sorted(first.values())
            if len(links) > MAX_LINKS:
                self._crowded.add(device)
            self._links[device] = thinned(links, _ALL_MS, self.spans)
            self._count += len(self._links[device])

    def user_at(self, device: str, at_ms: int) -> str | None:
        """The profile of the user who had the device at this time; None: what was done then is its own."""
        links = self._links.get(device)
        return None if links is None else user_at(links, at_ms, self.spans)

    def of(self, device: str) -> Links:
        """The links of a device that decide something, sorted."""
        return self._links.get(device, ())

    def deciding(self, device: str, at_ms: int) -> Link | None:
        """The link that decides who had the device at this time; None: none is near enough."""
        return deciding_link(self.of(device), at_ms, self.spans)

    def users_on(self, device: str, link: Link) -> int:
        """How many users the device had by the time of a link: too many of them make it shared."""
        return users_at(self.of(device), link.at_ms, self.spans)

    def users_of(self, device: str) -> set[str]:
        """All who were ever signed in on a device."""
        return {link.user for link in self.of(device)}

    def may_be_full(self, device: str) -> bool:
        """True if the partition of a device may have had more links of it at once than it keeps."""
        return device in self._crowded


def link_of(event: Event, user: str, parameters: IdentityParameters) -> EventLink | None:
    """The link that an event makes; None: none. `user`: the key of the event's profile."""
    if event.user_id is None or event.anonymous_id is None or not makes_link(event, parameters):
        return None
    return EventLink(device_key(event, user), user, event.at_ms, event.id)
