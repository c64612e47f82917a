"""The set of events of each person, as docs/journeys.md defines it (The set), and the fold of a whole set."""

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple

from streams.core.journeys.finality import CopyTimes, FinalityDelay
from streams.core.journeys.folding import fold, need_name, needs_order
from streams.core.journeys.journey_step import JourneyStep
from streams.core.journeys.order_facts import NO_FACTS, OrderFacts, facts_order
from streams.core.journeys.origins import EventOrigin, EventOrigins, with_origins
from streams.core.journeys.profile import Profile, folded_journal
from streams.core.journeys.signal import (
    EVERY_NEED,
    NO_PLACE,
    PACK,
    RECORD,
    REFUND_EVERYWHERE,
    TIME,
    Signal,
    facts_key,
)
from streams.core.journeys.state import Patience

# What the sets take of each person and of each event, transitions included. tests/queries/test_slices.py
# measures 650 and 265 bytes; a third more is for the allocator, and for the state where it is looked at.
BYTES_PER_PERSON = 900
BYTES_PER_EVENT = 350


class EventCopy(NamedTuple):
    """One copy of an event. The smallest of several copies counts (docs/journeys.md, The set)."""

    head: int
    utc_offset_quarters: int
    rule: int
    cue: int
    facts: OrderFacts | None
    needs: tuple[str, ...]

    def sorts_before(self, other: "EventCopy") -> bool:
        """True if this copy is the smaller one."""
        return self._sorting() < other._sorting()

    def _sorting(self) -> tuple[object, ...]:
        return (*self[:4], facts_order(self.facts), needs_order(self.needs))


EventSet = dict[bytes, EventCopy]
"""The copy of each event that counts, by the event's ref."""


class CopyFate(Enum):
    """What became of a copy of an event that was added to a person's sets."""

    NEW = auto()  # its event was not known
    SMALLER = auto()  # it took the place of a greater copy
    DUPLICATE = auto()


def copies_held(signal: Signal, held_from_ms: int, delay: FinalityDelay) -> CopyTimes:
    """Between which times copies of a redriven event lie, of what is held of its person."""
    copies = delay.copies(signal.head >> TIME)
    return copies._replace(from_ms=max(copies.from_ms, held_from_ms))


def event_copy(signal: Signal) -> EventCopy:
    """A signal as a copy of its event."""
    return EventCopy(
        signal.head, signal.utc_offset_quarters, signal.rule, signal.cue, signal.facts, signal.needs
    )


def add_copy(sets: list[EventSet], signal: Signal, copies: CopyTimes) -> CopyFate:
    """Adds a copy of an event to the sets of its person.

    There is more than one set if an id names several events. `copies`: between which times copies of this one
    lie.
    """
    new = event_copy(signal)
    for events in sets:
        known = events.get(signal.ref)
        if known is None:
            events[signal.ref] = new
            return CopyFate.NEW
        if copies.from_ms <= known.head >> TIME <= copies.to_ms:
            if new.sorts_before(known):
                events[signal.ref] = new
                return CopyFate.SMALLER
            return CopyFate.DUPLICATE
    sets.append({signal.ref: new})
    return CopyFate.NEW


def part_sets(sets: list[EventSet], at_ms: int) -> tuple[list[EventSet], list[EventSet]]:
    """The events that are dated before this time, and the others."""
    past = [{ref: copy for ref, copy in events.items() if copy.head >> TIME < at_ms} for events in sets]
    rest = [{ref: copy for ref, copy in events.items() if copy.head >> TIME >= at_ms} for events in sets]
    return [events for events in past if events], [events for events in rest if events]


