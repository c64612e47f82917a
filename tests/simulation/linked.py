"""Whose the events of devices are, in days with identity on: what every partition has read is put together,
and tests/identity_oracle.py says who had the device.
"""

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from streams.core.ingest.event import Event
from tests import identity_oracle, oracle
from tests.simulation.redrives import AGAIN, Key
from tests.simulation.world import World, till_of

PARTS = "\x1f"  # between the parts of the name of what a device gave


class Linking(NamedTuple):
    """An event that is a link, as it was read."""

    tenant: str | None
    device: str
    user: str
    at: int
    event: str


class Links:
    """Links as they come: which say something new."""

    def __init__(self) -> None:
        self._first: dict[tuple[str | None, str, str, int], tuple[int, str]] = {}

    def knows(self, link: Linking) -> bool:
        """Whether it says nothing, since one of its user and quarter of an hour is not later."""
        first = self._first.get(self._place(link))
        return first is not None and first <= (link.at, link.event)

    def add(self, link: Linking) -> None:
        """Takes one that says something."""
        self._first[self._place(link)] = link.at, link.event

    @staticmethod
    def _place(link: Linking) -> tuple[str | None, str, str, int]:
        return link.tenant, link.device, link.user, link.at // identity_oracle.QUARTER


def link_of(event: Event, tenant: str | None, world: World) -> Linking | None:
    """The link that an event is, if it is not late."""
    user, device = event.user_id, event.anonymous_id
    if user is None or device is None or user == till_of(world):
        return None
    if event.properties.get("for_somebody") not in (None, False, "no", 0):
        return None
    return Linking(tenant, device, user, event.at_ms, event.id)


def settings_of(world: World) -> identity_oracle.Settings:
    """The settings of identity, as the oracle has them."""
    s = world.settings.identity
    return identity_oracle.Settings(s.forward, s.back, s.shared_above, s.on)


class Told(NamedTuple):
    """Everybody's events once all is settled."""

    signals: dict[Key, list[oracle.Signal]]
    users: dict[tuple[Key, str], str]  # by device and event: the user to whom it was given
    owners: dict[Key, str]  # by device: whose it is by its newest link


class Moves(NamedTuple):
    """What is known of links, and of what they have moved: of one partition."""

    told: Told  # whose everything is; empty before all is settled
    held: Mapping[Key, set[tuple[int, bytes]]]  # by profile: time and ref of all events that it holds
    given: Mapping[tuple[Key, bytes], str]  # by device and ref of an event: the profile that has it
    counts: Mapping[str, int]  # the product's own
    settled: int  # the settled mark
    lawful: bool  # no cap has decided anything


def tell(
    signals: Mapping[Key, list[oracle.Signal]],
    links: Iterable[Linking],
    settings: identity_oracle.Settings,
    unmoved: Container[tuple[Key, str]] = (),
) -> Told:
    """Gives the events of devices to their users. `links`: all that were not late; the others say nothing.
    `unmoved`: events that are their device's own, whatever links say.
    """
    of_device: dict[Key, list[identity_oracle.Event]] = {}
    for link in links:
        event = identity_oracle.Event(link.at, link.event, link.user, link.device, None, link.tenant or "")
        of_device.setdefault((link.tenant, f"d:{link.device}"), []).append(event)
    told = Told({}, {}, {})
    for key, events in of_device.items():
        known = identity_oracle.links_of(events, key[0] or "", key[1][2:], settings)
        if owner := identity_oracle.user_at(known, known[-1].at, settings):
            told.owners[key] = f"u:{owner}"
    for (tenant, profile), mine in signals.items():
        events, device = of_device.get((tenant, profile), []), profile[2:]
        counting = identity_oracle.links_of(events, tenant or "", device, settings) if events else []
        for s in mine:
            is_own = not counting or ((tenant, profile), s.event) in unmoved
            user = None if is_own else identity_oracle.user_at(counting, s.at, settings)
            if user is None:
                told.signals.setdefault((tenant, profile), []).append(s)
                continue
            told.users[(tenant, profile), s.event] = user
            named = s._replace(event=given_name(device, s.event))
            told.signals.setdefault((tenant, f"u:{user}"), []).append(named)
    return told


def given_name(device: str, event: str) -> str:
    """What an event that a device gave is called: it sorts as the page says, and ends with what was sent."""
    return PARTS.join((identity_oracle.given_name(device, event.partition(AGAIN)[0]), device, event))


def device_of(event: str) -> str | None:
    """The device that gave an event, by its name; None: it is the profile's own."""
    return event.split(PARTS)[1] if PARTS in event else None
