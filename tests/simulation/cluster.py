"""Real agents over the memory log, one effect at a time.

The log of the simulation does what the memory log does, with a pause before and after every effect.
A worker that is between two pauses can be killed there, or left alone while another takes its
partition over, and goes on later as a zombie.
"""

import itertools
import types
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.clock import Clock
from streams.core.ingest.reading import RecordReader
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.committed import Committed
from streams.core.processing.watermark import IDLE_READS
from streams.errors import Fenced, Incompatible
from streams.log.memory import MemoryLog, MemorySession
from streams.log.port import Restoring
from streams.records import Batch, Fetched, HiddenOffsets, Output, Record, StateRecord
from streams.runtime.parameters import door_of_settings
from streams.runtime.partition_agent import PartitionAgent
from streams.topology import (
    CUES,
    CURRENT,
    CURRENT_DEVICES,
    INBOX,
    JOURNEYS,
    LATE,
    REJECTED,
    TALLIES,
    TRANSITIONS,
    source_name,
)
from tests.simulation.account import person
from tests.simulation.commands import Commands
from tests.simulation.script import Command, Deploy, Impostor, Kill, Move, Op, Send, Turn
from tests.simulation.timeline import Read, Sender, read_on
from tests.simulation.watermarks import Watermarks
from tests.simulation.world import DAY, INPUTS, RULES, World

CURRENT_TOPICS = (CURRENT.name, CURRENT_DEVICES.name)

# Of draining the partitions: a run reads some hundred records, and a step may fire a single timer.
MAX_TURNS = 3_000
# So many rounds without anything to do: after IDLE_READS of them a partition says that it is idle.
QUIET_ROUNDS = IDLE_READS + 1


COMMAND = Sender(-1, -1)  # what a command sends comes from no partition


class Crash(Exception):
    """A worker dies."""


class StepClock(Clock):
    """How long the machine takes for a step must not show in a run: a seed is the same day every time. Each
    step of an agent takes a second, whoever makes it.
    """

    def __init__(self) -> None:
        self.steps = 0

    def monotonic_s(self) -> float:
        return DAY / 1000 + self.steps  # an agent that has just begun has reported nothing for a day

    def processor_s(self) -> float:
        return 0.0


@types.coroutine
def pause() -> Generator[None, None, None]:
    """The scheduler decides when, and whether, it goes on."""
    yield


