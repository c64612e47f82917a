"""All devices of one partition that have links. Pure: events, links and time come in; what moves to users and
back comes out.

    take_event(...), take_link(...)  ->  decide()  ->  moves, housekeep(), commit()

An event that names a device alone is taken here. It goes into the device's own profile, or it is given to the
user who had the device. Links move what is held: once per device and batch, when all links of the batch are
in. What a user's partition is sent is the difference between two calls of `decide`; so an event that comes
and moves within one batch is sent once.
"""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

import msgspec

from streams.core.identity.device import (
    MAX_GIVEN,
    Device,
    DevicePart,
    GivenEvent,
    ShownAs,
    comes_before,
    folded_early,
    given_part,
    links_part,
    load_device,
)
from streams.core.identity.links import (
    MAX_LINKS,
    Link,
    Spans,
    moved_from_ms,
    thinned,
    user_at,
    users_at,
    with_link,
)
from streams.core.identity.moves import Give, Take
from streams.core.identity.ownership import Ownership
from streams.core.identity.tidying import Keeping, tidy_device
from streams.core.journeys.folding import APPLIED, DUPLICATE, OVER_CAP, judge_event
from streams.core.journeys.journal import find_event, live_events
from streams.core.journeys.moving import Moved, move_events, withdraw_events
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import ORDERED, SIZE, TIME, Signal, facts_key
from streams.records import Record

# How a link ends. LINK_COUNTS: it counts. LINK_KNOWN: it says nothing new. LINK_LATE: it is too old.
LINK_COUNTS, LINK_KNOWN, LINK_LATE = range(3)
# From so many links on, those in the middle of a run are dropped at each new one. Fewer cost less than that.
THIN_FROM = 16


class DeviceCounts(msgspec.Struct):
    """What happened to devices, since the start of the process."""

    full: int = 0  # devices that had more links than are kept, and are shared for good
    settled_early: int = 0  # events that stay where they are, since a device gave too many


