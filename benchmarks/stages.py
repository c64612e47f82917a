"""Microseconds per event in the pure step, from bytes to the records and state to
commit: in one piece, and stage by stage.

In one piece: `take`, `advance`, `batch`, as the agent calls them. By stage: the same run, and beside it each
stage once more alone over the batch; what is left of the three calls is the stages that can't run twice.
Caches are warm then, so the sum of the stages is a little off.

Processor time, not wall time: what else the machine does counts less. The least of several runs.
"""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import process_time

import msgspec

from streams.core.funnels.cells import count_transition
from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.journey_step import REFUND_UNMATCHED
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import Rules
from streams.core.processing.processor import Processor
from streams.core.processing.source_headers import SourcePlace
from streams.records import Batch, Fetched, Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.tables import Settings

SOURCE = "events:0"


class Written(msgspec.Struct):
    """What a run wrote, in all."""

    topics: Counter[str]  # records by topic
    topic_bytes: Counter[str]
    state: Counter[str]  # bytes of keys and values, of profiles and of cells
    state_records: Counter[str]

    @classmethod
    def none(cls) -> "Written":
        """Nothing yet."""
        return cls(Counter(), Counter(), Counter(), Counter())


@contextmanager
def quiet_collector(threshold: int | None) -> Iterator[None]:
    """Python's garbage collector as a long-lived worker wants it: what is there is set aside,
    and new objects are looked at less often.

    None: as Python has it.
    """
    before = gc.get_threshold()
    gc.collect()
    if threshold is not None:
        gc.freeze()
        gc.set_threshold(threshold, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        gc.collect()


def processor(rules: Rules, kind: type[Processor] = Processor) -> Processor:
    """A new, empty one, with the settings nobody has changed."""
    settings = Settings()
    made = kind(0, parameters_of(settings.fold), settings.fold.record(), rules, door_of_settings(settings))
    made.restore(None, ())
    made.tracker.read_from([SOURCE])
    return made


class Held(Processor):
    """Keeps to itself what has changed until it is looked at stage by stage."""

    def publish(self, place: SourcePlace | None = None) -> None:
        """Not yet."""


def fused(records: list[Record], rules: Rules, batch: int) -> tuple[float, Processor]:
    """us per event of the whole step; and the pipeline as it ends."""
    p, spent = processor(rules), 0.0
    for at in range(0, len(records), batch):
        part = records[at : at + batch]
        began = process_time()
        p.take(Fetched.of(SOURCE, part))
        p.advance()
        p.batch()
        spent += process_time() - began
    return spent / len(records) * 1e6, p


def staged(records: list[Record], rules: Rules, batch: int) -> tuple[dict[str, float], Written]:
    """us per event by stage; and what was written."""
    p = processor(rules, Held)
    spent: defaultdict[str, float] = defaultdict(float)
    written = Written.none()
    read = RecordReader(door_of(0), SOURCE).read
    classify, codes, write = Classifier(rules).classify, p.parameters.dimensions.code, p.publisher.transition
    for at in range(0, len(records), batch):
        part = records[at : at + batch]
        times = [process_time()]
        events = [
            event for r in part if isinstance(event := read(r.value, r.headers, r.time_ms, LATEST_MS), Event)
        ]
        times.append(process_time())
        verdicts = [classify(event) for event in events]
        times.append(process_time())
        known = [codes(event) for event, verdict in zip(events, verdicts, strict=True) if verdict is not None]
        times.append(process_time())
        p.take(Fetched.of(SOURCE, part))
        times.append(process_time())
        p.advance()
        times.append(process_time())
        delta: dict[int, int] = {}
        for changed in p.population.changes:
            for t in changed.retracted:
                count_transition(t, -1, delta)
            for t in changed.asserted:
                count_transition(t, 1, delta)
        times.append(process_time())
        for changed in p.population.changes:
            for t in (*changed.retracted, *changed.asserted):
                if t.kind != REFUND_UNMATCHED:
                    write(changed.profile, "assert", 1, t)
        times.append(process_time())
        Processor.publish(p)
        made = p.batch()
        times.append(process_time())
        decoding, classifying, reading, taking, timers, tally, transitions, rest = (
            b - a for a, b in pairwise(times)
        )
        spent["decode"] += decoding
        spent["classify"] += classifying
        spent["dimensions"] += reading
        spent["fold"] += taking - decoding - classifying - reading
        spent["timers"] += timers
        spent["tally"] += tally
        spent["encode transitions"] += transitions
        spent["encode the rest"] += rest - tally - transitions
        add(written, made)
        assert len(known) <= len(part)
    return {stage: s / len(records) * 1e6 for stage, s in spent.items()}, written


def add(written: Written, batch: Batch) -> None:
    """Adds up what a batch writes."""
    for output in batch.outputs:
        written.topics[output.topic] += 1
        written.topic_bytes[output.topic] += len(output.key or b"") + len(output.value or b"")
    for record in batch.state:
        part = {b"p": "profiles", b"c": "cells"}.get(record.key[:1], "rules")
        written.state[part] += len(record.key) + len(record.value or b"")
        written.state_records[part] += 1
