"""Identity over several partitions: the law with all messages between them, delayed and interleaved as chance
will, and with restarts.
"""

import os
import random
from collections import deque
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import Transition
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.ingest.door import door_of
from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.inbox import GiveMessage, TakeMessage, decode_message
from streams.core.processing.json_text import rfc3339
from streams.core.processing.parameters import IdentityParameters, Parameters
from streams.core.processing.processor import Processor
from streams.core.processing.watermark import IDLE_READS
from streams.records import Batch, Fetched, Output, Record, StateRecord
from tests import identity_oracle, oracle
from tests.core.processing.feeding import HOUR, MINUTE, PLAN, START, event, rules

EXAMPLES = int(os.environ.get("EXAMPLES", "400")) // 4
LAW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
OF = identity_oracle.Settings(forward=30 * HOUR, back=12 * HOUR, shared_above=2)
IDENTITY = IdentityParameters(Spans(OF.forward, OF.back, OF.shared_above), CollectiveUsers(["till"]))
ON = msgspec.structs.replace(PLAN, identity=IDENTITY)
# Half of the lateness: who is idle and then has a day to catch up would find it late.
FARTHEST = 24 * HOUR
NAMES = {"Looked": oracle.KNOW, "Bought": oracle.TRUTH, "Sent Back": oracle.REFUND, "Signed In": None}


class Partition:
    """One partition with its input, its inbox, and what it has committed."""

    def __init__(self, cluster: "Cluster", number: int) -> None:
        self.cluster, self.number = cluster, number
        self.input: list[Record] = []
        self.inbox: list[Record] = []
        self.read = {"events": 0, "inbox": 0}
        self.state: dict[bytes, bytes] = {}
        self.stored: bytes | None = None
        self.outputs: list[Output] = []
        self.processor = self.open()

    def open(self) -> Processor:
        """Begins from what was committed."""
        partitions, plan = self.cluster.partitions, self.cluster.plan
        processor = Processor(
            self.number, plan, b"fold", rules(), door_of(10 * MINUTE, orders=plan.orders), partitions
        )
        processor.restore(
            None if self.stored is None else decode_checkpoint(self.stored),
            [StateRecord(key, value) for key, value in self.state.items()],
        )
        self.sources = {name: f"{name}:{self.number}" for name in self.read}
        processor.tracker.read_from(list(self.sources.values()))
        return processor

    def step(self, events: int, messages: int, commit: bool = True) -> Batch:
        """One batch of so many records, which it returns. Without a commit all of it is lost."""
        chunks, ended = [], []
        for name, source, count in (("events", self.input, events), ("inbox", self.inbox, messages)):
            begin = self.read[name]
            found = source[begin : begin + count]
            if found:
                chunks.append((self.sources[name], found))
            if begin + len(found) == len(source):
                ended.append(self.sources[name])
        processor = self.processor
        processor.take(Fetched(chunks, frozenset(ended)))
        while not processor.advance():
            pass
        processor.tracker.request_report()
        batch = processor.batch()
        if not commit:
            self.processor = self.open()
            return batch
        for name in self.read:
            self.read[name] = processor.tracker.sources[self.sources[name]].offset
        for record in batch.state:
            if record.value is None:
                self.state.pop(record.key, None)
            else:
                self.state[record.key] = record.value
        self.stored = batch.checkpoint
        self.outputs += batch.outputs
        for output in batch.outputs:
            if output.topic == "inbox":
                assert output.partition is not None
                self.cluster.parts[output.partition].hear(output)
        return batch

    def hear(self, output: Output) -> None:
        """A record for the inbox."""
        self.inbox.append(Record(len(self.inbox), -1, output.key, output.value))


