"""What a partition holds of one person, in the words of its topics: for whoever asks about that person."""

from collections.abc import Iterable
from itertools import chain
from typing import Protocol

import msgspec

from streams.core.journeys.held import held_steps, holds_all_steps, places_of_steps
from streams.core.journeys.needs import shown_states
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.connecting import Connector
from streams.core.processing.places import source_of_place
from streams.core.processing.publisher import Publisher
from streams.core.processing.record_keys import SEPARATOR, is_device


class HeldProfile(msgspec.Struct, frozen=True):
    """What is held of one profile."""

    current: msgspec.Raw  # `schemas.Current`
    transitions: list[msgspec.Raw]  # net ones, `schemas.Transition`, in the order of the journal
    # Of each: the source (`topic:partition`) and the offset where its event was read; None: it is not known.
    read_at: list[tuple[str, int] | None]
    complete: bool  # no older step is in the base


class HoldingPartition(Protocol):
    """What it takes of a partition to ask about a person. A Processor has it."""

    population: Population
    connector: Connector | None
    publisher: Publisher
    checkpoint: Checkpoint


def held_profiles(
    partition: HoldingPartition, profiles: Iterable[str], *, has_tenants: bool
) -> list[HeldProfile]:
    """What is held of these profiles, in any tenant. Call it between batches: what is held is committed then.

    With tenants all people are looked through, since a name may be in any: 0.1 s for a million of them.
    """
    names = sorted(profiles)
    keys: Iterable[str] = names
    if has_tenants:
        endings = tuple(SEPARATOR + name for name in names)
        devices = () if partition.connector is None else partition.connector.devices.all()
        everybody = chain((p.key for p in partition.population.profiles), (device.key for device in devices))
        keys = sorted({key for key in everybody if key.endswith(endings)})
    found = [_held_profile(partition, key) for key in keys]
    return [held for held in found if held is not None]


def _held_profile(partition: HoldingPartition, key: str) -> HeldProfile | None:
    """None: nobody with this key is held."""
    population, publisher, rev = partition.population, partition.publisher, partition.checkpoint.rev
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
