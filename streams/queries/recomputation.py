"""Computes one partition again from its stored input, without increments, corrections or timers.

It collects the set of events of each person and folds it once. It takes over only what depended on arrival
and was recorded for that reason: which items were late or rejected, and which rules and reader read each
record. Everything else must come out the same: the net transitions, every counter, and how many items ended
in which way.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple

from streams import topology
from streams.core.funnels.cells import count_transition
from streams.core.funnels.windows import ALL_TIME, KEPT_MIN, LENGTH_MIN, WINDOWS, Windows
from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.formats import FORMATS, Items
from streams.core.ingest.partition import partition_of, person_key
from streams.core.ingest.times import LATEST_MS
from streams.core.ingest.zones import zones_version
from streams.core.journeys.folding import fold
from streams.core.journeys.journey_step import REFUND_UNMATCHED, JourneyStep
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import (
    EVERY_NEED,
    PACK,
    REFUND_EVERYWHERE,
    TIME,
    Signal,
    event_ref,
    order_key,
)
from streams.core.moments.rules import load_rules
from streams.core.processing.checkpoint import OUTCOMES, Checkpoint, Counts
from streams.core.processing.inbox import Forwarded, decode_message
from streams.core.processing.items import read_items
from streams.core.processing.publisher import Publisher
from streams.core.processing.rulebook import Door, Rulebook
from streams.core.processing.signals import Signals
from streams.core.processing.state_keys import DOOR, RULES, restored
from streams.log.port import Reader
from streams.queries.origins import Origin, read_origins
from streams.records import Record, StateRecord
from streams.runtime.parameters import parameters_of
from streams.settings.fold import FoldSettings
from streams.topology import is_inbox

REPORT_EVERY = 5_000  # items between two reports of progress
# No event is too far ahead here: that was judged when it was read, and such items were recorded as rejected.
_ANY_SKEW_MS = LATEST_MS


class Unchecked(NamedTuple):
    """A range of records that this release cannot check, because it does not have their reader."""

    source: str
    first: int  # offset of the first of these records
    last: int  # offset of the last one
    reader: str


class EventCopy(NamedTuple):
    """One copy of an event. The smallest of several copies counts (docs/journeys.md, The set)."""

    head: int
    utc_offset_quarters: int
    rule: int
    order: bytes
    needs: tuple[str, ...]


EventSet = dict[bytes, EventCopy]
"""The copy of each event that counts, by the event's ref."""


