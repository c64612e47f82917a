"""How often an event may count: more than once only if its id came again when it was no longer known, or if
that very event was redriven.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.signal import event_ref, given_ref
from streams.core.processing.dead_letters import is_canonical
from streams.core.processing.publisher import transition_id
from streams.core.processing.record_keys import profile_key
from streams.records import Record
from streams.runtime.parameters import door_of_settings
from streams.topology import source_name
from tests.simulation.account import dated, key_of
from tests.simulation.redrives import Key
from tests.simulation.timeline import Origin
from tests.simulation.world import World

Repeats = Mapping[tuple[Key, str], int]
"""By the profile that an event names, and its id: how often it may count beyond the first time. Only those
that may.
"""

_decode = msgspec.json.Decoder().decode


def repeats_of_step(repeats: Repeats, step: Mapping[str, Any]) -> int:
    """How often a step may be asserted while it stands: as often as the event that causes it counts again."""
    tenant, profile = step["tenant"], step["profile"]
    key, need = profile_key(tenant or "", profile), step["need"] or ""
    most = 0
    for (who, event), n in repeats.items():
        if who == (tenant, profile):
            name = event_ref(event)
        elif who[0] == tenant and who[1].startswith("d:"):
            name = given_ref(who[1][2:], event_ref(event))
        else:
            continue
        if transition_id(key, need, step["kind"], name) == step["id"]:
            most = max(most, n)
    return most


def repeats_in(
    world: World,
    inputs: Mapping[tuple[str, int], Sequence[Record]],
    not_counted: Iterable[Origin],
    redriven: Iterable[Record],
) -> Repeats:
    """Of a day with identity on. `not_counted`: the items of late and rejected dead letters; `redriven`:
    once for each time, the records of the redriven items that count.
    """
    reader, passed_over = RecordReader(door_of_settings(world.settings), "events"), {*not_counted}
    copies: dict[tuple[Key, str], dict[bytes, set[int]]] = {}  # by event: when each of its copies may count
    for (topic, partition), records in inputs.items():
        for record in records:
            if (source_name(topic, partition), record.offset) in passed_over:
                continue
            if (event := _event(reader, record)) is not None:
                times = copies.setdefault((key_of(event, world), event.id), {})
                times[record.value or b""] = {event.at_ms, dated(event, world.allowed_lateness)[0]}
    counts: Counter[tuple[Key, str]] = Counter()
    for name, of_copies in copies.items():
        apart = _far_apart(set[int]().union(*of_copies.values()), world.finality_delay)
        counts[name] = min(len(of_copies), apart)
    for record in redriven:
        if is_canonical(record):
            said = _decode(record.value or b"")
            counts[(said["tenant"], f"d:{said['device']}"), said["event"]] += 1
        elif (event := _event(reader, record)) is not None:
            counts[key_of(event, world), event.id] += 1
    return {name: n - 1 for name, n in counts.items() if n > 1}


def _event(reader: RecordReader, record: Record) -> Event | None:
    found = reader.read(record.value, record.headers, record.time_ms, LATEST_MS)
    return found if isinstance(found, Event) else None


def _far_apart(times: Iterable[int], delay: int) -> int:
    """How many of these times there can be at most of which any two are further apart than the delay."""
    count, last = 0, -delay - 1
    for at in sorted(times):
        if at - last > delay:
            count, last = count + 1, at
    return count
