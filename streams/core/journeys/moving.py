"""Moves events from one profile to another: what a device gave to a user, or has taken back.

However many events a move has, the journal is rewritten once, and there is one difference. A move is never
refused for its age: whoever makes it has judged that nothing final is touched (docs/journeys.md, Time).
"""

from collections.abc import Iterable, Sequence

import msgspec

from streams.core.journeys.folding import DUPLICATE, OVER_CAP, Change, Rewrite, find_copy, need_name, rewrite
from streams.core.journeys.journal import (
    find_at,
    find_event,
    first_from,
    records_of_event,
    time_at,
    without_event,
)
from streams.core.journeys.needs import LeftOut, need_numbers
from streams.core.journeys.order_facts import NO_FACTS
from streams.core.journeys.origins import with_origins
from streams.core.journeys.placing import place_event
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile, folded_journal, is_vacated
from streams.core.journeys.profile_changes import ProfileChange
from streams.core.journeys.signal import (
    EVERY_NEED,
    MAX_NEEDS,
    NAMELESS,
    ORDERED,
    PACK,
    PLACE_AT,
    RECORD,
    REF_AT,
    REFUND_EVERYWHERE,
    SIZE,
    TIME,
    Signal,
    facts_key,
    given_ref,
)


class Moved(msgspec.Struct):
    """What became of the events of a move."""

    applied: int = 0  # given and counted, or taken and gone
    over_cap: list[Signal] = []  # given, but ordered before the base: they count nowhere
    # Given, but final things lie behind them: an operator let the settled mark pass their partition.
    settled: list[Signal] = []
    left_out: list[tuple[Signal, LeftOut]] = []  # counted, but not in these needs
    kept: int = 0  # taken, but folded early or final by now: they stay
    # Taken and not there, or given and there already: a defect. `facts_key` of each.
    inconsistent: list[bytes] = []


def give_signals(
    population: Population, key: str, device: str, signals: Sequence[Signal], other: str | None
) -> Moved:
    """Puts what a device gives into a user's profile.

    `other`: the profile of the device; None: the events have just come, and were in no profile before.
    """
    names = {given_ref(device, signal.ref): signal.ref for signal in signals}
    given = [msgspec.structs.replace(signal, ref=name) for name, signal in zip(names, signals, strict=True)]
    settled = [signal for signal in given if signal.head >> TIME < population.bounds.oldest_ms]
    if settled:
        given = [signal for signal in given if signal.head >> TIME >= population.bounds.oldest_ms]
    if other is None:
        moved = _take_new(population, key, given)
    else:
        moved = move_events(population, key, (), given, other) if given else Moved()
    moved.settled = settled
    p = population.profiles.get(key)
    refused = {signal.ref for signal in (*moved.over_cap, *settled)}
    counted = [(name, ref) for name, ref in names.items() if name not in refused]
    if p is not None and counted:
        p.origins = with_origins(p.origins, device, counted)
        p.origins_changed = True
    return moved


def _take_new(population: Population, key: str, given: Sequence[Signal]) -> Moved:
    """Takes events as if they had been the user's own. Nearly all are newer than all that is known."""
    moved = Moved()
    for signal in sorted(given, key=lambda s: (s.head, s.ref)):
        outcome = population.take(key, signal)
        if outcome == OVER_CAP:
            moved.over_cap.append(signal)
        elif outcome == DUPLICATE:
            moved.inconsistent.append(facts_key(signal.head, signal.ref))
        else:
            moved.applied += 1
            if isinstance(outcome, LeftOut):
                moved.left_out.append((signal, outcome))
    return moved


def take_signals(population: Population, key: str, device: str, events: Iterable[bytes], other: str) -> Moved:
    """Takes what a device gave out of a user's profile again.

    `events`: `facts_key` of each, by its id within the device.
    """
    gone = [name[:REF_AT] + given_ref(device, name[REF_AT:]) for name in events]
    return move_events(population, key, gone, (), other)


def withdraw_events(
    population: Population, key: str, events: Sequence[tuple[int, bytes]], other: str
) -> list[Signal]:
    """Takes live events out of a profile, to be given to another one. Returns them as signals.

    `events`: of each its time (ms) and id: an id may name two.
    """
    p = population.profiles.get(key)
    assert p is not None, "events of a profile that is not held"
    signals = [_held_signal(p, find_event(p.journal, ref, first_from(p.journal, ms))) for ms, ref in events]
    move_events(population, key, [facts_key(s.head, s.ref) for s in signals], (), other)
    return signals


def _held_signal(p: Profile, first: int) -> Signal:
    """The signal of the live event that has this first record, with its needs by name."""
    assert first >= 0, "an event that is not live"
    records = records_of_event(p.journal, first)
    head, ref, rule, need, utc_offset, cue = RECORD.unpack_from(records)
    needs: tuple[str, ...]
    if need == EVERY_NEED:
        needs = REFUND_EVERYWHERE
    else:
        numbers = [record[3] for record in RECORD.iter_unpack(records)]
        needs = tuple(sorted(need_name(p, number) for number in numbers)) if any(numbers) else NAMELESS
    stated = (p.facts or NO_FACTS).get(facts_key(head, ref))
    return Signal(head, ref, rule, utc_offset, stated, needs, cue=cue, place=records[PLACE_AT:SIZE])