class Cluster:
    """Some partitions of one app."""

    def __init__(self, partitions: int, plan: Parameters = ON) -> None:
        self.partitions, self.plan = partitions, plan
        self.parts = [Partition(self, n) for n in range(partitions)]

    def add(self, value: bytes, partition: int) -> None:
        """Appends an event to an input, whoever it is about."""
        part = self.parts[partition]
        part.input.append(Record(len(part.input), -1, None, value))

    def drain(self) -> None:
        """Until nothing is left to read, and nobody has anything to say."""
        quiet = 0
        for _ in range(100):
            before = [len(part.inbox) for part in self.parts]
            for part in self.parts:
                part.step(10**6, 10**6)
            quiet = quiet + 1 if before == [len(part.inbox) for part in self.parts] else 0
            if quiet > IDLE_READS:
                return
        raise AssertionError("the partitions do not come to rest")

    def of(self, topic: str) -> list[dict[str, Any]]:
        """The records of a topic, of all partitions."""
        values = [output.value for part in self.parts for output in part.outputs if output.topic == topic]
        return [msgspec.json.decode(value) for value in values if value is not None]

    def stitched_counts(self) -> list[int]:
        """The counters over all time of stitched purchases, as they were published last."""
        last = {(t["partition"], t["cell"]): t for t in self.of("tallies")}
        return [t["count"] for t in last.values() if (t["measure"], t["window"]) == ("stitched", "all")]

    def standing(self) -> dict[tuple[str, str], set[tuple[Any, ...]]]:
        """The steps that stand, by profile. Asserts minus retracts are 0 or 1 after each record."""
        held: dict[str, Transition] = {}
        for part in self.parts:
            for output in part.outputs:
                if output.topic != "transitions":
                    continue
                assert partition_of(output.key or b"", self.partitions) == part.number
                t = msgspec.json.decode(output.value or b"", type=Transition)
                t = msgspec.structs.replace(t, rev=0, moved_from=msgspec.UNSET)
                if t.op == "assert":
                    assert t.id not in held
                    held[t.id] = t
                else:
                    assert held.pop(t.id) == msgspec.structs.replace(t, op="assert")
        found: dict[tuple[str, str], set[tuple[Any, ...]]] = {}
        for t in held.values():
            device = None if t.device is msgspec.UNSET else t.device
            key = t.tenant or "", t.profile
            stitched = t.stitched is True
            row = t.kind, t.at, t.event, device, t.from_, t.to, t.opened_at, stitched
            found.setdefault(key, set()).add(row)
        return found


MOMENT_NAMES = ("know", "go", "do", "buy", "truth")


def told(
    events: list[identity_oracle.Event], timer: int, of: identity_oracle.Settings = OF
) -> dict[tuple[str, str], set[tuple[Any, ...]]]:
    """The steps of each profile by the oracle, with events as they were sent, and what gave them."""
    names = {
        identity_oracle.given_name(e.device, e.id): (e.id, e.device) for e in events if e.device is not None
    }
    found: dict[tuple[str, str], set[tuple[Any, ...]]] = {}
    for profile, signals in identity_oracle.profiles(events, of).items():
        for s in oracle.transitions(signals, timer):
            event, device = (None, None) if s.rule is None else names.get(s.event, (s.event, None))
            from_, to = (None if m is None else MOMENT_NAMES[m] for m in (s.from_, s.to))
            row = (s.kind, rfc3339(s.at), event, device, from_, to, rfc3339(s.opened_at), s.stitched)
            found.setdefault(profile, set()).add(row)
    return found


def event_of(
    at: int, id: str, name: str, user: str | None, device: str | None
) -> tuple[bytes, identity_oracle.Event]:
    """An event as a record and as the oracle sees it. `at`: milliseconds after START."""
    who = {"userId": user} if user else {}
    who |= {"anonymousId": device} if device else {}
    raw = msgspec.json.decode(event(at, id, name))
    del raw["userId"]
    mark, signal = NAMES[name], None
    if mark is not None:
        signal = oracle.Signal(START + at, id, mark, True, 0, 0, 0, ("",), None)
    of = identity_oracle.Event(START + at, id, user, device, signal, links=user != "till")
    return msgspec.json.encode(raw | who), of


@st.composite
def days(draw: st.DrawFn) -> list[tuple[bytes, identity_oracle.Event]]:
    """Events of three users and a till on two devices, in order but for some minutes, as records and as the
    oracle sees them.
    """
    found, now = [], HOUR
    for n in range(draw(st.integers(4, 24))):
        now += draw(st.sampled_from((0, MINUTE, 20 * MINUTE, HOUR, 5 * HOUR, 13 * HOUR)))
        at = max(0, now - draw(st.sampled_from((0, 0, 5 * MINUTE, HOUR))))
        name = draw(st.sampled_from(tuple(NAMES)))
        user, device = draw(
            st.sampled_from(
                [(None, "phone")] * 6
                + [("ann", "phone")] * 3
                + [("ben", "phone")] * 2
                + [("zoe", "phone"), ("till", "phone"), ("ann", None), (None, "desk"), ("ann", "desk")]
            )
        )
        found.append(event_of(at, f"e{n}", name, user, device))
    return found


