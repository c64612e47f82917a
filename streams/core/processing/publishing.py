"""Turns what has come about in profiles into records of transitions and cues, and counts it."""

from functools import partial
from typing import Protocol

from streams.core.funnels.cells import count_transition
from streams.core.funnels.under_way import UnderWay, count_move
from streams.core.funnels.windows import Windows
from streams.core.journeys.held import place_of_step
from streams.core.journeys.journey_step import CUE, UNMATCHED, JourneyStep
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.journeys.profile_changes import seen_by_consumers
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.cues import CueChange, publish_cues
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.places import source_of_place
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import person_key
from streams.core.processing.source_headers import (
    NO_HEADERS,
    SourcePlace,
    place_headers,
    source_headers,
    source_place,
)
from streams.records import Headers, Output
from streams.topology import TRANSITIONS

_TRANSITIONS = TRANSITIONS.name  # looked up thousands of times in a batch


class PublishingPartition(Protocol):
    """What it takes of a partition to publish what has come about. A Processor has it."""

    checkpoint: Checkpoint
    population: Population
    windows: Windows
    under_way: UnderWay
    publisher: Publisher
    open: OpenBatch


def publish_changes(partition: PublishingPartition, place: SourcePlace | None) -> None:
    """Publishes and counts the changes since the last call.

    `place`: the source of the events that have brought them about; None: no event has.
    """
    delta, rev, write = partition.windows.delta, partition.checkpoint.rev, partition.publisher.transition
    moves = partition.under_way.delta
    outputs, moved, cues = partition.open.transitions, partition.open.moved, list[CueChange]()
    changes, partition.population.changes = partition.population.changes, []
    for change in changes:
        changed = seen_by_consumers(change) if change.retracted else change
        p = changed.profile
        key, other = person_key(p.key), changed.moved_from
        transition = write if other is None else partial(write, moved_from=other)
        caused_by, item = changed.caused_by, changed.source
        headers = NO_HEADERS if item is None or place is None else source_headers(place, item)
        for t in changed.retracted:
            if t.kind == CUE:
                cues.append(CueChange(p, key, "retract", t, NO_HEADERS, other))
                continue
            partition.open.retracted += 1
            moved[p.key] = p, key  # a cue moves nobody
            count_transition(t, -1, delta)
            count_move(t, -1, moves)
            if t.kind not in UNMATCHED:
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "retract", rev, t)))
        for t in changed.asserted:
            is_at_hand = bool(headers) and t.caused_by == caused_by and t.rule >= 0
            where = headers if is_at_hand else _headers_of(p, t, partition.checkpoint.read_from)
            if t.kind == CUE:
                cues.append(CueChange(p, key, "assert", t, where, other))
                continue
            moved[p.key] = p, key
            count_transition(t, 1, delta)
            count_move(t, 1, moves)
            if t.kind not in UNMATCHED:  # what found no purchase is counted, not published
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "assert", rev, t), where))
    partition.checkpoint.rev = rev
    if cues:
        outputs += publish_cues(cues, partition.publisher, partition.checkpoint, delta)


def _headers_of(p: Profile, t: JourneyStep, sources: list[str]) -> Headers:
    """Where the event of a step was read that is not at hand any more: the journal says it."""
    read_at = source_of_place(sources, place_of_step(p.journal, t))
    return NO_HEADERS if read_at is None else place_headers(source_place(read_at[0]), read_at[1])
