"""Dead letters and counts of what moves between devices and users: what came too late, found no room, or was
not where it should be.
"""

from collections.abc import Mapping
from typing import Protocol

from streams.core.journeys.journal import time_at
from streams.core.journeys.moving import Moved
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.population import Population
from streams.core.journeys.signal import REF_AT, TIME, Signal
from streams.core.processing.canonical import DeviceEvent, canonical_json
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.dead_letters import INCONSISTENT, LATE_OVER_CAP, LATE_SETTLED, canonical_late
from streams.core.processing.open_batch import OpenBatch
from streams.core.processing.parameters import Parameters
from streams.core.processing.rulebook import Rulebook
from streams.records import Headers

# What becomes of events that devices give to users. given: they came to a user; taken: they were taken back;
# returned: they came back to their device; narrowed: given, but not in all of their needs; kept: to be taken
# back, but folded early or final; over_cap: given, and there was no room; settled: given, and before what is
# final; inconsistent: not where they were given to.
MOVED_ENDINGS = ("given", "taken", "returned", "narrowed", "kept", LATE_OVER_CAP, LATE_SETTLED, INCONSISTENT)
# Why an event that carries a user and a device makes no link.
UNLINKED_REASONS = ("collective", "ignored")
LATE_LINK_WORD = "late_links"


class LetterWriter(Protocol):
    """What it takes of a partition to write dead letters of moves. A Processor has it."""

    checkpoint: Checkpoint
    parameters: Parameters
    population: Population
    rulebook: Rulebook
    open: OpenBatch


def write_letters(
    partition: LetterWriter, moved: Moved, key: str, events: Mapping[bytes, DeviceEvent]
) -> None:
    """Writes the dead letters of a move into the profile with this key, and counts them.

    `events`: those of the move, by their names in that profile; those of the device's own have none.
    """
    count_moved(partition, "over_cap", len(moved.over_cap))
    count_moved(partition, "settled", len(moved.settled))
    count_moved(partition, "narrowed", len(moved.left_out))
    count_moved(partition, "inconsistent", len(moved.inconsistent))
    for signal in moved.over_cap:
        write_letter(partition, events.get(signal.ref) or _own_event(key, signal), key, LATE_OVER_CAP)
    for signal in moved.settled:
        write_letter(partition, events.get(signal.ref) or _own_event(key, signal), key, LATE_SETTLED)
    for signal, left_out in moved.left_out:
        write_letter(partition, events.get(signal.ref) or _own_event(key, signal), key, left_out)
    for name in moved.inconsistent:
        found = events.get(name[REF_AT:]) or DeviceEvent(key, None, name[REF_AT:], time_at(name, 0), None)
        write_letter(partition, found, key, INCONSISTENT)


def _own_event(key: str, signal: Signal) -> DeviceEvent:
    """An event that came back to its device."""
    return DeviceEvent(key, None, signal.ref, signal.head >> TIME, signal)


def write_letter(
    partition: LetterWriter, event: DeviceEvent, key: str, reason: str | LeftOut, where: Headers = ()
) -> None:
    value = canonical_json(event, partition.parameters.dimensions, partition.rulebook)
    late_s = max(0, partition.population.watermark_ms - event.at_ms) / 1000
    partition.open.letter(canonical_late(value, event, key, (reason, late_s), where))


def count_moved(partition: LetterWriter, what: str, count: int) -> None:
    """Counts events of devices. `what`: of MOVED_ENDINGS or UNLINKED_REASONS, or LATE_LINK_WORD."""
    if count:
        counts = partition.checkpoint.counts.moves
        counts[what] = counts.get(what, 0) + count
        partition.open.reasons["moved"][what] += count