class Session:
    """A memory session with pauses. `rules`: the version its worker reads with."""

    def __init__(self, cluster: "Cluster", inner: MemorySession, rules: str) -> None:
        self.cluster, self.inner, self.rules, self.partition = cluster, inner, rules, inner.partition
        self.round_robin, self.sources = inner.round_robin, inner.sources
        self.number = next(cluster.sessions)
        self._fetched: list[Fetched] = []  # since the last commit
        self._hidden: dict[str, HiddenOffsets] = {}

    async def restore(
        self, on_progress: Restoring | None = None
    ) -> tuple[bytes | None, AsyncIterator[StateRecord]]:
        await pause()
        found = await self.inner.restore()
        await pause()
        return found

    async def read(self, positions: Mapping[str, int], limit: int) -> Fetched:
        await pause()
        hidden = {source_name(INPUTS[n], self.partition) for n in self.cluster.hidden}
        first = self.cluster.first
        order = (*self.sources[first:], *self.sources[:first])
        self.inner.sources = tuple(source for source in order if source not in hidden)
        try:
            fetched = await self.inner.read(positions, limit)
        except Fenced:
            if not self.cluster.world.blind:
                raise
            fetched = await self._read_blindly(positions, limit)
        fetched = self._look_at_hidden(hidden, positions, fetched)
        self._fetched.append(fetched)
        await pause()
        return fetched

    async def _read_blindly(self, positions: Mapping[str, int], limit: int) -> Fetched:
        """What a log finds that lets everybody read."""
        chunks: list[tuple[str, list[Record]]] = []
        ends = await self.cluster.log.ends()
        ended = {source for source in self.sources if positions.get(source, 0) >= ends[source]}
        for source in self.inner.sources:
            begin = positions.get(source, 0)
            if limit and begin < ends[source]:
                stored = [record async for record in self.cluster.log.scan_source(source)]
                chunks.append((source, stored[begin : begin + limit]))
                if begin + limit >= ends[source]:
                    ended.add(source)
                limit -= len(chunks[-1][1])
        return Fetched(chunks, frozenset(ended))

    def _look_at_hidden(self, hidden: set[str], positions: Mapping[str, int], fetched: Fetched) -> Fetched:
        """Nothing of these sources can be read now. Those that hold nothing more have ended nevertheless."""
        ends, ended = settle(self.cluster.log.ends()), set(fetched.ended)
        self._hidden = {}
        for source in hidden:
            position, end = positions.get(source, 0), ends[source]
            if position < end:
                self._hidden[source] = HiddenOffsets(position, end - position)
                self.cluster.met["an open transaction hides records"] += 1
            else:
                ended.add(source)
        return Fetched(fetched.chunks, frozenset(ended))

    async def commit(self, batch: Batch) -> None:
        await pause()
        try:
            await self.inner.commit(batch)
        finally:
            self.cluster.committed(self.partition, batch, Read(self.number, self.rules, self._fetched))
            self._fetched = []
        await pause()

    def lags(self) -> dict[str, int]:
        return self.inner.lags()

    def hidden(self) -> Mapping[str, HiddenOffsets]:
        return self._hidden

    async def close(self) -> None:
        await self.inner.close()


class Log:
    """The log as one worker sees it."""

    def __init__(self, cluster: "Cluster", rules: int) -> None:
        self.cluster, self.rules = cluster, rules

    async def open(self, partition: int) -> Session:
        await pause()
        inner = await self.cluster.log.open(partition)
        await pause()
        return Session(self.cluster, inner, RULES[self.rules].version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster.log, name)


class Sink:
    """A table of counters as many sinks keep it: the last value of each key, and no notice of tombstones."""

    def __init__(self) -> None:
        self.table: dict[bytes, dict[str, Any]] = {}
        self.stale: list[str] = []  # values that did not come with a greater `rev`

    def take(self, outputs: Iterable[Output]) -> None:
        """Upserts the counters of a batch."""
        for output in outputs:
            if output.topic == TALLIES.name and output.value is not None and output.key is not None:
                tally = msgspec.json.decode(output.value)
                last = self.table.get(output.key)
                if last is not None and tally["rev"] <= last["rev"]:
                    self.stale.append(f"{tally['cell']} has rev {tally['rev']} after {last['rev']}")
                self.table[output.key] = tally


def _as_taken(partition: int, batch: Batch, read: Read) -> Read:
    """What a batch has read, without what it left in the inbox for a later one, and how far time had come."""
    c, inbox = decode_checkpoint(batch.checkpoint), source_name(INBOX.name, partition)
    end = c.sources[inbox].offset if inbox in c.sources else 0
    fetched: list[Fetched] = []
    for one in reversed(read.fetched):  # what was left is in a later one again
        chunks = [
            (source, [r for r in records if source != inbox or r.offset < end])
            for source, records in one.chunks
        ]
        fetched.insert(0, msgspec.structs.replace(one, chunks=chunks))
        end = min([end, *[records[0].offset for source, records in one.chunks if source == inbox]])
    return read._replace(fetched=fetched, watermark_ms=c.watermark_ms, timers_ms=c.timers_fired_ms)


