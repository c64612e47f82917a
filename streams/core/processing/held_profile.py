"""What a partition holds of one person, in the words of its topics: for whoever asks about that person."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple, Protocol

import msgspec

from streams.core.journeys.held import held_steps, holds_all_steps, places_of_steps
from streams.core.journeys.needs import shown_states
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.connecting import Connector
from streams.core.processing.places import source_of_place
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import SEPARATOR, bare_id, is_device, person_key
from streams.core.processing.state_keys import LINKED_DEVICE, PROFILE
from streams.records import Batch
from streams.topology import CURRENT, CURRENT_DEVICES

_NOW = (CURRENT.name, CURRENT_DEVICES.name)
_OF_PEOPLE = (PROFILE, LINKED_DEVICE)  # what the keys of their state records begin with


class HeldProfile(msgspec.Struct, frozen=True):
    """What is held of one profile."""

    current: msgspec.Raw  # `schemas.Current`
    transitions: list[msgspec.Raw]  # net ones, `schemas.Transition`, in the order of the journal
    # Of each: the source (`topic:partition`) and the offset where its event was read; None: it is not known.
    read_at: list[tuple[str, int] | None]
    complete: bool  # no older step is in the base


class Reach(NamedTuple):
    """How far a partition has come."""

    as_of_ms: int  # in event time; -1: it has read nothing
    rev: int  # the greatest `rev` of a transition


class HoldingPartition(Protocol):
    """What it takes of a partition to ask about a person. A Processor has it."""

    population: Population
    connector: Connector | None
    publisher: Publisher
    checkpoint: Checkpoint


def reach_of(partition: HoldingPartition) -> Reach:
    """How far a partition has come. Call it between batches."""
    population = partition.population
    return Reach(max(population.watermark_ms, population.timers_fired_ms), partition.checkpoint.rev)


def changed_people(batch: Batch) -> frozenset[bytes]:
    """The bare ids of all people and devices whom a batch changes: what is held of anybody else is the same
    before it and after it.

    Whoever makes a step has a new record of where they are now. All else that changes is in the state.
    """
    ids = [bare_id(output.key) for output in batch.outputs if output.key and output.topic in _NOW]
    keys = {record.key[1:].partition(b"\0")[0] for record in batch.state if record.key[:1] in _OF_PEOPLE}
    return frozenset([*ids, *[bare_id(person_key(key.decode())) for key in keys]])


def held_profiles(
    partition: HoldingPartition, profiles: Iterable[str], rev: int, *, has_tenants: bool
) -> list[HeldProfile]:
    """What is held of these profiles, in any tenant. Call it when what is held of them is committed: between
    batches, or while one is committed that has changed none of them.

    `rev`: the greatest of a transition that is committed.

    With tenants all people are looked through, since a name may be in any: 0.1 s for a million of them.
    """
    names = sorted(profiles)
    keys: Iterable[str] = names
    if has_tenants:
        endings = tuple(SEPARATOR + name for name in names)
        devices = () if partition.connector is None else partition.connector.devices.all()
        everybody = chain((p.key for p in partition.population.profiles), (device.key for device in devices))
        keys = sorted({key for key in everybody if key.endswith(endings)})
    found = [_held_profile(partition, key, rev) for key in keys]
    return [held for held in found if held is not None]


def _held_profile(partition: HoldingPartition, key: str, rev: int) -> HeldProfile | None:
    """None: nobody with this key is held."""
    population, publisher = partition.population, partition.publisher
    p, user = population.profiles.get(key), None
    if is_device(key) and partition.connector is not None:
        devices = partition.connector.devices
        user = devices.ownership.user_of(devices.get(key))
    if p is None:
        if user is None:
            return None
        p = Profile(key, [])
    steps = held_steps(p, population.timers_fired_ms, population.patience)
    return HeldProfile(
        msgspec.Raw(publisher.current(p, shown_states(p), rev, user)),
        [msgspec.Raw(publisher.transition(p, "assert", rev, t)) for t in steps],
        [source_of_place(partition.checkpoint.read_from, place) for place in places_of_steps(p, steps)],
        holds_all_steps(p),
    )
