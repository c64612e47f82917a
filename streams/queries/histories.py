"""Whose history is whole, where retention has taken the beginning of what a partition reads and writes.

A deleted record cannot be asked whose it was. What can be asked is the state: it holds the journal of each
person. If the events that are still stored give exactly this journal, and nothing has left it, none of this
person's events was deleted. Whoever is not in the state was forgotten, and remains unchecked. So does a
person of whom a transition names a journey that was opened before the first stored event: an earlier history
of theirs was forgotten.

Published transitions are deleted by age as well. What was written before the oldest one that is left was
caused by events, or by silences that ended, no later than that record was written (and the allowed skew).
So a person whose first event is later than that has lost none.
"""

from collections.abc import Iterable, Mapping

from streams.core.ingest.door import Door
from streams.core.journeys.state import Patience
from streams.core.journeys.store import load_profile
from streams.core.processing.state_keys import PROFILE, restored
from streams.log.port import Reader
from streams.queries.event_sets import EventSet, events_of_profile
from streams.queries.slices import Slice
from streams.records import StateRecord
from streams.topology import STATE

# How far the clocks of two workers may be apart: far more than any that still works with TLS and tokens.
CLOCKS_DIFFER_MS = 60 * 60 * 1_000
_NOT_FIRED_MS = -1


async def read_whole(
    reader: Reader, partition: int, people: Slice, sets: Mapping[str, list[EventSet]], patience: Patience
) -> tuple[set[str], int]:
    """Whose journal in the state is exactly what their stored events give (`sets`), of a slice of the people;
    and how many people are in the state of whom no event is stored.
    """
    parts: dict[bytes, bytes] = {}
    async for record in reader.scan_versions(STATE.name, partition):
        key = record.key
        if key is None or key[:1] != PROFILE or not people.has(_profile(key)):
            continue
        if record.value is None:
            parts.pop(key, None)
        else:
            parts[key] = record.value
    profiles = restored(StateRecord(key, value) for key, value in parts.items()).profiles
    whole = {
        key
        for key, found in profiles.items()
        if key in sets
        and len(sets[key]) == 1
        and events_of_profile(load_profile(key, found, _NOT_FIRED_MS, patience)) == sets[key][0]
    }
    return whole, len(profiles.keys() - sets.keys())


def _profile(key: bytes) -> str:
    return key[1:].partition(b"\0")[0].decode()


def complete_from_ms(written_ms: int, doors: Iterable[Door]) -> int:
    """The event time from which on no transition can have been deleted. `written_ms`: when the oldest one
    that is left was written.
    """
    skew_ms = max((door.skew_ms for door in doors), default=0)
    return written_ms + skew_ms + CLOCKS_DIFFER_MS
