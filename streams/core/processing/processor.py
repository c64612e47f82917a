"""One partition's whole computation, between what is read and what is committed.

    take(fetched)  ->  advance(...)  ->  batch()

It is pure: the partition agent reads the sources, makes these three calls and commits the batch. What a step
changes in memory is committed by its batch, or lost with the process and done again from the checkpoint.
"""

from collections.abc import Iterable, Iterator, Sequence

from streams.core.funnels.under_way import UnderWay
from streams.core.funnels.windows import Windows
from streams.core.ingest.door import Door
from streams.core.ingest.event import Event, Reason, Rejection, reject
from streams.core.ingest.partition import partition_of
from streams.core.ingest.reading import ReadOutcome
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.folding import APPLIED, DUPLICATE, OVER_CAP
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.population import Population
from streams.core.moments.rules import Rules
from streams.core.processing.checkpoint import STATE_FORMAT, Checkpoint, encode_checkpoint
from streams.core.processing.connecting import Connector
from streams.core.processing.dead_letters import LATE_BY_TIME, LATE_OVER_CAP
from streams.core.processing.inbox import read_messages
from streams.core.processing.items import read_items
from streams.core.processing.message_faults import message_faults
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.owners import holds_foreign
from streams.core.processing.parameters import Parameters
from streams.core.processing.places import place_at, source_code
from streams.core.processing.publisher import Publisher
from streams.core.processing.publishing import publish_changes
from streams.core.processing.readers import Readers
from streams.core.processing.record_keys import person_key
from streams.core.processing.redriving import RedrivenFates
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.signals import Signals
from streams.core.processing.source_headers import SourcePlace, source_place
from streams.core.processing.state_keys import (
    counter_records,
    device_records,
    profile_records,
    restored,
    version_records,
)
from streams.core.processing.tally_text import TallyText
from streams.core.processing.watermark import SourcePosition, TimeState, WatermarkTracker
from streams.records import Batch, Fetched, Record, StateRecord
from streams.topology import is_inbox

# Profiles whose timers fire in one batch: many deadlines must not make one huge transaction.
TIMERS_PER_BATCH = 10_000
CHORES_PER_BATCH = 10_000  # profiles tidied in one batch, for the same reason
# Records that pass one stage before the next stage begins, so that the stage's code stays in the CPU's cache.
RUN = 250