def unruly(batch: Batch, *, identity: bool) -> Iterator[str]:
    """At most one `current` record of each person, and a tombstone of exactly those who are forgotten. (With
    identity on, a device that is somebody's stays.)
    """
    held = [(output.topic, output.key) for output in batch.outputs if output.topic in CURRENT_TOPICS]
    yield from (f"{n} records of {key!r} in {topic}" for (topic, key), n in Counter(held).items() if n > 1)
    gone = {(o.topic, o.key) for o in batch.outputs if o.topic in CURRENT_TOPICS and o.value is None}
    parts = [
        record.key[1:].partition(b"\0")
        for record in batch.state
        if record.value is None and record.key[:1] == b"p"
    ]
    heads = [name.decode() for name, _, segment in parts if not segment]
    profiles = [head.rpartition("\x1f")[::2] for head in heads]
    forgotten = {
        ("current_devices" if profile[0] == "d" else "current", person(tenant or None, profile))
        for tenant, profile in profiles
    }
    if identity:
        gone = {found for found in gone if found[0] == CURRENT.name}
        forgotten = {found for found in forgotten if found[0] == CURRENT.name}
    if gone != forgotten:
        yield f"forgotten are {forgotten}, and the tombstones are {gone}"


@dataclass
class Hand:
    """A worker's hold on one partition: its agent, and what that is in the middle of."""

    agent: PartitionAgent | None = None
    doing: Coroutine[Any, Any, Any] | None = None
    step: Committed | None = None  # the last one


@dataclass
class Worker:
    """A process."""

    rules: int = 0
    hands: dict[int, Hand] = field(default_factory=dict)