class Devices:
    """What a partition keeps of its devices that have links."""

    def __init__(self, population: Population, spans: Spans) -> None:
        """`population`: of the same partition; the devices' own profiles are there."""
        assert population.finality.back_ms == spans.back_ms
        self.population, self.spans = population, spans
        self.counts = DeviceCounts()
        self.moves: list[Give | Take] = []  # what `decide` has found, in the order to apply it
        self.own: list[tuple[str, Moved]] = []  # by device: what became of events that came back to it
        self._devices: dict[str, Device] = {}
        self.get = self._devices.get  # asked for every event of a device
        self._linked: dict[str, int] = {}  # devices with new links, and from when on (ms) events may move
        # Events that moved since the last `decide`: what was sent to their users then; None: nothing.
        self._moved: dict[str, dict[bytes, GivenEvent | None]] = {}
        self._new: set[tuple[str, bytes]] = set()  # of those, the ones that have just come
        self._changed: dict[str, set[bytes]] = {}  # names of parts to be written, by device
        self._dropped: list[DevicePart] = []
        self.ownership = Ownership(spans)
        self._chores: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._devices)

    def all(self) -> Iterable[Device]:
        """Every device that is held."""
        return self._devices.values()

    def take_link(self, key: str, link: Link) -> int:
        """Takes a link of the device with this profile key: LINK_COUNTS, LINK_KNOWN or LINK_LATE."""
        population, device = self.population, self._devices.get(key)
        oldest_ms = population.watermark_ms - population.finality.allowed_lateness_ms
        found = with_link(device.links if device is not None else (), link)
        if found is None:
            return LINK_KNOWN
        if link.at_ms < oldest_ms:
            return LINK_LATE
        if device is None:
            device = self._devices[key] = Device(key, [])
            self.ownership.hold(device)
        if device.full_ms >= 0:  # it is shared, whoever comes
            device.full_ms = max(device.full_ms, link.at_ms)
            return LINK_KNOWN
        self.ownership.note(device)
        device.links, changed_ms = found
        from_ms = moved_from_ms(device.links, changed_ms, self.spans)
        if len(device.links) >= THIN_FROM:
            device.links = thinned(device.links, oldest_ms, self.spans)
        self._note(key, b"")
        if len(device.links) > MAX_LINKS:
            device.full_ms = device.links[-1].at_ms
            device.users_when_full = users_at(device.links, device.full_ms, self.spans)
            device.links, device.began = [], None
            self._linked.pop(key, None)
            self.counts.full += 1
        else:
            self._linked[key] = min(self._linked.get(key, from_ms), from_ms)
        self._tidy_by(device, link.at_ms + self._keeping.links_ms(device))
        return LINK_COUNTS

    def take_event(self, key: str, signal: Signal, source: Record | None = None) -> int | LeftOut:
        """Takes an event that names a device alone and is not late: how it ended, as `Population.take` says.

        `key`: of the device's profile.
        """
        population, device = self.population, self._devices.get(key)
        if device is None:
            return population.take(key, signal, source)
        user = user_at(device.links, signal.head >> TIME, self.spans)
        known = self._given(device, signal)
        if known is not None and not comes_before(signal, known.signal):
            return DUPLICATE
        if known is None and user is not None and (p := population.profiles.get(key)) is not None:
            twin = self.make_room(p, signal, user)
            if twin != APPLIED:
                return twin
        if user is None:
            self.assign_event(device, signal.ref, None)
            ending = population.take(key, signal, source)
            if ending not in (DUPLICATE, OVER_CAP):
                self.show_if_decided(device, (signal.head >> TIME,))
            return ending
        self.show_if_decided(device, (signal.head >> TIME,))
        if known is None:
            self.note_new(key, signal.ref)
        self.assign_event(device, signal.ref, GivenEvent(signal, user))
        return APPLIED

    def note_new(self, key: str, ref: bytes) -> None:
        """Notes that an event of a device has just come, and was nobody's before."""
        self._new.add((key, ref))

    def make_room(self, p: Profile, signal: Signal, user: str) -> int:
        """Makes room for an event that is to be given: the device's own profile may hold a copy of it, which
        gives way (APPLIED), or else says how the event ends.
        """
        judged = judge_event(p, signal, self.population.copies(signal))
        if judged.outcome != APPLIED:
            holds_copy = find_event(p.journal, signal.ref) >= 0 or judged.outcome == DUPLICATE
            # Ordered before the base of the device, it can still be a user's.
            return judged.outcome if holds_copy else APPLIED
        if judged.twin >= 0:
            twin = p.journal[judged.twin * SIZE :][:ORDERED]
            move_events(self.population, p.key, [twin], (), user)
        return APPLIED

    def decide(self) -> None:
        """Finds anew whose events are, of devices whose links have changed, and adds to `moves` what users
        must be sent. Call it when all links and events of a batch are in, before time passes.
        """
        linked, self._linked = self._linked, {}
        for key, from_ms in linked.items():
            self._decide_anew(self._devices[key], from_ms)
        moved, self._moved = self._moved, {}
        for key, events in moved.items():
            device = self._devices[key]
            self._report(device, events)
            self._settle_oldest(device)
        self._new.clear()

    def _decide_anew(self, device: Device, from_ms: int) -> None:
        """Moves the events of a device, dated from this time on, that belong to somebody else by now."""
        key, population = device.key, self.population
        back: dict[str, list[Signal]] = {}  # by the user who had them
        for ref, given in list((device.given or {}).items()):
            at_ms = given.signal.head >> TIME
            if at_ms < from_ms:
                continue
            user = user_at(device.links, at_ms, self.spans)
            if user == given.user:
                continue
            self.assign_event(device, ref, None if user is None else GivenEvent(given.signal, user))
            if user is None:
                back.setdefault(given.user, []).append(given.signal)
        away: dict[str, list[tuple[int, bytes]]] = {}
        if (p := population.profiles.get(key)) is not None:
            self.show_if_decided(device, (at_ms for at_ms, _ in live_events(p.journal, from_ms)))
            for at_ms, ref in live_events(p.journal, from_ms):
                user = user_at(device.links, at_ms, self.spans)
                if user is not None:
                    away.setdefault(user, []).append((at_ms, ref))
            self.counts.settled_early += folded_early(device, p, from_ms, self.spans)
        for user, events in away.items():
            for signal in withdraw_events(population, key, events, user):
                self.assign_event(device, signal.ref, GivenEvent(signal, user))
        for user, signals in back.items():
            self.own.append((key, move_events(population, key, (), signals, user)))

    def show_if_decided(self, device: Device, times_ms: Iterable[int]) -> None:
        """Has it published whose a device is, if a link decides one of its events, which have these times."""
        if device.shown_as == ShownAs.NOTHING and self.ownership.show_if_decided(device, times_ms):
            self._note(device.key, b"")

    def _report(self, device: Device, events: Mapping[bytes, GivenEvent | None]) -> None:
        """Adds to `moves` what differs from what users were sent before: all takes, then all gives."""
        taken: dict[str, list[bytes]] = {}
        given: dict[tuple[str, bool], list[Signal]] = {}
        for ref, before in events.items():
            now = (device.given or {}).get(ref)
            if now == before:
                continue
            if before is not None:
                taken.setdefault(before.user, []).append(facts_key(before.signal.head, ref))
            if now is not None:
                is_new = (device.key, ref) in self._new
                given.setdefault((now.user, is_new), []).append(now.signal)
        self.moves += [Take(user, device.key, tuple(names)) for user, names in taken.items()]
        self.moves += [
            Give(user, device.key, tuple(signals), is_new) for (user, is_new), signals in given.items()
        ]

    def _given(self, device: Device, signal: Signal) -> GivenEvent | None:
        """The copy of an event that a device gave. Another event of its id stays where it is by now."""
        found = (device.given or {}).get(signal.ref)
        if found is None or self._is_copy(found, signal):
            return found
        if device.key in self._linked:
            self._decide_anew(device, self._linked.pop(device.key))
        self._release(device, signal.ref)
        return None

    def _is_copy(self, given: GivenEvent, signal: Signal) -> bool:
        copies = self.population.copies(signal)
        return copies.from_ms <= given.signal.head >> TIME <= copies.to_ms

    def _release(self, device: Device, ref: bytes) -> None:
        """Leaves an event where it is from now on, since another one of its id is to be known."""
        moved = self._moved.get(device.key, {})
        if ref in moved:
            self._report(device, {ref: moved.pop(ref)})
        self._new.discard((device.key, ref))
        if device.given is not None and device.given.pop(ref, None) is not None:
            self._note(device.key, ref)

    def assign_event(self, device: Device, ref: bytes, given: GivenEvent | None) -> None:
        """Notes whose an event is from now on; None: the device's own."""
        before = (device.given or {}).get(ref)
        if before is None and given is None:
            return
        if before is not None and given is not None and not self._is_copy(before, given.signal):
            self._release(device, ref)
            before = None
        self._moved.setdefault(device.key, {}).setdefault(ref, before)
        held = device.given if device.given is not None else {}
        if given is None:
            del held[ref]
        else:
            held[ref] = given
            self._tidy_by(device, (given.signal.head >> TIME) + self.population.finality.known_ms)
        device.given = held or None
        self._note(device.key, ref)

    def _settle_oldest(self, device: Device) -> None:
        """Forgets the oldest given events, of more than are kept: they stay where they are."""
        over = len(device.given or ()) - MAX_GIVEN
        if over > 0:
            given = device.given or {}
            for ref in sorted(given, key=lambda ref: (given[ref].signal.head, ref))[:over]:
                del given[ref]
                self._note(device.key, ref)
            self.counts.settled_early += over

    @property
    def _keeping(self) -> Keeping:
        return Keeping(self.population.finality, self.spans)

    def housekeep(self, limit: int) -> bool:
        """Drops what the settled mark has made useless, of at most `limit` devices. False: more are due."""
        mark_ms = self.population.settled_mark_ms
        while self._chores and self._chores[0][0] < mark_ms:
            if limit <= 0:
                return False
            due_ms, key = heappop(self._chores)
            device = self._devices.get(key)
            if device is not None and device.tidy_ms == due_ms:
                limit -= 1
                self.population.done += 1
                self._tidy(device, mark_ms)
        return True

    def _tidy(self, device: Device, mark_ms: int) -> None:
        tidied = tidy_device(device, mark_ms, self._keeping, self.ownership)
        device.tidy_ms = -1
        for name in tidied.names:
            self._note(device.key, name)
        if tidied.due_ms >= 0:
            self._tidy_by(device, tidied.due_ms)
        else:
            self._drop(device)

    def _drop(self, device: Device) -> None:
        del self._devices[device.key]
        self.ownership.release(device)
        names = self._changed.pop(device.key, set()) | {b"", *(device.given or ())}
        self._dropped += [DevicePart(device.key, name, None) for name in sorted(names)]

    def _tidy_by(self, device: Device, due_ms: int) -> None:
        if device.tidy_ms < 0 or due_ms < device.tidy_ms:
            device.tidy_ms = due_ms
            heappush(self._chores, (due_ms, device.key))

    def _note(self, key: str, name: bytes) -> None:
        self._changed.setdefault(key, set()).add(name)

    def commit(self) -> list[DevicePart]:
        """Returns the state records of the open batch, and begins the next one. `moves` is empty afterwards:
        take it before.
        """
        assert not self._linked, "decide() comes before a commit"
        assert not self._moved, "decide() comes before a commit"
        parts, self._dropped = self._dropped, []
        for key, names in self._changed.items():
            device = self._devices[key]
            for name in sorted(names):
                parts.append(given_part(device, name) if name else links_part(device))
        self._changed, self.moves, self.own = {}, [], []
        return parts

    def restore(self, parts: Mapping[str, Mapping[bytes, bytes]]) -> None:
        """Begins from the state records of each device, by their names."""
        look_ms = max(self.population.settled_mark_ms - 1, 0)
        for key, values in parts.items():
            device = self._devices[key] = load_device(key, values)
            device.tidy_ms = look_ms
            self.ownership.hold(device)
        self._chores = [(look_ms, key) for key in self._devices]
        heapify(self._chores)
