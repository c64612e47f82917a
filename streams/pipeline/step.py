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
from streams.funnels.cells import count
from streams.funnels.windows import Windows
from streams.ingest.event import Event, Rejection
from streams.ingest.segment import read
from streams.ingest.times import LATEST_MS
from streams.journeys.machine import UNMATCHED, Transition
from streams.journeys.population import Population
from streams.journeys.profile import APPLIED, DUPLICATE, Profile
from streams.journeys.signal import NAMELESS, event_ref, head, order_ref
from streams.journeys.store import HEAD
from streams.moments.classify import compiled
from streams.moments.rules import Rules
from streams.moments.verdict import REFUND, TRUTH
from streams.pipeline.checkpoint import FORMAT, Checkpoint
from streams.pipeline.plan import Plan
from streams.pipeline.publish import Publisher, current_key, profile_key, rfc3339
from streams.pipeline.reading import first_text, needs_of
from streams.pipeline.rulebook import Rulebook, Version
from streams.records import Batch, Headers, Output, Record

TIMERS_PER_BATCH = 10_000  # profiles whose timers fire in one batch: a flood of deadlines must not make one huge transaction
CHORES_PER_BATCH = 10_000  # the same for final records and forgetting
LEDGER_BYTES = 64 * 1024  # of a rejected or late record that are kept: with its headers it must fit any topic

PROFILE, CELL, RULES, GHOST = b"p", b"c", b"r", b"g"  # first byte of a state key
# A ghost is a person who gave signals, never had a journey and was forgotten: counted among the profiles for ever, known nowhere else.
SEGMENT_KEY, CELL_KEY, RULES_KEY = Struct(">I"), Struct(">BIQ"), Struct(">H")

_encode = msgspec.msgpack.Encoder().encode
_decode_count = msgspec.msgpack.Decoder(int).decode
decode_version = msgspec.msgpack.Decoder(Version).decode


