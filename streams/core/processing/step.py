"""One partition's whole computation, between what is read and what is committed. Pure: the agent reads, calls, commits.

    take(records)  ->  advance(...)  ->  batch()

Everything that a step changes in memory is committed by the batch that it makes, or lost with the process and done again from the
checkpoint: there is nothing in between.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Literal

import msgspec

from streams import topology
from streams.core.funnels.cells import count_transition
from streams.core.funnels.windows import Windows
from streams.core.ingest.event import Event, Items, Reason, Rejection, reject
from streams.core.ingest.formats.segment import key_of, read
from streams.core.ingest.partition import partition_of, person_key
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.machine import UNMATCHED
from streams.core.journeys.population import Population
from streams.core.journeys.profile import APPLIED, DUPLICATE, Profile
from streams.core.journeys.signal import NAMELESS, event_ref, head, order_ref
from streams.core.journeys.store import HEAD
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import REFUND, TRUTH
from streams.core.processing.checkpoint import FORMAT, Checkpoint
from streams.core.processing.parameters import Parameters
from streams.core.processing.publisher import Publisher, current_key, profile_key, rfc3339
from streams.core.processing.rulebook import Rulebook, Version
from streams.core.processing.subject import first_text, needs_of
from streams.core.processing.watermark import (
    FROM,
    INBOX,
    MARK,
    SourcePosition,
    WatermarkReport,
    WatermarkTracker,
    decode_mark,
    encode_mark,
)
from streams.records import Batch, Fetched, Headers, Output, Record

TIMERS_PER_BATCH = (
    10_000  # profiles whose timers fire in one batch: a flood of deadlines must not make one huge transaction
)
CHORES_PER_BATCH = 10_000  # the same for final records and forgetting
RUN = 250  # records that are read, then folded, then told of: so much, and the code of one stage at a time, stays in the processor's caches
LEDGER_BYTES = 64 * 1024  # of a rejected or late record that are kept: with its headers it must fit any topic

PROFILE, CELL, RULES, GHOST = b"p", b"c", b"r", b"g"  # first byte of a state key
# A ghost is a person who gave signals, never had a journey and was forgotten: counted among the profiles for ever, known nowhere else.
SEGMENT_KEY, CELL_KEY, RULES_KEY = Struct(">I"), Struct(">BIQ"), Struct(">H")
TRANSITIONS, CURRENT, TALLIES = (
    topology.TRANSITIONS.name,
    topology.CURRENT.name,
    topology.TALLIES.name,
)  # of each there are thousands in a batch

_encode = msgspec.msgpack.Encoder().encode
_decode_counts = msgspec.msgpack.Decoder(dict[int, int]).decode
decode_version = msgspec.msgpack.Decoder(Version).decode


class Processor:
    """The state of one partition and the step that changes it."""

    def __init__(
        self, partition: int, plan: Parameters, fold: bytes, rules: Rules, skew_ms: int, partitions: int = 1
    ) -> None:
        """`fold`: the fold settings as they are recorded; `skew_ms`: how far ahead of its own arrival an event may be dated; `partitions`: in all."""
        self.progress = WatermarkTracker(partition, partitions)
        self.partition, self.plan, self.rules, self.skew_ms = partition, plan, rules, skew_ms
        self.checkpoint = Checkpoint(FORMAT, fold)
        self.population = Population(plan.patience, plan.allowed_lateness_ms)
        self.windows = Windows()
        self.rulebook = Rulebook()
        self.publisher = Publisher(partition, plan.dimensions, self.rulebook)
        self.classifier = classifier_for(rules)
        self.base = 0  # code of the first rule in force
        self._new_rules: list[int] = []  # versions of the rulebook that are not stored yet
        self.set_aside: list[Output] = []  # of the open batch: records that were rejected or late
        self._handed: list[Output] = []
        self.retracted = 0  # of the open batch
        self._said: list[Output] = []  # its transitions
        self._moved: dict[tuple[str, int], Profile] = {}  # by key and need: whose standing it changed
        self._latest_ms = LATEST_MS  # no record of the open batch came later
        self._tenant = first_text((plan.tenant,)) if plan.tenant else None
        self._order = first_text(plan.orders)

    def restore(self, checkpoint: Checkpoint | None, state: Iterable[tuple[bytes, bytes]]) -> None:
        """From the last committed checkpoint and the live state records; then puts this start's rules in force."""
        parts: dict[str, dict[int, bytes]] = {}
        versions: dict[int, Version] = {}
        for key, value in state:
            match key[:1]:
                case b"p":
                    name, _, number = key[1:].partition(b"\0")
                    parts.setdefault(name.decode(), {})[SEGMENT_KEY.unpack(number)[0] if number else HEAD] = (
                        value
                    )
                case b"c":
                    self.windows.put(CELL_KEY.unpack(key[1:]), _decode_counts(value))
                case b"g":
                    pass  # for who counts people; an agent has no use for it
                case _:
                    versions[RULES_KEY.unpack(key[1:])[0]] = decode_version(value)
        if checkpoint is not None:
            self.checkpoint = checkpoint
            self.windows.expired_corrections = checkpoint.expired_corrections
            self.population.restore(parts, checkpoint.mark, checkpoint.timer)
            self.rulebook.versions = [versions[n] for n in sorted(versions)]
            self.rulebook.eras = checkpoint.eras
            self.progress.restore(checkpoint.sources, checkpoint.peers, checkpoint.forwarding)
        self.adopt(self.rules)

    @property
    def marks(self) -> tuple[int, int, int, bool]:
        """Changes whenever there is something to commit, be it only that time has passed; last, whether other partitions are to be told something."""
        return (
            self.population.mark,
            self.population.timer,
            self.population.done,
            self.progress.to_tell is not None,
        )

    def adopt(self, rules: Rules) -> None:
        """Puts rules in force from the next record on. Only between batches."""
        self.rules, self.classifier = rules, classifier_for(rules)
        self.base, new = self.rulebook.adopt(rules, self.progress.offsets)
        if new:
            self._new_rules.append(len(self.rulebook.versions) - 1)
        self.publisher.learn()

    def take(self, reading: Fetched) -> None:
        """Reads and folds what a look at the sources gave: of each, the records from its position on, in offset order."""
        progress, population = self.progress, self.population
        if (
            not progress.forwarding
            and self.plan.at_home
            and progress.partitions > 1
            and not self.checkpoint.counts.received
        ):
            people = (key_of(record.value or b"") for _, records in reading.chunks for record in records)
            progress.forwarding = any(self.foreign(who) for who in people if who)
        progress.looked(reading)
        self._latest_ms = reading.read_ms if reading.read_ms >= 0 else LATEST_MS
        for source, records in reading.chunks:
            position = progress.sources[source]
            if source.startswith(INBOX):
                self.take_handed(source, records)
            else:
                for start in range(0, len(records), RUN):
                    self.fold(source, records[start : start + RUN], position)
                    self.tell()
            position.offset = records[-1].offset + 1
        for source, offset in reading.reached.items():
            progress.sources[source].offset = max(progress.sources[source].offset, offset)
        population.mark = max(population.mark, progress.mark)

    def take_handed(self, source: str, records: Sequence[Record]) -> None:
        """What other partitions handed over: events by where they were read, and marks. What a mark is about was handed over before it."""
        self.progress.forwarding = True
        runs: dict[str, list[Record]] = {}
        marks = []
        for record in records:
            match decode_inbox(record):
                case None:
                    self.checkpoint.counts.received += 1
                    self.reject(
                        source,
                        record,
                        reject(Reason.UNDECODABLE, "a record in the handover topic that no partition wrote"),
                    )
                case WatermarkReport() as mark:
                    marks.append(mark)
                case (where, origin):
                    runs.setdefault(where, []).append(origin)
        for where, run in runs.items():
            self.fold(where, run, None)
        for mark in marks:
            self.progress.hear(mark)

    def fold(self, source: str, records: Sequence[Record], position: SourcePosition | None) -> None:
        """Reads and folds records of one source. Its `position`: how far that has come in event time; None: they were handed over."""
        population, plan = self.population, self.plan
        counts, classify, take, skew = (
            self.checkpoint.counts,
            self.classifier.classify,
            population.take,
            self.skew_ms,
        )
        dimensions, base, orders, needs, tenant_of = (
            plan.dimensions.code,
            self.base,
            self._order,
            plan.needs,
            self._tenant,
        )
        allowed_lateness, mark, profiles = plan.allowed_lateness_ms, population.mark, population.profiles
        reached = LATEST_MS if position is None else position.mark
        others, foreign = self.progress.others(source), 0
        looks_home = position is not None and plan.at_home and self.progress.partitions > 1
        latest, limit = self._latest_ms, min(self._latest_ms + skew, LATEST_MS)
        events = [
            read(
                record.value, record.headers, record.time_ms + skew if 0 <= record.time_ms < latest else limit
            )
            for record in records
        ]
        for record, event in zip(records, events, strict=True):
            if type(event) is Items:
                event = reject(Reason.UNKNOWN_TYPE, "a batch of calls")
            if type(event) is Rejection:
                self.reject(source, record, event)
                continue
            assert type(event) is Event
            at = event.at_ms
            if at > reached:
                reached = at
                if at > mark and mark < others:
                    population.mark = mark = at if at < others else others
            verdict = classify(event)
            if verdict is None:
                counts.no_signal += 1
                continue
            key = event.profile
            if tenant_of is not None:
                key = profile_key(tenant_of(event), key)
            if looks_home and key not in profiles and self.hand_over(source, record, event):
                foreign += 1
                others = min(others, self.progress.others(source))
                continue
            if at < mark - allowed_lateness:
                self.late(source, record, event, key, "lateness")
                continue
            order, everywhere = None, False
            if verdict.intent >= TRUTH and (named := orders(event)):
                order, everywhere = order_ref(named), verdict.intent == REFUND
            outcome = take(
                key, head(at, verdict.intent, verdict.sure, dimensions(event)), event_ref(event.id), base + verdict.rule,
                needs_of(event, needs) if needs else NAMELESS, event.utc_offset_quarters, order, everywhere,
            )  # fmt: skip
            if outcome == APPLIED:
                counts.applied += 1
            elif outcome == DUPLICATE:
                counts.duplicate += 1
            else:
                self.late(source, record, event, key, "over_cap")
        counts.forwarded += foreign
        counts.received += len(records) - foreign
        if position is not None:
            position.mark = reached

    def foreign(self, who: bytes) -> bool:
        return partition_of(who, self.progress.partitions) != self.partition

    def hand_over(self, source: str, record: Record, event: Event) -> bool:
        """Sends an event to the partition where its person lives; False: that is this one.

        Without the headers that it came with: they have no say in an event, and there is no end to how large they may be.
        """
        who = person_key(event)
        home = partition_of(who, self.progress.partitions)
        if home == self.partition:
            return False
        self.progress.forwarding = True
        origin = f"{source}:{record.offset}:{record.time_ms}".encode()
        self._handed.append(Output(topology.INBOX.name, who, record.value, ((FROM, origin),), home))
        return True

    def reject(self, source: str, record: Record, rejection: Rejection) -> None:
        self.checkpoint.counts.rejected += 1
        said = (
            ("reason", rejection.reason.encode()),
            ("detail", rejection.detail.encode("utf-8", "replace")),
        )
        self.set_aside.append(self.ledger(topology.REJECTED.name, None, source, record, said))

    def late(
        self, source: str, record: Record, event: Event, key: str, reason: Literal["lateness", "over_cap"]
    ) -> None:
        self.checkpoint.counts.late += 1
        late_s = (self.population.mark - event.at_ms) / 1000
        said = (
            ("reason", reason.encode()), ("late_s", str(late_s).encode()), ("profile", event.profile.encode()), ("event", event.id.encode()),
            ("at", rfc3339(event.at_ms).encode()),
        )  # fmt: skip
        self.set_aside.append(self.ledger(topology.LATE.name, key.encode(), source, record, said))

    def ledger(self, topic: str, key: bytes | None, source: str, record: Record, said: Headers) -> Output:
        """The record as it came, and what is to be said of it."""
        value = record.value or b""
        name, _, number = source.rpartition(":")
        where: Headers = (
            ("topic", name.encode()),
            ("partition", number.encode()),
            ("offset", str(record.offset).encode()),
        )
        cut: Headers = (("cut", b"true"),) if len(value) > LEDGER_BYTES else ()
        return Output(topic, key, value[:LEDGER_BYTES], (*said, *where, *cut))

    def advance(self, clock_ms: int | None = None, watermark_ms: int | None = None) -> bool:
        """Lets time pass after a batch was taken: timers fire, closed journeys become final. False: there is more to do, in further batches.

        `clock_ms`: the wall clock, on an idle partition that is caught up. `mark_ms`: the whole input's greatest time, at the end of a finite replay.
        """
        population = self.population
        if watermark_ms is not None and watermark_ms > population.mark:
            population.mark = watermark_ms
        timer = population.mark - 1
        if clock_ms is not None and clock_ms > timer:
            timer = clock_ms
        # What is final is judged when every timer has fired: a journey that a timer has yet to close would be passed over.
        return population.advance(timer, TIMERS_PER_BATCH) and population.housekeep(CHORES_PER_BATCH)

    def tell(self) -> None:
        """Publishes and counts what has changed since the last call."""
        delta, rev, transition = self.windows.delta, self.checkpoint.rev, self.publisher.transition
        outputs, moved = self._said, self._moved
        changes, self.population.changes = self.population.changes, []
        for p, retracts, asserts in changes:
            key = p.key.encode()
            self.retracted += len(retracts)
            for t in retracts:
                count_transition(t, -1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "retract", rev, t)))
            for t in asserts:
                count_transition(t, 1, delta)
                moved[p.key, t.need] = p
                if t.kind != UNMATCHED:  # a refund that found no purchase is counted, not published
                    rev += 1
                    outputs.append(Output(TRANSITIONS, key, transition(p, "assert", rev, t)))
        self.checkpoint.rev = rev

    def batch(self) -> Batch:
        """All effects since the last call, to be committed as one."""
        c, population, publisher = self.checkpoint, self.population, self.publisher
        self.tell()
        outputs, moved, rev = self._said, self._moved, c.rev
        for (_, need), p in moved.items():
            outputs.append(Output(CURRENT, *publisher.current(p, p.states[need], rev)))
        for p in population.forgotten:
            outputs += [
                Output(CURRENT, current_key(p.key, p.needs[s.need]), None) for s in p.states if s.journey
            ]
        for p, final in population.finals:
            outputs.append(Output(topology.JOURNEYS.name, p.key.encode(), publisher.final(p, final)))
        outputs += self.set_aside
        outputs += self._handed
        progress = self.progress
        if (mark := progress.tell()) is not None:
            said = (MARK, encode_mark(mark))
            outputs += [
                Output(topology.INBOX.name, None, b"", (said,), n)
                for n in range(progress.partitions)
                if n != self.partition
            ]

        state: list[tuple[bytes, bytes | None]] = []
        forgotten = population.forgotten
        for name, number, value in population.commit():
            key = PROFILE + name.encode() + b"\0"
            state.append((key if number < 0 else key + SEGMENT_KEY.pack(number), value))
        state += [(GHOST + p.key.encode(), b"") for p in forgotten if not any(s.journey for s in p.states)]
        changed, groups = self.windows.roll_up(population.mark)
        outputs += [Output(TALLIES, *publisher.tally(cell, n)) for cell, n in changed]
        state += [
            (CELL + CELL_KEY.pack(*group), None if counts is None else _encode(counts))
            for group, counts in groups
        ]
        state += [(RULES + RULES_KEY.pack(n), _encode(self.rulebook.versions[n])) for n in self._new_rules]
        c.mark, c.timer, c.eras = population.mark, population.timer, self.rulebook.eras
        c.expired_corrections = self.windows.expired_corrections
        c.sources, c.peers, c.forwarding = progress.sources, progress.peers, progress.forwarding
        self.set_aside, self._handed, self._new_rules, self._said, self._moved = [], [], [], [], {}
        self.retracted = 0
        return Batch(outputs, state, _encode(c))


def decode_inbox(record: Record) -> WatermarkReport | tuple[str, Record] | None:
    """What a record of the handover topic is: a mark; an event, with the source where it was read first and as it was there; or nothing of ours."""
    name, value = record.headers[-1] if record.headers else ("", b"")
    try:
        if name == MARK:
            return decode_mark(value)
        if name == FROM:
            source, offset, time_ms = value.decode().rsplit(":", 2)
            return source, Record(int(offset), int(time_ms), record.key, record.value, record.headers[:-1])
    except (msgspec.MsgspecError, ValueError):
        pass
    return None
