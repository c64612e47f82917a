"""Everybody's events as the stored input and redriven items tell them, and whose they are.

An event of a device lies with its device here, whoever it belongs to; who that is the links say, and
tests/identity_oracle.py with them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streams.settings.tables import Settings
from tests import identity_oracle, oracle
from tests.simulation.linked import Linking, Told, given_name, tell
from tests.simulation.redrives import AGAIN, Key, RedrivenPeople


def key_of_device(device: str) -> Key:
    return None, f"d:{device}"


def is_device(key: Key) -> bool:
    return key[1].startswith("d:")


@dataclass
class People:
    """The events of all partitions."""

    identity: identity_oracle.Settings
    redriven: RedrivenPeople
    signals: dict[Key, list[oracle.Signal]] = field(default_factory=dict)  # of devices: given or not
    taken: dict[Key, list[oracle.Signal]] = field(default_factory=dict)  # those that were redriven
    # Events that came again when no longer known: none, in a month.
    again: Counter[tuple[Key, str]] = field(default_factory=Counter)
    unmoved: set[tuple[Key, str]] = field(default_factory=set)  # redriven so late that no link moves them
    _links: dict[Key, list[Linking]] = field(default_factory=dict)  # by device
    _devices: dict[Key, set[Key]] = field(default_factory=dict)  # by user
    _counting: dict[Key, list[identity_oracle.Link]] = field(default_factory=dict)
    _gone: dict[Key, set[str]] = field(default_factory=dict)  # what was given to a life that was forgotten

    def link(self, link: Linking) -> None:
        """Takes a link that was not late."""
        device = key_of_device(link.device)
        self._links.setdefault(device, []).append(link)
        self._devices.setdefault((None, f"u:{link.user}"), set()).add(device)
        self._counting.pop(device, None)

    @property
    def links(self) -> Iterator[Linking]:
        """All that were taken."""
        return (link for links in self._links.values() for link in links)

    def events_of(self, device: Key) -> list[identity_oracle.Event]:
        """What the oracle asks for of a device: its links, and its events that links may decide."""
        name = device[1][2:]
        links = [
            identity_oracle.Event(link.at, link.event, link.user, name, None)
            for link in self._links.get(device, ())
        ]
        return links + [
            identity_oracle.Event(s.at, s.event, None, name, s)
            for s in self.signals.get(device, ())
            if (device, s.event) not in self.unmoved
        ]

    def users_on(self, device: Key) -> set[Key]:
        """Whoever was signed in on it at any time."""
        return {(None, f"u:{link.user}") for link in self._links.get(device, ())}

    def owner(self, device: Key, at: int, event: str = "") -> Key:
        """The profile to which an event of a device belongs that counts at this time."""
        if (device, event) in self.unmoved or device not in self._links:
            return device
        if device not in self._counting:
            links = identity_oracle.links_of(self.events_of(device), "", device[1][2:], self.identity)
            self._counting[device] = links
        user = identity_oracle.user_at(self._counting[device], at, self.identity)
        return device if user is None else (None, f"u:{user}")

    def of(self, key: Key) -> list[oracle.Signal]:
        """What a profile holds, by all links: without what belonged to a life that was forgotten."""
        if is_device(key):
            return [s for s in self.signals.get(key, ()) if self.owner(key, s.at, s.event) == key]
        gone = self._gone.get(key, ())
        given = [
            s._replace(event=name)
            for device in self._devices.get(key, ())
            for s in self.signals.get(device, ())
            if self.owner(device, s.at, s.event) == key
            and (name := given_name(device[1][2:], s.event)) not in gone
        ]
        return [*self.signals.get(key, ()), *given]

    def copies(self, device: Key, s: oracle.Signal) -> Iterator[oracle.Signal]:
        """Those of an event that are known of a device, whoever has them."""
        return (e for e in self.signals.get(device, ()) if e.event.partition(AGAIN)[0] == s.event)

    def gives(self, device: Key, s: oracle.Signal) -> bool:
        """Whether a copy of an event is somebody's."""
        return any(self.owner(device, e.at, e.event) != device for e in self.copies(device, s))

    def forget(self, key: Key, past: Iterable[oracle.Signal]) -> None:
        """These events of a profile are no longer held: what comes is read without them."""
        names = {s.event for s in past}
        if not names:
            return
        self.signals[key] = [s for s in self.signals.get(key, ()) if s.event not in names]
        self._gone.setdefault(key, set()).update(names)

    def told(self) -> Told:
        """Whose everything is."""
        told = tell(self.signals, self.links, self.identity, self.unmoved)
        for key, gone in self._gone.items():
            told.signals[key] = [s for s in told.signals.get(key, ()) if s.event not in gone]
        for key in self.redriven.former:
            told.signals.setdefault(key, [])
        return told


def spans_of(settings: Settings) -> identity_oracle.Settings:
    """The settings of identity, as the oracle has them."""
    s = settings.identity
    return identity_oracle.Settings(s.forward, s.back, s.shared_above, s.on)