class Pipeline:
    """The state of one partition and the step that changes it."""

    def __init__(self, partition: int, plan: Plan, fold: bytes, rules: Rules, skew_ms: int) -> None:
        """`fold`: the fold settings as they are recorded; `skew_ms`: how far ahead of its own arrival an event may be dated."""
        self.partition, self.plan, self.rules, self.skew_ms = partition, plan, rules, skew_ms
        self.checkpoint = Checkpoint(FORMAT, fold)
        self.population = Population(plan.patience, plan.horizon_ms)
        self.windows = Windows()
        self.rulebook = Rulebook()
        self.publisher = Publisher(partition, plan.dimensions, self.rulebook)
        self.classifier = compiled(rules)
        self.base = 0  # code of the first rule in force
        self._new_rules: list[int] = []  # versions of the rulebook that are not stored yet
        self._ledger: list[Output] = []
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
                    parts.setdefault(name.decode(), {})[SEGMENT_KEY.unpack(number)[0] if number else HEAD] = value
                case b"c":
                    self.windows.put(CELL_KEY.unpack(key[1:]), _decode_count(value))
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
        self.adopt(self.rules)

    @property
    def marks(self) -> tuple[int, int, int]:
        """Changes whenever there is something to commit, be it only that time has passed."""
        return self.population.mark, self.population.timer, self.population.done

    def adopt(self, rules: Rules) -> None:
        """Puts rules in force from the next record on. Only between batches."""
        self.rules, self.classifier = rules, compiled(rules)
        self.base, new = self.rulebook.adopt(rules, self.checkpoint.offset)
        if new:
            self._new_rules.append(len(self.rulebook.versions) - 1)
        self.publisher.learn()

    def take(self, records: Sequence[Record]) -> None:
        """Reads and folds records of the input, in offset order from the checkpoint's offset on."""
        c, population, plan = self.checkpoint, self.population, self.plan
        counts, classify, take, skew = c.counts, self.classifier.classify, population.take, self.skew_ms
        dimensions, base, orders, needs, tenant_of = plan.dimensions.code, self.base, self._order, plan.needs, self._tenant
        horizon, mark = plan.horizon_ms, population.mark
        for record in records:
            event = read(record.value, record.headers, record.time_ms + skew if record.time_ms >= 0 else LATEST_MS)
            if type(event) is Rejection:
                self.reject(record, event)
                continue
            assert type(event) is Event
            at = event.at_ms
            if at > mark:
                population.mark = mark = at
            verdict = classify(event)
            if verdict is None:
                counts.no_signal += 1
                continue
            key = event.profile
            if tenant_of is not None:
                key = profile_key(tenant_of(event), key)
            if at < mark - horizon:
                self.late(record, event, key, "horizon")
                continue
            order, everywhere = None, False
            if verdict.mark >= TRUTH and (named := orders(event)):
                order, everywhere = order_ref(named), verdict.mark == REFUND
            outcome = take(
                key, head(at, verdict.mark, verdict.sure, dimensions(event)), event_ref(event.id), base + verdict.rule,
                needs_of(event, needs) if needs else NAMELESS, event.offset, order, everywhere,
            )  # fmt: skip
            if outcome == APPLIED:
                counts.applied += 1
            elif outcome == DUPLICATE:
                counts.duplicate += 1
            else:
                self.late(record, event, key, "over_cap")
        if records:
            counts.received += len(records)
            c.offset = records[-1].offset + 1

    def reject(self, record: Record, rejection: Rejection) -> None:
        self.checkpoint.counts.rejected += 1
        said = (("reason", rejection.reason.encode()), ("detail", rejection.detail.encode("utf-8", "replace")))
        self._ledger.append(self.ledger(topology.REJECTED.name, None, record, said))

    def late(self, record: Record, event: Event, key: str, reason: Literal["horizon", "over_cap"]) -> None:
        self.checkpoint.counts.late += 1
        late_s = (self.population.mark - event.at_ms) / 1000
        said = (
            ("reason", reason.encode()), ("late_s", str(late_s).encode()), ("profile", event.profile.encode()), ("event", event.id.encode()),
            ("at", rfc3339(event.at_ms).encode()),
        )  # fmt: skip
        self._ledger.append(self.ledger(topology.LATE.name, key.encode(), record, said))

    def ledger(self, topic: str, key: bytes | None, record: Record, said: Headers) -> Output:
        """The record as it came, and what is to be said of it."""
        value = record.value or b""
        where: Headers = (("partition", str(self.partition).encode()), ("offset", str(record.offset).encode()))
        cut: Headers = (("cut", b"true"),) if len(value) > LEDGER_BYTES else ()
        return Output(topic, key, value[:LEDGER_BYTES], (*said, *where, *cut))

    def advance(self, clock_ms: int | None = None, mark_ms: int | None = None) -> bool:
        """Lets time pass after a batch was taken: timers fire, closed journeys become final. False: there is more to do, in further batches.

        `clock_ms`: the wall clock, on an idle partition that is caught up. `mark_ms`: the whole input's greatest time, at the end of a finite replay.
        """
        population = self.population
        if mark_ms is not None and mark_ms > population.mark:
            population.mark = mark_ms
        timer = population.mark - 1
        if clock_ms is not None and clock_ms > timer:
            timer = clock_ms
        # What is final is judged when every timer has fired: a journey that a timer has yet to close would be passed over.
        return population.advance(timer, TIMERS_PER_BATCH) and population.housekeep(CHORES_PER_BATCH)

    def batch(self) -> Batch:
        """All effects since the last call, to be committed as one."""
        c, population, publisher = self.checkpoint, self.population, self.publisher
        outputs: list[Output] = []
        delta, rev = self.windows.delta, c.rev
        moved: dict[tuple[str, int], Profile] = {}
        for p, retracts, asserts in population.changes:
            key = p.key.encode()
            for t in retracts:
                rev = self.say(p, key, "retract", rev, t, outputs)
                count(t, -1, delta)
                moved[p.key, t.need] = p
            for t in asserts:
                rev = self.say(p, key, "assert", rev, t, outputs)
                count(t, 1, delta)
                moved[p.key, t.need] = p
        c.rev = rev
        for (_, need), p in moved.items():
            outputs.append(Output(topology.CURRENT.name, *publisher.current(p, p.states[need], rev)))
        for p in population.forgotten:
            outputs += [Output(topology.CURRENT.name, current_key(p.key, p.needs[s.need]), None) for s in p.states if s.journey]
        for p, final in population.finals:
            outputs.append(Output(topology.JOURNEYS.name, p.key.encode(), publisher.final(p, final)))
        outputs += self._ledger

        state: list[tuple[bytes, bytes | None]] = []
        forgotten = population.forgotten
        for name, number, value in population.commit():
            state.append((PROFILE + name.encode() + b"\0" + (SEGMENT_KEY.pack(number) if number >= 0 else b""), value))
        state += [(GHOST + p.key.encode(), b"") for p in forgotten if not any(s.journey for s in p.states)]
        for cell, n in self.windows.roll_up(population.mark):
            outputs.append(Output(topology.TALLIES.name, *publisher.tally(cell, n)))
            state.append((CELL + CELL_KEY.pack(*cell), None if n is None else _encode(n)))
        state += [(RULES + RULES_KEY.pack(n), _encode(self.rulebook.versions[n])) for n in self._new_rules]
        c.mark, c.timer, c.eras = population.mark, population.timer, self.rulebook.eras
        c.expired_corrections = self.windows.expired_corrections
        self._ledger, self._new_rules = [], []
        return Batch(outputs, state, _encode(c))

    def say(self, p: Profile, key: bytes, op: Literal["assert", "retract"], rev: int, t: Transition, outputs: list[Output]) -> int:
        """Publishes one transition; returns the next rev. An unmatched refund is counted, not published."""
        if t.kind == UNMATCHED:
            return rev
        rev += 1
        outputs.append(Output(topology.TRANSITIONS.name, key, self.publisher.transition(p, op, rev, t)))
        return rev