class Processor:
    """The state of one partition and the step that changes it."""

    def __init__(
        self,
        partition: int,
        parameters: Parameters,
        fold: bytes,
        rules: Rules,
        door: Door,
        partitions: int = 1,
    ) -> None:
        """`fold`: the fold settings, in the form in which the checkpoint records them.

        `door`: how records are read. `partitions`: how many the app has.
        """
        self.partition, self.parameters, self.rules = partition, parameters, rules
        self.readers = Readers(door)
        self.tracker = WatermarkTracker(partition, partitions)
        self.checkpoint = Checkpoint(STATE_FORMAT, fold)
        self.population = Population(parameters.patience, parameters.finality)
        identity = parameters.identity
        self.connector = None if identity is None else Connector(identity, self.population)
        self.tracker.forwarding = identity is not None and partitions > 1
        self._fault_of = message_faults(partition, partitions, parameters)
        self.windows, self.under_way = Windows(), UnderWay()
        self.rulebook, self.redriven = Rulebook(), RedrivenFates()
        self.publisher = Publisher(partition, parameters.dimensions, self.rulebook)
        self.tallies = TallyText(partition, parameters.dimensions)
        self.signals = Signals(parameters, rules, 0)
        self._stored_versions, self._stored_doors = 0, 0  # of the rulebook: how many the state holds
        # All that time has made due was done, and nothing was taken since: redriven items wait for it.
        self._settled = False
        self.waiting = 0  # records of the last read that wait for that, from the first redriven item on
        self._latest_ms = LATEST_MS  # when was read last: an event with a later time is from the future
        self.open = OpenBatch()  # what the next commit will write, beside state and counters

    def restore(self, checkpoint: Checkpoint | None, state: Iterable[StateRecord]) -> None:
        """Begins from the last checkpoint and its state records; then puts its own rules in force."""
        if checkpoint is not None:
            found = restored(state)
            self.checkpoint = checkpoint
            self.windows.restore(found.counters, checkpoint.expired_corrections)
            forwarding = checkpoint.forwarding or self.tracker.forwarding
            self.tracker.restore(checkpoint.sources, checkpoint.peers, forwarding)
            if self.connector is not None:
                self.population.settled_limit_ms = checkpoint.settled_mark_ms
            self.population.restore(found.profiles, checkpoint.watermark_ms, checkpoint.timers_fired_ms)
            self.under_way.restore(self.population.profiles, checkpoint.timers_fired_ms)
            self.population.forgotten_without_journey = checkpoint.forgotten_without_journey
            self.rulebook.restore(found.versions, found.doors, checkpoint.eras)
            self._stored_versions, self._stored_doors = len(found.versions), len(found.doors)
            self.redriven.fates = found.redriven
            if self.connector is not None:
                self.connector.devices.restore(found.devices)
        self.adopt(self.rules)

    def adopt(self, rules: Rules) -> None:
        """Puts rules in force from the next record on. Call it between batches only."""
        era = self.rulebook.adopt(rules, self.readers.door, self.tracker.offsets)
        self.rules = rules
        self.signals = Signals(self.parameters, rules, self.rulebook.versions[era.rules].first_code)
        self.publisher.rules_changed()

    @property
    def time_state(self) -> TimeState:
        """How far time has come in this partition."""
        population = self.population
        return TimeState(population.watermark_ms, population.timers_fired_ms, population.done)

    def take(self, fetched: Fetched) -> None:
        """Processes what one read of the sources found: the records of each source, in offset order."""
        list(self.take_in_runs(fetched))

    def take_in_runs(self, fetched: Fetched) -> Iterator[None]:
        """As `take`, with a stop after each run of records (milliseconds), where others get their turn."""
        tracker, population = self.tracker, self.population
        if not tracker.forwarding and tracker.partitions > 1 and not self.checkpoint.counts.received:
            # A new app: if one of its first people is foreign, partitions wait for each other from the start.
            owned = self.partition, tracker.partitions
            tracker.forwarding = holds_foreign(fetched, self.readers, self.parameters.tenant, owned)
        tracker.note_fetch(fetched)
        self._latest_ms = fetched.read_ms if fetched.read_ms >= 0 else LATEST_MS
        self.waiting, chunks = 0, fetched.chunks
        if self._settled:
            chunks = yield from self.redriven.take_first(self, chunks)
        for source, records in chunks:
            self._settled = False
            position = tracker.sources[source]
            if is_inbox(source):
                yield from self._take_inbox(source, records)
                records = records[: len(records) - self.waiting]
                if not records:
                    continue
            else:
                for start in range(0, len(records), RUN):
                    self._take_records(source, records[start : start + RUN], position)
                    self.publish(source_place(source))
                    yield
            position.offset = records[-1].offset + 1
            tracker.note_taken(source, fetched)
        for source, offset in fetched.reached.items():
            if not (self.waiting and is_inbox(source)):
                tracker.sources[source].offset = max(tracker.sources[source].offset, offset)
        if tracker.watermark_ms > population.watermark_ms:
            population.watermark_ms, self._settled = tracker.watermark_ms, False
        if self.connector is not None:
            self.connector.finish(self)

    def _take_inbox(self, source: str, records: Sequence[Record]) -> Iterator[None]:
        """Takes what others sent: all items, then all reports, which come after the items that they cover. A
        redriven item waits, with all that comes after it.
        """
        found = read_messages(records, self._fault_of)
        self.waiting = found.waiting
        if found.runs or found.reports:
            self.tracker.forwarding = True
        if self.connector is not None:
            self.connector.take_links(self, found.links)
            for message, taken in self.connector.take_moves(self, found.moves):
                self.redriven.end_taken(self, message, message.record(), taken)
        for record, fault in found.unknown:
            self.checkpoint.counts.received += 1
            self._reject(source, record, reject(Reason.UNDECODABLE, fault))
        for read_from, run in found.runs.items():
            for start in range(0, len(run), RUN):
                self._take_records(read_from, run[start : start + RUN], None)
                self.publish(source_place(read_from))
                yield
        for report in found.reports:
            self.tracker.receive(report)

    def _take_records(self, source: str, records: Sequence[Record], position: SourcePosition | None) -> None:
        """Judges each item of some records of one source: rejected, refused, robot, no-signal, forwarded,
        late (by the lateness), then what the profile says: applied, duplicate or late (over cap).

        `position`: how far that source was read; None: the records were forwarded from another partition.
        """
        population, tracker = self.population, self.tracker
        signals, counts, guesses_from = self.signals, self.checkpoint.counts, self.signals.guesses_from
        classify, key_of, signal_of, take = signals.classify, signals.key, signals.signal, population.take
        profile_of, lateness_ms = population.profiles.get, self.parameters.allowed_lateness_ms
        watermark_ms, held_back_ms = population.watermark_ms, tracker.held_back_ms(source)
        reached_ms = LATEST_MS if position is None else position.watermark_ms
        may_forward, forwarded = position is not None and tracker.partitions > 1, 0
        connector = self.connector
        note_link = connector.note_link if connector is not None and position is not None else None
        take_device = connector.take_event if connector is not None else take
        code = source_code(self.checkpoint.read_from, source)
        items, outcomes = read_items(self.readers.of(source), records, self._latest_ms)
        for record, event in zip(items, outcomes, strict=True):
            if type(event) is not Event:
                self._not_an_event(source, record, event)
                continue
            at_ms = event.at_ms
            if event.repairs and position is not None:
                counts.count_repairs(event.repairs)
            # The watermark follows the newest event, but never past what another source holds back. An event
            # that was forwarded moves none: the partition that read it reports how far it is.
            if at_ms > reached_ms:
                reached_ms = at_ms
                if at_ms > watermark_ms and watermark_ms < held_back_ms:
                    watermark_ms = at_ms if at_ms < held_back_ms else held_back_ms
                    population.watermark_ms = watermark_ms
            if event.apart is not None:
                counts.count_apart(event.apart)
                continue
            if event.clock_error_ms is not None and position is not None:
                self.open.clocks.note(event, event.clock_error_ms)
            if note_link is not None and event.user_id is not None and event.anonymous_id is not None:
                note_link(self, event, key_of(event), (source, record))
            verdict = classify(event)
            if event.type == "track" and (verdict is None or verdict.rule >= guesses_from) and position:
                self.open.note_name(signals.read_instead(event, verdict))
            if verdict is None:
                counts.no_signal += 1
                continue
            key = key_of(event)
            # Whoever has a profile here is ours, so the hash need not be computed.
            if may_forward and profile_of(key) is None and self._forward(source, record, key):
                forwarded += 1
                held_back_ms = min(held_back_ms, tracker.held_back_ms(source))
                continue
            signal = signal_of(event, verdict, place_at(code, record.offset))
            if verdict.update:
                at_ms = population.judged_ms(key, signal)
            if at_ms < watermark_ms - lateness_ms:
                self._late(source, record, event, key, LATE_BY_TIME)
                continue
            outcome = (take_device if event.user_id is None else take)(key, signal, record)
            if signal.facts is not None and outcome not in (DUPLICATE, OVER_CAP):
                counts.unread_amounts += signal.has_unread_amount
            if outcome == APPLIED:
                counts.applied += 1
            elif outcome == DUPLICATE:
                counts.duplicate += 1
            else:
                why = outcome if isinstance(outcome, LeftOut) else LATE_OVER_CAP
                self._late(source, record, event, key, why)
        counts.forwarded += forwarded
        counts.received += len(items) - forwarded
        if position is not None:
            # A time beyond the end of a finite input does not count, or what is read later would be late.
            position.watermark_ms = max(position.watermark_ms, min(reached_ms, tracker.end_ms))

    def _not_an_event(self, source: str, record: Record, outcome: ReadOutcome) -> None:
        if isinstance(outcome, Rejection):
            self._reject(source, record, self.signals.rejection(outcome))
        else:
            self.checkpoint.counts.no_signal += 1
            self.open.reasons["no_signal"]["empty"] += 1

    def _forward(self, source: str, record: Record, key: str) -> bool:
        """Forwards an item to the partition that owns its profile, `key`. False: this one owns it."""
        who = person_key(key)
        owner = partition_of(who, self.tracker.partitions)
        if owner == self.partition:
            return False
        self.tracker.forwarding = True
        self.open.forward(source, record, who, owner)
        return True

    def _reject(self, source: str, record: Record, rejection: Rejection) -> None:
        self.checkpoint.counts.rejected += 1
        self.open.reject(source, record, rejection)

    def _late(self, source: str, record: Record, event: Event, key: str, why: str | LeftOut) -> None:
        counts, late_s = self.checkpoint.counts, (self.population.watermark_ms - event.at_ms) / 1000
        if isinstance(why, LeftOut):  # it counts, but not in all of its needs
            counts.applied += 1
            counts.narrowed += 1
        else:
            counts.late += 1
        self.open.late(source, record, event, key, (why, late_s))

    def advance(self, clock_ms: int | None = None, watermark_ms: int | None = None) -> bool:
        """Lets time pass after `take`: timers fire, and closed journeys become final.

        Returns False when this is more than one batch can hold: commit, and call it again. `clock_ms`: the
        wall clock, on an idle partition that is caught up. `watermark_ms`: the end of a finite input, once
        all of it was read.
        """
        population = self.population
        if watermark_ms is not None and watermark_ms > population.watermark_ms:
            population.watermark_ms = watermark_ms
        if self.connector is not None:
            self.connector.settle(self)
        until_ms = population.watermark_ms - 1
        if clock_ms is not None and clock_ms > until_ms:
            until_ms = clock_ms
        # Final records wait for all timers: a journey that one has yet to close would be passed over.
        done = population.advance(until_ms, TIMERS_PER_BATCH) and population.housekeep(CHORES_PER_BATCH)
        if self.connector is not None:
            done = done and self.connector.devices.housekeep(CHORES_PER_BATCH)
        self._settled = done
        return done

    def publish(self, place: SourcePlace | None = None) -> None:
        """Turns the changes since the last call into records of transitions and cues, and counts them.

        `place`: the source of the events that have brought them about; None: no event has.
        """
        publish_changes(self, place)

    def batch(self) -> Batch:
        """All effects since the last call, to be committed as one."""
        self.publish()
        self.checkpoint.batches += 1
        changed, groups = self.windows.roll_up(self.population.settled_mark_ms)
        devices = self.connector.devices if self.connector is not None else None
        outputs = self.open.outputs(self.population, self.publisher, self.checkpoint, devices)
        outputs += self.tracker.take_messages(self.checkpoint.batches)
        receipts, items = self.redriven.drain()
        outputs += self.tallies.outputs(changed, self.checkpoint.batches) + receipts
        state = profile_records(self.population.commit())
        if self.connector is not None:
            state += device_records(self.connector.device_parts())
        state += counter_records(groups) + items
        book = self.rulebook
        state += version_records(book, self._stored_versions, self._stored_doors)
        self._stored_versions, self._stored_doors = len(book.versions), len(book.doors)
        self.open = OpenBatch()
        return Batch(outputs, state, encode_checkpoint(self._current_checkpoint()))

    def _current_checkpoint(self) -> Checkpoint:
        c, population, tracker = self.checkpoint, self.population, self.tracker
        c.watermark_ms, c.timers_fired_ms = population.watermark_ms, population.timers_fired_ms
        c.settled_mark_ms = population.settled_mark_ms
        c.forgotten_without_journey, c.eras = population.forgotten_without_journey, self.rulebook.eras
        c.expired_corrections = self.windows.expired_corrections
        c.sources, c.peers, c.forwarding = tracker.sources, tracker.peers, tracker.forwarding
        return c