class Recomputation:
    """The partition as it was computed again, to compare it with what was published."""

    def __init__(self, reader: Reader, partition: int, checkpoint: Checkpoint, book: Rulebook) -> None:
        self.reader, self.partition, self.checkpoint, self.book = reader, partition, checkpoint, book
        self.parameters = parameters_of(FoldSettings.model_validate_json(checkpoint.fold))
        self.publisher = Publisher(partition, self.parameters.dimensions, book)
        # The events of each profile. A profile has more than one set if an event's id came again after it was
        # forgotten: it is then another event.
        self.people: dict[str, list[EventSet]] = {}
        self.late: set[Origin] = set()
        self.rejected: set[Origin] = set()
        self.counts = Counts()
        self.unchecked: list[Unchecked] = []
        self.broken: str | None = None  # the first item that could not be recomputed, and why
        self.transitions = 0  # recomputed
        self._greatest_ms = -1
        self._is_readable = [is_readable(door) for door in book.doors]
        self._signals = [
            Signals(self.parameters, load_rules(version.text), version.first_code)
            for version in book.versions
        ]

    @classmethod
    async def load(cls, reader: Reader, partition: int, checkpoint: Checkpoint) -> "Recomputation":
        """Reads the dead letters, and every version of the rules and every door that was ever in force."""
        state = [
            StateRecord(record.key, record.value)
            async for _, record in reader.scan(topology.STATE.name, partition)
            if record.key is not None and record.key[:1] in (RULES, DOOR)
        ]
        known = restored(state)
        versions = [known.versions[n] for n in sorted(known.versions)]
        doors = [known.doors[n] for n in sorted(known.doors)]
        found = cls(reader, partition, checkpoint, Rulebook(versions, doors, checkpoint.eras))
        found.late = {origin async for origin in read_origins(reader, topology.LATE.name, partition)}
        found.rejected = {origin async for origin in read_origins(reader, topology.REJECTED.name, partition)}
        return found

    async def read_input(self) -> AsyncIterator[int]:
        """Takes every stored record up to the checkpoint into its person's set.

        Yields the number of items read so far, every few thousand items.
        """
        reported = 0
        for source, position in self.checkpoint.sources.items():
            async for record in self.reader.scan_source(source):
                if record.offset >= position.offset:
                    break
                self._take_record(source, record)
                if self.counts.received - reported >= REPORT_EVERY:
                    reported = self.counts.received
                    yield reported

    def _take_record(self, source: str, record: Record) -> None:
        era = self.book.era_of(source, record.offset)
        door = self.book.doors[era.door]
        if not self._is_readable[era.door]:
            self._leave_unchecked(source, record.offset, door)
            return
        signals = self._signals[era.rules]
        if not is_inbox(source):
            for item, outcome in zip(*read_items(door.format, [record], _ANY_SKEW_MS), strict=True):
                self._take_item(Origin(source, item.offset, item.index), outcome, signals, forwarded=False)
            return
        message = decode_message(record.value)
        if message is None:
            self._take_item(Origin(source, record.offset, 0), None, signals, forwarded=True)
        elif isinstance(message, Forwarded):
            origin = Origin(message.source, message.offset, message.index)
            _, (outcome,) = read_items(message.format, [message.record(record.key)], _ANY_SKEW_MS)
            self._take_item(origin, outcome, signals, forwarded=True)

    def _take_item(
        self,
        origin: Origin,
        outcome: Event | Rejection | Items | None,
        signals: Signals,
        *,
        forwarded: bool,
    ) -> None:
        """Counts an item by how it ends, and adds its event to the set of its person.

        `outcome` is what it was read as; None if it could not be read at all.
        """
        self.counts.received += 1
        if origin in self.rejected:
            self.counts.rejected += 1
            return
        if isinstance(outcome, Items):  # a record without items
            self.counts.no_signal += 1
            return
        if not isinstance(outcome, Event):
            why = "no partition wrote it" if outcome is None else f"{outcome.reason}: {outcome.detail}"
            place = f"item {origin.index} of record {origin.source} {origin.offset}"
            self.broken = self.broken or f"{place} cannot be read ({why}), and is not in the rejected topic"
            return
        self._greatest_ms = max(self._greatest_ms, outcome.at_ms)
        verdict = signals.classify(outcome)
        if verdict is None:
            self.counts.no_signal += 1
        elif not forwarded and self._is_foreign(outcome):
            self.counts.received -= 1
            self.counts.forwarded += 1
        elif origin in self.late:
            self.counts.late += 1
        else:
            self._add(signals.key(outcome), outcome, signals.signal(outcome, verdict))

    def _leave_unchecked(self, source: str, offset: int, door: Door) -> None:
        reader = f"{door.format} {door.reader}, time zones {door.digests.get('time_zones', 'unknown')}"
        last = self.unchecked[-1] if self.unchecked else None
        if last is not None and (last.source, last.reader) == (source, reader):
            self.unchecked[-1] = last._replace(last=offset)
        else:
            self.unchecked.append(Unchecked(source, offset, offset, reader))

    def _is_foreign(self, event: Event) -> bool:
        """Whether another partition owns the event's person."""
        partitions = self.reader.partitions
        return partitions > 1 and partition_of(person_key(event), partitions) != self.partition

    def _add(self, key: str, event: Event, signal: Signal) -> None:
        """Adds a copy of an event. The smallest stays; after twice the allowed lateness an id is a new event.

        Here the sources are read one after the other, so the greatest time so far can be later than the
        watermark was when the event was first read. An event that was not late was at most the allowed
        lateness behind that watermark, which bounds it.
        """
        lateness_ms = self.parameters.allowed_lateness_ms
        ids_from_ms = min(self._greatest_ms, event.at_ms + lateness_ms) - 2 * lateness_ms
        ref = event_ref(event.id)
        new = EventCopy(
            signal.head, signal.utc_offset_quarters, signal.rule, signal.order or b"", signal.needs
        )
        sets = self.people.setdefault(key, [{}])
        for events in sets:
            known = events.get(ref)
            if known is None:
                events[ref] = new
                self.counts.applied += 1
                return
            if known.head >> TIME >= ids_from_ms:
                if new < known:
                    events[ref] = new
                    self.counts.applied += 1  # it was applied as well, in place of the other copy
                else:
                    self.counts.duplicate += 1
                return
        sets.append({ref: new})
        self.counts.applied += 1

    def difference_in_counts(self) -> str | None:
        """The first count of items that differs from the checkpoint's. None if all are equal."""
        if self.broken:
            return self.broken
        stored, now = self.checkpoint.counts, self.counts
        names = [
            "received",
            *(name for name in OUTCOMES if name not in ("applied", "duplicate")),
            "forwarded",
        ]
        pairs = [(name, getattr(stored, name), getattr(now, name)) for name in names]
        if len([position for position in self.checkpoint.sources.values() if position.offset]) > 1:
            # Which of two copies came first is known only within one source. The sum of both is always known.
            stored_sum = stored.applied + stored.duplicate
            pairs.append(("applied or duplicate", stored_sum, now.applied + now.duplicate))
        else:
            pairs.append(("applied", stored.applied, now.applied))
            pairs.append(("duplicate", stored.duplicate, now.duplicate))
        for name, counted, recomputed in pairs:
            if counted != recomputed:
                return f"items {name}: {counted} counted, {recomputed} recomputed"
        return None

    async def difference(self) -> str | None:
        """The first net transition or counter that differs from the recomputed one. None if all are equal."""
        net = await self._net_transitions()
        windows = Windows()
        for key in sorted(self.people):
            p, steps = self._fold(key)
            for t in steps:
                count_transition(t, 1, windows.delta)
                if t.kind == REFUND_UNMATCHED:
                    continue
                self.transitions += 1
                content = _content(self.publisher.transition(p, "assert", 0, t))
                net[content] -= 1
                if net[content] < 0:
                    return f"transition recomputed, but not published: {content.decode()}"
        for content, n in net.items():
            if n:
                return f"transition published, but not recomputed: {content.decode()}"
        return await self._difference_in_counters(windows)

    async def _net_transitions(self) -> Counter[bytes]:
        """How often each content was asserted and not retracted since, in the published transitions."""
        net: Counter[bytes] = Counter()
        async for _, record in self.reader.scan(topology.TRANSITIONS.name, self.partition):
            if record.value is not None:
                net[_content(record.value)] += 1 if b'"op":"assert"' in record.value[:100] else -1
        return net

    def _fold(self, key: str) -> tuple[Profile, list[JourneyStep]]:
        """Folds the whole set of one person at once."""
        events = [pair for events in self.people[key] for pair in events.items()]
        names = {name for _, event in events for name in event.needs}
        needs = ("", *sorted(names - {"", *REFUND_EVERYWHERE}))
        numbers = {name: n for n, name in enumerate(needs)} | {REFUND_EVERYWHERE[0]: EVERY_NEED}
        journal = b"".join(
            sorted(
                PACK(event.head, ref, event.rule, numbers[name], event.utc_offset_quarters)
                for ref, event in events
                for name in event.needs
            )
        )
        orders = {order_key(event.head, ref): event.order for ref, event in events if event.order}
        patience = self.parameters.patience
        states, steps = fold(journal, needs, orders, self.checkpoint.timers_fired_ms, patience)
        return Profile(key, states, needs), steps

    async def _difference_in_counters(self, windows: Windows) -> str | None:
        """Compares published counters with the sum over the recomputed transitions.

        Windows that have expired are left out on both sides.
        """
        windows.roll_up(self.checkpoint.watermark_ms)
        expected: dict[bytes, bytes] = {}
        for cell, n in windows.cells():
            key, value = self.publisher.tally(cell, n)
            expected[key] = value or b""
        async for _, record in self.reader.scan(topology.TALLIES.name, self.partition):
            key, value = record.key or b"", record.value or b""
            if expected.pop(key, None) != value and not self._expired(key):
                return f"counter published, but not recomputed: {value.decode()}"
        for key, value in expected.items():
            if not self._expired(key):
                return f"counter recomputed, but not published: {value.decode()}"
        return None

    def _expired(self, key: bytes) -> bool:
        """True if the counter's window is no longer kept, so that it may be gone or lack late corrections."""
        _, window, start_min, _ = (int(part) for part in key.split(b":"))
        return (
            window != ALL_TIME and kept_until_min(window, start_min) < self.checkpoint.watermark_ms // 60_000
        )


def is_readable(door: Door) -> bool:
    """True if this release reads records exactly as they were read through this door."""
    known = FORMATS.get(door.format)
    return (
        known is not None
        and known.version == door.reader
        and door.digests.get("time_zones", zones_version()) == zones_version()
    )


def kept_until_min(window: int, start_min: int) -> int:
    """The minute (since 1970) after which a window is no longer kept."""
    assert window < len(WINDOWS) - 1
    return start_min + LENGTH_MIN[window] + KEPT_MIN[window]


def _content(raw: bytes) -> bytes:
    """A transition as it was written, without its `rev` and `op`."""
    before, _, rest = raw.partition(b',"rev":')
    return before + b"," + rest.partition(b'","tenant":')[2]