def move_events(
    population: Population, key: str, gone: Iterable[bytes], come: Sequence[Signal], other: str
) -> Moved:
    """Takes events out of a profile and puts others into it, in one rewrite of its journal.

    `gone`: `facts_key` of each. `other`: the profile that they go to or come from.
    """
    moved, p = Moved(), population.profiles.get(key)
    if p is None:
        if not come:
            names, oldest_ms = list(gone), population.bounds.oldest_ms
            moved.inconsistent += [name for name in names if time_at(name, 0) >= oldest_ms]
            moved.kept = len(names) - len(moved.inconsistent)
            return moved
        p = population.begin(key, come[0])
    new = _NewJournal(population, p, moved)
    for name in gone:
        new.remove(name)
    for signal in sorted(come, key=lambda s: (s.head, s.ref)):
        new.add(signal)
    journal = new.whole()
    if journal != p.journal:
        change = Change()
        rewritten = Rewrite(_first_difference(p.journal, journal), journal, new.facts or None)
        rewrite(p, rewritten, population.timers_fired_ms, population.patience, change)
        p.origins_changed |= p.origins is not None  # some may have gone
        population.note_change(ProfileChange(p, change.retracted, change.asserted, moved_from=other))
        population.trim_profile(p)
        if is_vacated(p):
            population.tidy_soon(p)
    return moved


class _NewJournal:
    """The journal of a profile as it becomes, event by event; `moved` counts what becomes of them."""

    def __init__(self, population: Population, p: Profile, moved: Moved) -> None:
        self.population, self.p, self.moved = population, p, moved
        self.journal, self.facts = p.journal, dict(p.facts or NO_FACTS)
        self.added: list[bytes] = []  # records

    def remove(self, key: bytes) -> None:
        """Takes an event out. `key`: its time, and its name in the journal (`facts_key`)."""
        p, is_final = self.p, time_at(key, 0) < self.population.bounds.oldest_ms
        first = find_at(self.journal, key)
        if first >= 0 and not is_final:
            self.facts.pop(self.journal[first * SIZE :][:ORDERED], None)
            self.journal = without_event(self.journal, first)
            self.moved.applied += 1
        elif is_final or find_at(folded_journal(p), key) >= 0:
            self.moved.kept += 1
        elif key >= p.base_end and not _is_crowded(p):
            self.moved.inconsistent.append(key)
        # Else it was over the cap when it was given, and counts nowhere.

    def add(self, signal: Signal) -> None:
        """Puts an event in, unless it is there or finds no place."""
        p, moved, ref = self.p, self.moved, signal.ref
        if p.base_end and facts_key(signal.head, ref) < p.base_end:
            moved.over_cap.append(signal)
            return
        if find_copy(self.journal, signal, self.population.copies(signal)) >= 0:
            moved.inconsistent.append(facts_key(signal.head, ref))
            return
        numbers = _numbers_of(p, signal.needs)
        if numbers is None:
            given = {RECORD.unpack(record)[3] for record in self.added}
            oldest_ms, changes = self.population.bounds.oldest_ms, self.population.changes
            placed = place_event(p, signal, oldest_ms, self.population.patience, changes, given)
            if placed is None:
                moved.over_cap.append(signal)
                return
            numbers = placed.numbers
            if isinstance(placed.ending, LeftOut):
                moved.left_out.append((signal, placed.ending))
        moved.applied += 1
        if signal.facts is not None:
            self.facts[facts_key(signal.head, ref)] = signal.facts
        for number in numbers:
            record = PACK(signal.head, ref, signal.rule, number, signal.utc_offset_quarters, signal.cue)
            self.added.append(record + signal.place)

    def whole(self) -> bytes:
        """The journal, in order."""
        if not self.added:
            return self.journal
        held = [self.journal[at : at + SIZE] for at in range(0, len(self.journal), SIZE)]
        return b"".join(sorted(held + self.added))


def _is_crowded(p: Profile) -> bool:
    """True if there may have been no place for the needs of an event that was given."""
    return p.released or len(p.needs) >= MAX_NEEDS


def _numbers_of(p: Profile, names: tuple[str, ...]) -> tuple[int, ...] | None:
    """The numbers of the needs by their names; None: they may be more than there are places."""
    if names == NAMELESS:
        return (0,)
    if names == REFUND_EVERYWHERE:
        return (EVERY_NEED,)
    return need_numbers(p, names)


def _first_difference(old: bytes, new: bytes) -> int:
    """The number of the first record in which two journals differ."""
    records = min(len(old), len(new)) // SIZE
    return next(
        (n for n in range(records) if old[n * SIZE : n * SIZE + SIZE] != new[n * SIZE : n * SIZE + SIZE]),
        records,
    )