@LAW
@given(days(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_partitions_tell_what_the_oracle_tells(
    day: list[tuple[bytes, identity_oracle.Event]], partitions: int, rnd: random.Random
) -> None:
    """However the events are spread, however far partitions run ahead of each other and whichever batches are
    lost: everybody has the steps that the oracle says, and no take finds nothing.
    """
    cluster = Cluster(partitions)
    left = deque(day)
    read_up_to = 0  # every partition has read what is older
    while left:
        for _ in range(rnd.randrange(1, 4)):
            if left:
                value, of = left.popleft()
                if of.at > read_up_to + FARTHEST:
                    cluster.drain()
                    read_up_to = of.at
                cluster.add(value, rnd.randrange(partitions))
        part = rnd.choice(cluster.parts)
        part.step(rnd.randrange(4), rnd.randrange(6), commit=rnd.random() < 0.8)
    cluster.drain()
    late = [output for part in cluster.parts for output in part.outputs if output.topic == "late"]
    assert not late, "within the lateness nothing is late"
    counts = [part.processor.checkpoint.counts.moves for part in cluster.parts]
    assert not any(of.keys() & {"inconsistent", "kept", "over_cap", "late_links"} for of in counts)
    marks = {part.processor.population.settled_mark_ms for part in cluster.parts}
    assert marks == {max(e.at for _, e in day)}, "all that was read is settled everywhere"
    # Partitions fire their timers up to where they have come: the least of them is certain for all.
    timers = {part.number: part.processor.population.timers_fired_ms for part in cluster.parts}
    standing = cluster.standing()
    for profile, name in {*standing, *told([e for _, e in day], START)}:
        owner = partition_of(name[2:].encode(), partitions)
        expected = told([e for _, e in day], timers[owner]).get((profile, name), set())
        assert expected == standing.get((profile, name), set())
    stitched = sum(row[-1] for rows in standing.values() for row in rows)
    figures = [part.processor.windows.figures.figures() for part in cluster.parts]
    assert stitched == sum(of.stitched for of in figures) == sum(cluster.stitched_counts())
    ended = {
        (tenant, name, rfc3339(j.opened_at), rfc3339(j.closed_at))
        for (tenant, name), signals in identity_oracle.profiles([e for _, e in day], OF).items()
        for j in oracle.journeys(signals, timers[partition_of(name[2:].encode(), partitions)])
        if j.closed_at is not None
    }
    for record in cluster.of("journeys"):
        if "closed_at" in record:
            final = record["tenant"] or "", record["profile"], record["opened_at"], record["closed_at"]
            assert final in ended, "what is final still holds"


def test_messages_are_as_few_as_they_can_be() -> None:
    """A visit of ten events of one user in a quarter of an hour tells the device's partition until that says
    that it waits; a link that moves five events is one message.
    """
    cluster = Cluster(4)
    device = partition_of(b"phone", 4)
    user = next(f"u{n}" for n in range(99) if partition_of(f"u{n}".encode(), 4) != device)
    other = next(n for n in range(4) if n != device)
    for n in range(5):
        raw = msgspec.json.decode(event(n * MINUTE, f"g{n}")) | {"anonymousId": "phone"}
        del raw["userId"]
        cluster.add(msgspec.json.encode(raw), device)
    cluster.drain()
    for n in range(10):
        raw = msgspec.json.decode(event(HOUR + n * MINUTE, f"s{n}", user=user)) | {"anonymousId": "phone"}
        cluster.add(msgspec.json.encode(raw), other)
        for part in cluster.parts:
            part.step(1, 9)
    cluster.drain()
    links = [m for m in map(decode_message, [r.value for r in cluster.parts[device].inbox]) if m is not None]
    kinds = [type(m).__name__ for m in links]
    assert kinds.count("LinkMessage") <= 3
    owner = partition_of(user.encode(), 4)
    sent = [decode_message(record.value) for record in cluster.parts[owner].inbox]
    (give,) = [m for m in sent if isinstance(m, GiveMessage)]
    assert 5 == len(give.signals)
    assert not [m for m in sent if isinstance(m, TakeMessage)]
