"""Runs the quarter through all partitions at once, each at a pace of its own. Counts what they publish."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import msgspec

from benchmarks.cluster import Cluster
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import Rules
from streams.core.processing.parameters import IdentityParameters
from streams.records import Batch
from streams.sources.generator import MadeRecord, Shop
from tests.oracle import DAY
from tests.quarter.history import OFF, ON, History
from tests.simulation.laws import expired
from tests.simulation.wire import cell_of

START_MS = 1_735_689_600_000  # 2025-01-01
DAYS = 90
EVENTS_EACH = 50  # of a person, on average
# What is very late in the made-up shop is 5 days old, everything else two minutes at most.
LATE_MS = 4 * DAY
# So far apart partitions may be that a very late event is late everywhere, whoever reads it first.
SURELY_LATE_DAYS = 1
BATCHES = 2  # of a partition in such a time, on average
REPORTS_SHARE = 0.3  # of the batches


class Plan(NamedTuple):
    """What to run."""

    events: int
    partitions: int = 8
    seed: int = 1
    identity: bool = True
    ahead_days: int = 1  # of the input: a partition is ahead of another one by so much at most

    def records(self) -> Iterator[tuple[int, MadeRecord]]:
        """All records, each with the time (ms) at which it was sent. The same for the same plan.

        Where partitions are far apart it depends on arrival what is late, so nothing very late is among them.
        """
        shop = Shop(self.seed, self.events / (DAYS * DAY / 1000), max(self.events // EVENTS_EACH, 1))
        for n in range(self.events):
            now_ms = START_MS + n * DAYS * DAY // self.events
            record = shop.next(now_ms)
            at_ms = _at_ms(record)
            # What is dated before the quarter would be in time for some partitions and not for others.
            if at_ms >= START_MS and (self.ahead_days <= SURELY_LATE_DAYS or now_ms - at_ms < LATE_MS):
                yield now_ms, record


class _Stamped(msgspec.Struct):
    timestamp: datetime


_decode_stamped = msgspec.json.Decoder(_Stamped).decode


def _at_ms(record: MadeRecord) -> int:
    """The time of an event; START_MS of what cannot be read."""
    return round(_decode_stamped(record.value).timestamp.timestamp() * 1000) if record.key else START_MS


class Published(NamedTuple):
    """What was published of a plan."""

    counters: Counter[Any]  # the last value of each cell, over the partitions
    counts: Counter[str]  # how items ended
    moves: Counter[str]  # what became of links and moves
    timers: tuple[int, ...]  # by partition
    settled_ms: int
    spent_s: float  # processor time of the computation


def publish(plan: Plan, rules: Rules) -> Published:
    """Reads all of it, each partition now faster and now slower than the others."""
    last: dict[tuple[int, bytes], bytes] = {}  # of each counter, by partition and key

    def keep(number: int, batch: Batch) -> None:
        for output in batch.outputs:
            if output.topic == "tallies" and output.key is not None:
                if output.value is None:
                    last.pop((number, output.key), None)
                else:
                    last[number, output.key] = output.value

    identity = IdentityParameters(Spans(), CollectiveUsers()) if plan.identity else None
    cluster = Cluster(plan.partitions, rules, identity, keep)
    pace, records = Random(plan.seed), iter(plan.records())
    most = max(plan.events * plan.ahead_days // DAYS, plan.partitions)
    while some := list(islice(records, most)):
        for _, record in some:
            cluster.add(record.key, record.value)
        _run_apart(cluster, pace, most)
    cluster.drain(most)
    counters: Counter[Any] = Counter()
    for value in last.values():
        cell, count = cell_of(msgspec.json.decode(value))
        counters[cell] += count
    processors = [member.processor for member in cluster.members]
    settled_ms = max(p.population.settled_mark_ms for p in processors)
    counts, moves = Counter[str](), Counter[str]()
    for p in processors:
        c = p.checkpoint.counts
        counts.update({name: getattr(c, name) for name in ENDINGS})
        moves.update(c.moves)
    timers = tuple(p.population.timers_fired_ms for p in processors)
    return Published(counters, counts, moves, timers, settled_ms, cluster.spent_s)


ENDINGS = ("received", "applied", "duplicate", "late", "rejected", "no_signal")


def _run_apart(cluster: Cluster, pace: Random, most: int) -> None:
    """All partitions read what there is, in batches of any size. Some are done while others begin."""
    numbers = range(len(cluster.members))
    for number in pace.choices(numbers, k=BATCHES * len(numbers)):
        cluster.step(number, pace.randrange(most // len(numbers)) + 1, reports=pace.random() < REPORTS_SHARE)
    for number in numbers:
        cluster.step(number, most, reports=True)


def differences(plan: Plan, rules: Rules, published: Published) -> list[str]:
    """What the oracle counts otherwise, each as a line. Empty: all is equal."""
    members = Cluster(1, rules, None).members
    processor = members[0].processor
    history = History(processor.readers.of("events:0"), rules, processor.parameters.dimensions)
    for now_ms, record in plan.records():
        history.take(record.value, now_ms - LATE_MS)

    def timer(profile: str) -> int:
        return published.timers[partition_of(profile[2:].encode(), plan.partitions)]

    true = history.counters(ON if plan.identity else OFF, timer, published.settled_ms)
    found = [
        f"{cell}: {published.counters[cell]} published, {true[cell]} by the oracle"
        for cell in {*published.counters, *true}
        if published.counters[cell] != true[cell] and not expired(cell, published.settled_ms)
    ]
    return found
