"""Reads the stored input once by two sets of rules, and compares what each makes of it.

It is what `verify` does, with other rules than those that were in force: each record is read through the door
through which it came, and each person's set of events is folded once per set of rules. What was late by
arrival stays late, so the funnel of the rules that were in force all along is that which the log has.

An event that the rules of its day did not read, or by another time (an update of an order has that of its
order), was never judged by arrival. It counts, unless it tells of an order that was old by then.

Every event is taken where it was read first. What partitions forwarded to each other is passed over in the
inboxes, since other rules would have forwarded others. With identity on, each event of a device is given to
the user who had it: links do not depend on the rules, so both sides give alike.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from streams.core.ingest.event import Event
from streams.core.journeys.machine import update_of
from streams.core.journeys.order_facts import Update
from streams.core.journeys.signal import TIME, Signal, without_needs
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import Verdict
from streams.core.processing.inbox import Redriven, decode_message
from streams.core.processing.json_text import rfc3339
from streams.core.processing.parameters import Parameters
from streams.core.processing.record_keys import is_device
from streams.core.processing.signals import Signals
from streams.errors import ConfigError
from streams.queries.event_sets import PersonSets, copies_held
from streams.queries.folded_funnel import FoldedFunnel, RulesFunnel
from streams.queries.given_events import UnmovedEvent, add_unmoved, give_events, withdraw_given
from streams.queries.known_links import KnownLinks, link_of
from streams.queries.origins import Origin
from streams.queries.recomputation import REPORT_EVERY, Unchecked, note_unchecked
from streams.queries.slices import Slice, planned_slices, read_in_slices
from streams.queries.stored_input import ReadPartition, StoredInput
from streams.queries.stored_items import StoredItem, Unreadable, owner_of
from streams.queries.time_range import TimeRange
from streams.queries.verdict_changes import ChangedKind, VerdictChanges, VerdictCount
from streams.queries.verify import BASE_BYTES, LEAST_BYTES
from streams.records import Record
from streams.topology import is_inbox

_SIDES = 2  # each holds the people of a slice
# How a redriven item ended that can count by other rules. (What was refused again stays refused.)
_ENDED_IN_TIME = ("applied", "no_signal")


class RulesComparison(msgspec.Struct, frozen=True):
    """What became of it."""

    one: str  # the version of the rules
    other: str
    since: str | None  # None: from the beginning
    until: str | None
    events: int  # that both have read; each copy is one
    late: int  # of these: in neither funnel, since they came too late
    verdicts: tuple[VerdictCount, ...]
    changes: tuple[ChangedKind, ...]
    unlisted: int  # events that are read differently, in more kinds of change than are listed
    one_funnel: RulesFunnel
    other_funnel: RulesFunnel
    unchecked: tuple[Unchecked, ...]  # records that this release cannot read
    cut: tuple[str, ...]  # sources and topics of dead letters whose beginning is not stored any more
    slices: int  # how often the input was read

    @property
    def same(self) -> bool:
        """Something was compared, and the two differ in no event and in no number."""
        is_equal = not self.changes and not self.unlisted and self.one_funnel == self.other_funnel
        return self.events > 0 and is_equal


class ComparedRules(NamedTuple):
    """Two sets of rules, and what of the log they are compared by."""

    one: Rules
    other: Rules
    times: TimeRange  # of whole minutes
    samples: int  # that are kept of each kind of change


class _Side:
    """One of the two sets of rules, and the people as it sees them."""

    def __init__(self, rules: Rules, parameters: Parameters) -> None:
        self.signals, self.sets = Signals(parameters, rules, 0), PersonSets()
        # The events of devices that are not in the slice, and had a user of it.
        self.lent = PersonSets()
        self.unmoved: list[UnmovedEvent] = []

    def give(self, links: KnownLinks, people: Slice) -> None:
        """Gives each event of a device to the user who had it, by all links."""
        given = [*withdraw_given(self.sets, links), *withdraw_given(self.lent, links)]
        give_events(self.sets, given, people.has)
        add_unmoved(self.sets, self.unmoved)
        self.lent = PersonSets()


class _Reading:
    """One reading of the whole input, which keeps the events of one slice by both sets of rules."""

    def __init__(
        self,
        stored: StoredInput,
        rules: ComparedRules,
        people: Slice,
        changes: VerdictChanges | None,
        links: KnownLinks | None,
    ) -> None:
        """`changes`: what counts the verdicts; None: an earlier reading has. `links`: of all devices, which
        all readings share; None: identity is off.
        """
        self._links = links
        self._stored, self._slice, self._times, self._changes = stored, people, rules.times, changes
        self.sides = tuple(_Side(each, stored.parameters) for each in (rules.one, rules.other))
        self.late = 0
        self.unchecked: list[Unchecked] = []
        self.cut: list[str] = []
        self._read_again: set[Origin] = set()  # rejected items that could be read when they were redriven

    @property
    def size_bytes(self) -> int:
        size = sum(side.sets.size_bytes + side.lent.size_bytes for side in self.sides)
        return size if self._links is None or self._slice.of > 1 else size + self._links.size_bytes

    @property
    def is_divisible(self) -> bool:
        return any(len(side.sets.people) > 1 for side in self.sides)

    async def read_input(self) -> AsyncIterator[int]:
        """Takes every stored record up to the checkpoints. Yields the number of records read so far.

        The inboxes come last: what was redriven meets all that was read before it, in whatever partition.
        """
        read = 0
        if self._links is not None and self._slice.of > 1 and not self._links.is_whole:
            await self._read_links(self._links)
        for partition in self._stored.partitions:
            for source, position in partition.checkpoint.sources.items():
                if is_inbox(source):
                    continue
                first_offset: int | None = None
                async for record in self._stored.reader.scan_source(source, position.offset):
                    if first_offset is None:
                        first_offset = record.offset
                    self._take_record(partition, source, record)
                    read += 1
                    if read % REPORT_EVERY == 0:
                        yield read
                if position.offset and first_offset != 0:
                    self.cut.append(source)
        for partition in self._stored.partitions:
            for source, position in partition.checkpoint.sources.items():
                if is_inbox(source):
                    async for record in self._stored.reader.scan_source(source, position.offset):
                        if isinstance(decode_message(record.value), Redriven):
                            self._take_record(partition, source, record)
        if self._links is not None:
            self._links.close()
            for side in self.sides:
                side.give(self._links, self._slice)

    async def _read_links(self, links: KnownLinks) -> None:
        """Reads all links. They do not depend on the rules."""
        for partition in self._stored.partitions:
            for source, position in partition.checkpoint.sources.items():
                if is_inbox(source):
                    continue
                async for record in self._stored.reader.scan_source(source, position.offset):
                    found = partition.items.read(source, record)
                    for item in found if not isinstance(found, Unreadable) else ():
                        event = item.outcome
                        if isinstance(event, Event) and event.apart is None:
                            self._note_link(item, event)
        links.close()

    def _note_link(self, item: StoredItem, event: Event, *, is_redriven: bool = False) -> None:
        """Takes the link that an event makes, if it makes one."""
        identity = self._stored.parameters.identity
        if self._links is None or identity is None:
            return
        if item.origin.letter in self._stored.rejected and not is_redriven:
            return
        link = link_of(event, self.sides[0].signals.key(event), identity)
        if link is not None and item.origin.letter not in self._stored.late.links:
            self._links.add(link)

    def _take_record(self, partition: ReadPartition, source: str, record: Record) -> None:
        found = partition.items.read(source, record)
        if isinstance(found, Unreadable):
            note_unchecked(self.unchecked, source, record.offset, found.reader)
            return
        for item in found:
            event = item.outcome
            if not isinstance(event, Event) or event.apart is not None:
                continue
            if item.redriven_by is not None:
                self._take_redriven(partition, item, event, item.redriven_by)
            elif item.origin not in self._stored.rejected:
                self._note_link(item, event)
                self._take_event(item, event)

    def _take_event(self, item: StoredItem, event: Event) -> None:
        verdicts = self._verdicts(item, event)
        left_out, is_late = self._stored.late.left_out.get(item.origin, ()), self._stored.is_late(item.origin)
        if is_late and self._times.has(event.at_ms) and not self._stored.counts_redriven(item.origin):
            self.late += 1
        delay = self._stored.parameters.finality
        for side, verdict in zip(self.sides, verdicts, strict=True):
            sets = None if verdict is None else self._sets_of(side, key := side.signals.key(event))
            if verdict is None or sets is None:
                continue
            signal = side.signals.signal(event, verdict)
            if _is_in_time(item, event, verdict, signal, is_late=is_late):
                sets.add(key, without_needs(signal, left_out), delay.copies(signal.head >> TIME))

    def _sets_of(self, side: _Side, key: str) -> PersonSets | None:
        """Where the events of a profile belong; None: nobody of the slice can have them."""
        if self._slice.has(key):
            return side.sets
        is_lent = self._links is not None and is_device(key) and self._slice.of > 1
        if is_lent and self._links is not None and any(map(self._slice.has, self._links.users_of(key))):
            return side.lent
        return None

    def _take_redriven(self, partition: ReadPartition, item: StoredItem, event: Event, command: str) -> None:
        receipt = partition.redriven.get(item.origin, command)
        if receipt is None:
            return
        if receipt.is_link:
            self._note_link(item, event, is_redriven=True)
        # (An event that a device gave to a user of another partition has its receipt there.)
        key = self.sides[0].signals.key(event)
        is_given = (
            self._links is not None
            and receipt.outcome == "forwarded"
            and is_device(key)
            and owner_of(key, self._stored.reader.partitions) == partition.number
            and self._stored.counts_redriven(item.origin)
        )
        if receipt.outcome not in _ENDED_IN_TIME and not is_given:
            return
        held_from_ms, delay = receipt.held_from_ms, self._stored.parameters.finality
        if item.origin in self._stored.rejected and item.origin not in self._read_again:
            self._read_again.add(item.origin)  # nothing could be read of it before
            verdicts = self._verdicts(item, event)
        else:
            verdicts = self.sides[0].signals.classify(event), self.sides[1].signals.classify(event)
        for side, verdict in zip(self.sides, verdicts, strict=True):
            sets = None if verdict is None else self._sets_of(side, key)
            if verdict is None or sets is None:
                continue
            signal = without_needs(side.signals.signal(event, verdict, is_redriven=True), receipt.left_out)
            copies = copies_held(signal, held_from_ms, delay)
            if self._links is not None and is_device(key) and not receipt.is_unmoved:
                sets.add(key, signal, delay.copies(signal.head >> TIME))
            elif receipt.is_unmoved:
                if sets is side.sets:
                    side.unmoved.append(UnmovedEvent(key, signal, receipt.is_parted, held_from_ms, copies))
            else:
                if receipt.is_parted:
                    sets.part(key, held_from_ms)
                sets.add(key, signal, copies)

    def _verdicts(self, item: StoredItem, event: Event) -> tuple[Verdict | None, Verdict | None]:
        """What the two say of an event, which is counted."""
        one, other = self.sides
        verdicts = one.signals.classify(event), other.signals.classify(event)
        if self._changes is not None and self._times.has(event.at_ms):
            self._changes.add(event, item.origin, verdicts)
        return verdicts


def _is_in_time(item: StoredItem, event: Event, verdict: Verdict, signal: Signal, *, is_late: bool) -> bool:
    """False for an event that came too late. `is_late`: it did by the rules of its day."""
    recorded = item.signals.classify(event) if is_late or verdict.update else None
    was_update = recorded is not None and recorded.update
    if was_update == verdict.update:
        return not is_late
    return was_update or (not is_late and update_of(signal) != Update.OLD)


def bytes_for_people(stored: StoredInput, memory_bytes: int) -> int:
    """What is left for people of so much memory. Raises ConfigError if that is too little."""
    for_people = memory_bytes - BASE_BYTES - stored.size_bytes
    if for_people < LEAST_BYTES:
        needed = (BASE_BYTES + stored.size_bytes + LEAST_BYTES >> 20) + 1
        raise ConfigError(
            f"--memory: {memory_bytes >> 20} MB are not enough for the dead letters: give at least {needed}MB"
        )
    return for_people


async def compare_rules(
    stored: StoredInput, rules: ComparedRules, memory_bytes: int, on_progress: Callable[[int, int], None]
) -> RulesComparison:
    """What two sets of rules make of the same stored input.

    `memory_bytes` bounds what people take: with less, the input is read more often. `on_progress` is called
    with the records read so far and about how many there are to read.
    """
    parameters = stored.parameters
    funnels = [FoldedFunnel(rules.times, parameters.dimensions) for _ in range(_SIDES)]
    identity = parameters.identity
    links = None if identity is None else KnownLinks(identity.spans)
    changes = VerdictChanges(rules.one, rules.other, rules.samples)
    first: _Reading | None = None
    slices = 0

    def begin(people: Slice) -> _Reading:
        nonlocal changes
        if first is None:
            changes = VerdictChanges(rules.one, rules.other, rules.samples)
        return _Reading(stored, rules, people, changes if first is None else None, links)

    async def fold(reading: _Reading) -> bool:
        nonlocal first, slices
        first, slices = first or reading, slices + 1
        for side, funnel in zip(reading.sides, funnels, strict=True):
            funnel.add_all(side.sets, stored.timers_fired_ms, parameters.patience)
            side.sets = PersonSets()
        return True

    planned = planned_slices(_SIDES * stored.applied, memory_bytes)
    await read_in_slices(planned, stored.received, memory_bytes, begin, fold, on_progress)
    assert first is not None, "there is at least one slice"
    return RulesComparison(
        one=rules.one.version,
        other=rules.other.version,
        since=None if rules.times.since_ms is None else rfc3339(rules.times.since_ms),
        until=None if rules.times.until_ms is None else rfc3339(rules.times.until_ms),
        events=changes.events,
        late=first.late,
        verdicts=changes.counts,
        changes=changes.kinds,
        unlisted=changes.unlisted,
        one_funnel=funnels[0].funnel,
        other_funnel=funnels[1].funnel,
        unchecked=tuple(first.unchecked),
        cut=(*first.cut, *stored.cut_letters),
        slices=slices,
    )