class PersonSets:
    """The events of some people, as sets."""

    def __init__(self) -> None:
        # The events of each profile.
        self.people: dict[str, list[EventSet]] = {}
        # Their histories that were not held any more as an event was redriven to them.
        self.former: dict[str, list[list[EventSet]]] = {}
        # By person, from when on events were held at each time: with the history of what was not.
        self._parted: dict[str, list[tuple[int, list[EventSet]]]] = {}
        # Of the events in them that devices gave: by profile and by the event's name there.
        self.origins: dict[str, dict[bytes, EventOrigin]] = {}
        self.replaced: set[str] = set()  # people of whom a copy took the place of a greater one
        self.events = 0  # in these sets

    @property
    def size_bytes(self) -> int:
        """About how much memory the people and their events take."""
        return len(self.people) * BYTES_PER_PERSON + self.events * BYTES_PER_EVENT

    def add(self, key: str, signal: Signal, copies: CopyTimes) -> CopyFate:
        """Adds a copy of an event to its person's sets. `copies`: between which times copies of it lie."""
        sets = self.people.get(key)
        if sets is None:
            sets = self.people[key] = [{}]
        fate = add_copy(sets, signal, copies)
        self.events += fate is CopyFate.NEW
        if fate is CopyFate.SMALLER:
            self.replaced.add(key)
        return fate

    def part(self, key: str, held_from_ms: int) -> None:
        """Parts a person's events from those that were not held any more: those dated before this time."""
        past, held = part_sets(self.people.get(key, []), held_from_ms)
        if past:
            self.former.setdefault(key, []).append(past)
            self.people[key] = held or [{}]
        self._parted.setdefault(key, []).append((held_from_ms, past))

    def give(self, key: str, name: bytes, copy: EventCopy, origin: EventOrigin) -> None:
        """Adds an event that a device gave, under its name in the user's profile: to the history to which it
        belonged, if that was not held any more later.
        """
        sets = self._history_at(key, copy.head >> TIME)
        events = next((events for events in sets if name not in events), None)
        if events is None:  # an id that came again after it was forgotten
            events = {}
            sets.append(events)
        events[name] = copy
        self.origins.setdefault(key, {})[name] = origin
        self.events += 1

    def _history_at(self, key: str, at_ms: int) -> list[EventSet]:
        """What was held together of a person when an event of this time came in time."""
        for held_from_ms, past in self._parted.get(key, ()):
            if at_ms < held_from_ms:
                if not past:  # the person had nothing but what devices gave
                    self.former.setdefault(key, []).append(past)
                return past
        return self.people.setdefault(key, [{}])

    def drop_empty(self, key: str) -> None:
        """Drops a profile that has no event any more, and each of its histories that has none."""
        former = [events for events in self.former.pop(key, ()) if any(events)]
        if former:
            self.former[key] = former
        elif not any(self.people[key]):
            del self.people[key]

    def histories(self, key: str) -> Iterator[list[EventSet]]:
        """What is held together of a person, after each history that was forgotten before."""
        yield from self.former.get(key, ())
        if any(self.people[key]):
            yield self.people[key]


def first_ms(sets: list[EventSet]) -> int:
    """The time of the first event."""
    return min(copy.head for events in sets for copy in events.values()) >> TIME


def fold_sets(
    key: str,
    sets: list[EventSet],
    timers_fired_ms: int,
    patience: Patience,
    origins: Mapping[bytes, EventOrigin] | None = None,
) -> tuple[Profile, list[JourneyStep]]:
    """Folds all events of one person at once. `origins`: of the events that devices gave, by their names."""
    events = [pair for events in sets for pair in events.items()]
    names = {name for _, event in events for name in event.needs}
    needs = ("", *sorted(names - {"", *REFUND_EVERYWHERE}))
    numbers = {name: n for n, name in enumerate(needs)} | {REFUND_EVERYWHERE[0]: EVERY_NEED}
    journal = b"".join(
        sorted(
            PACK(event.head, ref, event.rule, numbers[name], event.utc_offset_quarters, event.cue) + NO_PLACE
            for ref, event in events
            for name in event.needs
        )
    )
    facts = {facts_key(event.head, ref): event.facts for ref, event in events if event.facts is not None}
    states, steps = fold(journal, needs, facts, timers_fired_ms, patience)
    return Profile(key, states, needs, origins=_origins_of(origins)), steps


def _origins_of(known: Mapping[bytes, EventOrigin] | None) -> EventOrigins | None:
    by_device: dict[str, list[tuple[bytes, bytes]]] = {}
    for name, origin in (known or {}).items():
        by_device.setdefault(origin.device, []).append((name, origin.ref))
    origins: EventOrigins | None = None
    for device, events in by_device.items():
        origins = with_origins(origins, device, events)
    return origins


def events_of_profile(p: Profile) -> EventSet | None:
    """The events that a profile of the state was made of; None if it does not hold all of them any more."""
    if p.first_segment:
        return None
    needs: dict[bytes, list[str]] = {}
    heads: dict[bytes, tuple[int, int, int, int]] = {}
    for head, ref, rule, need, utc_offset_quarters, cue in RECORD.iter_unpack(folded_journal(p) + p.journal):
        if ref in heads and heads[ref][0] != head:  # an id that came again after it was forgotten
            return None
        heads[ref] = head, utc_offset_quarters, rule, cue
        needs.setdefault(ref, []).append(need_name(p, need))
    facts = p.facts or NO_FACTS
    return {
        ref: EventCopy(*known, facts.get(facts_key(known[0], ref)), tuple(sorted(needs[ref])))
        for ref, known in heads.items()
    }
