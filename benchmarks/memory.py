"""Bytes of memory per profile, and how quickly profiles come back: people with
exactly 20 signals each, within the horizon.

Counted by tracemalloc: everything that is there because of them (journal, states, key,
dictionary entry, timer, chore), not the interpreter's own. As they come back from the state
topic, and as they are after events made them.
"""

import gc
import tracemalloc
from collections.abc import Callable
from time import process_time

import msgspec

from benchmarks.generate import events
from benchmarks.stages import SOURCE, processor, quiet_collector
from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.population import Population
from streams.core.journeys.signal import SIZE
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.processing.processor import Processor
from streams.core.processing.state_keys import PROFILE, restored
from streams.records import Fetched, Record, StateRecord

SIGNALS = 20
HOURS = 40.0  # within the horizon: nothing is folded away
SPARE = 3  # times the events needed on average: most people have had theirs by then
BATCH = 5_000
RUNS = 3


class Footprint(msgspec.Struct):
    """What a profile of SIGNALS signals takes, on average."""

    profiles: int
    live_bytes: float  # as events made it
    restored_bytes: float  # as it comes back from the state topic
    restore_us: float  # processor time


def footprint(people: int, rules: Rules) -> Footprint:
    """Measures some of `people` profiles: those who have had their 20 signals."""
    records = exactly(people, rules)
    first, state = processor(rules), dict[bytes, bytes]()
    # Once without counting: what the program remembers of texts and times is there then.
    fill(first, records, state)

    def live() -> Population:
        p = processor(rules)
        fill(p, records, {})
        return p.population

    empty = processor(rules)  # the rules are compiled: that is not a profile's time

    def loaded() -> Population:
        p = Population(empty.parameters.patience, FinalityDelay(empty.parameters.allowed_lateness_ms))
        last = first.checkpoint
        parts = restored(StateRecord(key, value) for key, value in state.items()).profiles
        p.restore(parts, last.watermark_ms, last.timers_fired_ms)
        return p

    seconds = []
    for _ in range(RUNS):
        with quiet_collector(None):
            gc.disable()  # as the agent does
            began = process_time()
            loaded()
            seconds.append(process_time() - began)
            gc.enable()
    count = len(first.population.profiles)
    assert all(len(p.journal) == SIGNALS * SIZE for p in first.population.profiles)
    live_bytes, restored_bytes = memory_of(live) / count, memory_of(loaded) / count
    return Footprint(count, live_bytes, restored_bytes, min(seconds) / count * 1e6)


def exactly(people: int, rules: Rules) -> list[Record]:
    """A stream in which everybody gives SIGNALS signals and no event twice."""
    read = RecordReader(door_of(0), "").read
    classify, seen = Classifier(rules).classify, set[str]()
    signals: dict[str, list[Record]] = {}
    for record in events(people * SIGNALS * SPARE, people, HOURS):
        event = read(record.value, (), -1, LATEST_MS)
        if isinstance(event, Event) and event.id not in seen and classify(event) is not None:
            seen.add(event.id)
            signals.setdefault(event.profile, []).append(record)
    chosen = [record for own in signals.values() if len(own) >= SIGNALS for record in own[:SIGNALS]]
    return sorted(chosen, key=lambda record: record.offset)


def fill(p: Processor, records: list[Record], state: dict[bytes, bytes]) -> None:
    """Runs the records through, in batches; keeps the state records of the profiles."""
    for at in range(0, len(records), BATCH):
        p.take(Fetched.of(SOURCE, records[at : at + BATCH]))
        p.advance()
        state |= {r.key: r.value for r in p.batch().state if r.value is not None and r.key[:1] == PROFILE}


def memory_of(make: Callable[[], object]) -> int:
    """Bytes allocated for what `make` returns and still there when all else of it is gone."""
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size
