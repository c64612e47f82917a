"""Whose an event is, by docs/journeys.md ("One person, several devices"), by brute force: for each event all
links are looked at anew. What is then said of each profile, `tests/oracle.py` says.

It looks at a whole history at once and imports nothing of the program. Lateness and caps are not here:
whoever asks leaves out what was judged late, and says of a late link that it is none (`Event.links`).
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from tests import oracle
from tests.oracle import DAY, GIVEN, MINUTE, Signal

QUARTER = 15 * MINUTE


class Settings(NamedTuple):
    """What the settings say of identity; milliseconds. `on`: without it there are no links."""

    forward: int = 30 * DAY
    back: int = 7 * DAY
    shared_above: int = 5
    on: bool = True


class Event(NamedTuple):
    """One event: who sent it, when, and what it says of intent.

    `links`: False of an event that is no link though it names both (its user is collective, say). `signal`:
    None if the event says nothing of intent. The signal's time is the one at which the event counts. `own`:
    it was redriven when the links of its time may have been gone.
    """

    at: int
    id: str
    user: str | None
    device: str | None
    signal: Signal | None
    tenant: str = ""
    links: bool = True
    own: bool = False


class Link(NamedTuple):
    """A user was on a device. Links sort by time, then by what decides among those of one time."""

    at: int
    user: str
    event: str


class Owned(NamedTuple):
    """An event with the profile that it belongs to."""

    profile: tuple[str, str]  # tenant; `u:` and a user, or `d:` and a device
    event: Event


def links_of(events: Sequence[Event], tenant: str, device: str, settings: Settings) -> list[Link]:
    """The links of a device that count: of each user the first of each quarter of an hour."""
    if not settings.on:
        return []
    found = [
        Link(e.at, e.user, e.id)
        for e in events
        if (e.tenant, e.device) == (tenant, device) and e.user is not None and e.links
    ]
    first: dict[tuple[str, int], Link] = {}
    for link in sorted(found, key=lambda link: (link.at, link.event)):
        first.setdefault((link.user, link.at // QUARTER), link)
    return sorted(first.values())


def shared(links: Sequence[Link], at: int, settings: Settings) -> bool:
    """Whether the device with these links is shared at a link of this time."""
    since = at - settings.back - settings.forward
    return len({link.user for link in links if since <= link.at <= at}) > settings.shared_above


def user_at(links: Sequence[Link], at: int, settings: Settings) -> str | None:
    """The user to whom an event of the device belongs that counts at this time; None: it is the device's."""
    before = [link for link in links if at - settings.forward <= link.at <= at]
    after = [link for link in links if at < link.at <= at + settings.back]
    nearest = []
    if before:
        newest = max(link.at for link in before)
        nearest.append((at - newest, 0, min(link.user for link in before if link.at == newest), newest))
    if after:
        oldest = min(link.at for link in after)
        nearest.append((oldest - at, 1, min(link.user for link in after if link.at == oldest), oldest))
    if not nearest:
        return None
    _, _, user, decided_at = min(nearest)
    return None if shared(links, decided_at, settings) else user


def distinct(events: Sequence[Event]) -> list[Event]:
    """The events with signals, once each: told apart within a user, or else a device; the smallest copy."""
    copies: dict[tuple[str, str, str], list[Event]] = {}
    for e in events:
        if e.signal is not None:
            who = f"u:{e.user}" if e.user is not None else f"d:{e.device}"
            copies.setdefault((e.tenant, who, e.id), []).append(e)
    found = []
    for same in copies.values():
        # Copies are copies of one id, so the smallest is what the history of them all would keep.
        kept = oracle.history([e.signal._replace(event="") for e in same if e.signal is not None])[0]
        found.append(next(e for e in same if e.signal is not None and e.signal._replace(event="") == kept))
    return found


class Whose(NamedTuple):
    """Whose a device is; `user`, `since` and `event` are None of a shared one."""

    user: str | None
    since: int | None
    event: str | None
    users: int


def whose(events: Sequence[Event], tenant: str, device: str, settings: Settings) -> Whose | None:
    """Whose a device is by its newest link; None: no link decides an event of it, so nothing is said."""
    links = links_of(events, tenant, device, settings)
    times = [
        e.signal.at
        for e in distinct(events)
        if (e.tenant, e.user, e.device) == (tenant, None, device) and e.signal is not None
    ]
    if not any(
        link.at - settings.back <= at < link.at - link.at % QUARTER + QUARTER + settings.forward
        for link in links
        for at in times
    ):
        return None
    newest, reach = links[-1].at, settings.back + settings.forward
    users = len({link.user for link in links if newest - reach <= link.at})
    if shared(links, newest, settings):
        return Whose(None, None, None, users)
    begin, last = links[0], links[0]
    for at in sorted({link.at for link in links}):
        link = min(link for link in links if link.at == at)  # of the smaller user
        if link.user != last.user or link.at - last.at > reach:
            begin = link
        last = link
    return Whose(begin.user, begin.at, begin.event, users)


def owned(events: Sequence[Event], settings: Settings) -> list[Owned]:
    """Each event with a signal, once, and the profile that it belongs to."""
    told = []
    for e in distinct(events):
        assert e.signal is not None
        user = e.user
        if user is None:
            assert e.device is not None
            links = [] if e.own else links_of(events, e.tenant, e.device, settings)
            user = user_at(links, e.signal.at, settings)
        told.append(Owned((e.tenant, f"d:{e.device}" if user is None else f"u:{user}"), e))
    return told


def name_in(profile: tuple[str, str], event: Event) -> str:
    """What tells an event apart in its profile: its id; of what a device gave, a hash with the device."""
    if event.device is None or event.user is not None or profile[1] == f"d:{event.device}":
        return event.id
    return given_name(event.device, event.id)


def given_name(device: str, event: str) -> str:
    """What an event that a device gave is told apart by."""
    return GIVEN + blake2b(f"{device}\x1f{event}".encode(), digest_size=16).hexdigest()


def profiles(events: Sequence[Event], settings: Settings) -> dict[tuple[str, str], list[Signal]]:
    """The signals of each profile, under the names by which they are told apart there."""
    found: dict[tuple[str, str], list[Signal]] = {}
    for profile, event in owned(events, settings):
        assert event.signal is not None
        signal = event.signal._replace(event=name_in(profile, event))
        found.setdefault(profile, []).append(signal)
    return found