class Cluster:
    """Partitions, workers, and what happens to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = MemoryLog(world.partitions, self.fault, world.forwards, INPUTS[: world.inputs])
        self.workers = [Worker() for _ in range(world.workers)]
        self.owner = [p % world.workers for p in range(world.partitions)]
        self.timelines: list[list[Read]] = [[] for _ in range(world.partitions)]
        # By partition and batch: how far it had come in its own inputs.
        self.reaches: list[list[int]] = [[] for _ in range(world.partitions)]
        self._reader = RecordReader(door_of_settings(world.settings), INPUTS[0])
        self._marks = [Watermarks(world.inputs_of(n)) for n in range(world.partitions)]
        self.senders: list[list[Sender]] = [
            [] for _ in range(world.partitions)
        ]  # of what is in their inboxes
        self.sessions = itertools.count()
        self.commands = Commands(self.log)
        self.hidden: Sequence[int] = ()  # inputs where a transaction is open now
        self.first = 0  # which source is read first
        self.clock = StepClock()
        self.seen: dict[int, Committed] = {}  # the last step of each partition, as its observers were told
        self.clocks = [-1] * world.partitions  # greatest wall time handed in
        self.sinks = [Sink() for _ in range(world.partitions)]
        self.crash: tuple[str, int] | None = None
        self.accepted: list[str] = []  # impostors that were let in
        self.unruly: list[str] = []  # what committed batches hold that no batch may
        self.met: Counter[str] = Counter()

    def fault(self, point: str) -> None:
        """The memory log's hook."""
        if self.crash and self.crash[0] == point:
            self.crash = (point, self.crash[1] - 1)
            if self.crash[1] < 0:
                self.met[f"crash at {point}"] += 1
                raise Crash(point)

    def committed(self, partition: int, batch: Batch, read: Read) -> None:
        """Notes who read what, if the commit did happen."""
        if self.log._stored[partition].checkpoint is batch.checkpoint:
            self.unruly += [
                f"partition {partition}: {how}" for how in unruly(batch, identity=self.world.identity)
            ]
            self.met["time alone committed"] += not any(fetched.chunks for fetched in read.fetched)
            sender = Sender(partition, len(self.timelines[partition]))
            self.timelines[partition].append(_as_taken(partition, batch, read))
            read_on(self._marks[partition], read, self._reader)
            self.reaches[partition].append(self._marks[partition].inputs)
            for output in batch.outputs:
                if output.topic == INBOX.name:
                    assert output.partition is not None, output
                    self.senders[output.partition].append(sender)
            self.sinks[partition].take(batch.outputs)

    def observe(self, step: Committed) -> None:
        """Hears of each step, as the metrics do."""
        self.seen[step.partition] = step

    def do(self, op: Op) -> None:
        """One operation of a script."""
        match op:
            case Send(partition, time_ms, value, input):
                topic = INPUTS[input]
                self.log._stored[partition].append(topic, time_ms, None, value, ())
            case Turn():
                self.turn(op)
            case Kill(worker):
                for hand in self.workers[worker].hands.values():
                    self.met["killed in mid-batch"] += hand.doing is not None
                    drop(hand)
                self.workers[worker].hands.clear()
            case Move(partition, worker, told):
                old, self.owner[partition] = self.owner[partition], worker
                held = self.workers[old].hands.get(partition)
                if old != worker and held is not None and held.doing is not None:
                    self.met["moved in mid-batch, told" if told else "moved in mid-batch, not told"] += 1
                if told and held is not None:
                    drop(self.workers[old].hands.pop(partition))
                    if held.agent is not None:
                        settle(held.agent.close())
            case Deploy(worker, rules):
                self.do(Kill(worker))
                self.workers[worker].rules = rules
            case Impostor(partition):
                self.impostor(partition)
            case Command():
                self.redrive(op)

    def redrive(self, op: Command) -> None:
        """A command sends dead letters. What it had sent when it was killed stays sent."""
        before = self._inbox_records()
        self.crash = (op.crash, op.nth) if op.crash else None
        try:
            self.commands.send(op)
        except Crash:
            self.met["a redriving command was killed"] += 1
        finally:
            self.crash = None
            self.met[f"redriven: {op.letter}"] += self._inbox_records() - before
            for senders, stored in zip(self.senders, self.log._stored, strict=True):
                senders += [COMMAND] * (len(stored.appended[INBOX.name]) - len(senders))

    def _inbox_records(self) -> int:
        return sum(len(stored.appended[INBOX.name]) for stored in self.log._stored)

    def turn(self, op: Turn) -> None:
        worker = self.workers[op.worker]
        if op.partition not in worker.hands:
            if self.owner[op.partition] != op.worker:
                return
            worker.hands[op.partition] = Hand()
        self.crash = (op.crash, op.nth) if op.crash else None
        self.hidden, self.first = op.hidden, op.first
        try:
            self.go_on(worker, op)
        except (Crash, Fenced) as end:
            self.met["fenced"] += isinstance(end, Fenced)
            drop(worker.hands.pop(op.partition))
        finally:
            self.crash, self.hidden, self.first = None, (), 0

    def go_on(self, worker: Worker, op: Turn, watermark_ms: int | None = None) -> None:
        hand = worker.hands[op.partition]
        for _ in range(op.effects):
            if hand.doing is None:
                if hand.agent is None:
                    hand.doing = PartitionAgent.open(
                        Log(self, worker.rules),
                        op.partition,
                        self.world.settings,
                        RULES[worker.rules],
                        observers=(self.observe,),
                        clock=self.clock,
                    )
                else:
                    hand.agent.batch = op.batch
                    if op.clock is not None:
                        self.clocks[op.partition] = max(self.clocks[op.partition], op.clock)
                    self.clock.steps += 1
                    hand.doing = hand.agent.step(op.clock, watermark_ms)
            try:
                hand.doing.send(None)
            except StopIteration as done:
                hand.doing = None
                if isinstance(done.value, PartitionAgent):
                    hand.agent = done.value
                else:
                    hand.step = done.value

    def impostor(self, partition: int) -> None:
        """Nobody may fold on under other settings."""
        stored = self.log._stored[partition].checkpoint
        others = self.world.settings.model_copy(
            update={"allowed_lateness": self.world.allowed_lateness + DAY}
        )
        try:
            settle(PartitionAgent.open(self.log, partition, others, RULES[0]))
        except Incompatible:
            self.met["impostor refused"] += 1
            return
        if stored is not None:
            self.accepted.append(f"partition {partition} was opened under other fold settings")

    def look_back(self) -> None:
        """Notes what the outputs tell of this life."""
        for stored in self.log._stored:
            for record in stored.appended[TRANSITIONS.name]:
                t = msgspec.json.decode(record.value or b"{}")
                self.met[f"{t['op']} {t['kind']}"] += 1
            for record in stored.appended[CUES.name]:
                said = msgspec.json.decode(record.value or b"{}")
                self.met[f"{said['op']} cue in {said['moment']}"] += 1
            for topic in (LATE.name, REJECTED.name):
                self.met.update(
                    f"{topic}: {dict(record.headers)['reason'].decode()}" for record in stored.appended[topic]
                )
            self.met.update(
                "final " + msgspec.json.decode(record.value or b"{}")["record"]
                for record in stored.appended[JOURNEYS.name]
            )
            if stored.checkpoint is not None:
                c = decode_checkpoint(stored.checkpoint)
                self.met["rules changed half way"] += len(c.eras) > 1
                self.met.update({f"moves: {what}": count for what, count in c.counts.moves.items()})
                self.met["timers ahead of the mark"] += c.timers_fired_ms > c.watermark_ms
                for name in (
                    "applied",
                    "refused",
                    "robot",
                    "no_signal",
                    "duplicate",
                    "narrowed",
                    "forwarded",
                ):
                    self.met[name] += getattr(c.counts, name)

    def zombies(self) -> None:
        """Whoever is in the middle of something, and does not own its
        partition any more, goes on to the end of it.
        """
        for number, worker in enumerate(self.workers):
            for partition in [p for p in worker.hands if self.owner[p] != number]:
                for _ in range(2 * len(self.owner)):
                    self.turn(Turn(number, partition, 20, 50))
                    if partition not in worker.hands:
                        break
                if partition in worker.hands:
                    drop(worker.hands.pop(partition))

    def interrupt(self, partition: int, watermark_ms: int) -> None:
        """The owner takes one step towards this watermark, and dies: what it left is for the next one."""
        number = self.owner[partition]
        worker = self.workers[number]
        hand = worker.hands[partition]
        hand.step = None
        try:
            while hand.step is None:
                self.go_on(worker, Turn(number, partition, 1, 50), watermark_ms)
            self.met["interrupted with work left"] += hand.step.more
        except Fenced:
            pass
        drop(worker.hands.pop(partition))

    def drain(self, watermark_ms: int | None = None) -> str | None:
        """Nothing goes wrong any more: the owners process all there is. Says what kept them from that."""
        quiet = 0
        for _ in range(MAX_TURNS):
            done = [self._step(partition, watermark_ms) for partition in range(self.world.partitions)]
            quiet = quiet + 1 if all(done) else 0
            if quiet > (QUIET_ROUNDS if self.world.messages else 0):
                return None
        return f"the partitions were not done after {MAX_TURNS} steps each"

    def _step(self, partition: int, watermark_ms: int | None) -> bool:
        """Makes one step of a partition. True: it had nothing to do."""
        number = self.owner[partition]
        worker = self.workers[number]
        while True:
            hand = worker.hands.setdefault(partition, Hand())
            try:
                while hand.doing is not None or hand.agent is None:
                    self.go_on(worker, Turn(number, partition, 1, 50))
                hand.step = None  # a step that was begun earlier may have read before the last records came
                while hand.step is None:
                    self.go_on(worker, Turn(number, partition, 1, 50), watermark_ms)
            except Fenced:
                drop(worker.hands.pop(partition))
                continue
            return not (hand.step.records or hand.step.more or hand.step.written)


def drop(hand: Hand) -> None:
    """Whatever it was doing ends where it is."""
    if hand.doing is not None:
        hand.doing.close()
        hand.doing = None


def settle(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine to its end."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        return done.value
