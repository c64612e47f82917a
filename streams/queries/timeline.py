"""Puts the journeys of one person together from the net transitions and cues, as any consumer of these topics
can.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from schemas import Cue, Identity, Transition
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.record_keys import bare_id, split_profile_key
from streams.log.port import Reader
from streams.queries.cohorts import FUNNEL_MOMENTS
from streams.queries.identities import read_identities
from streams.queries.person import Person, fold_settings_for
from streams.queries.state_profiles import read_state_profiles
from streams.records import Record
from streams.topology import CUES, TRANSITIONS, Topic, source_name

RecordsOf = Callable[[int], AsyncIterator[Record]]
"""Reads the records of a partition, in order."""

PartitionsOf = Callable[[Person], Sequence[int]]
"""The partitions that can own a person."""

Corrected = TypeVar("Corrected", Transition, Cue)

_decode = msgspec.json.Decoder(Transition).decode
_decode_cue = msgspec.json.Decoder(Cue).decode


class TimelineJourney(msgspec.Struct):
    """One journey, first step to last. A purchase or a long silence closes it; a refund comes after that."""

    journey: str
    opened_at: str
    closed_at: str | None  # None: it is open, or the step that closed it is gone by age
    outcome: str  # open, converted, abandoned, refunded
    stalled: bool  # open, and silent for longer than the patience of its moment
    furthest: str
    transitions: list[msgspec.Raw]  # as they are stored
    cues: list[msgspec.Raw]  # likewise, in order
    steps: list[Transition] = []  # the transitions, decoded
    happened: list[Cue] = []  # the cues, decoded
    sources: list[str | None] = []  # of each step: where its event was read, `topic:partition:offset`


JOURNEY_FIELDS = tuple(
    name for name in TimelineJourney.__struct_fields__ if name not in ("steps", "happened", "sources")
)
"""The fields that the JSON has."""


class Timeline(msgspec.Struct):
    """All journeys of a person about one need."""

    tenant: str | None
    profile: str
    need: str | None
    current: str | None  # the moment of the open journey; None: no journey is open
    journeys: list[TimelineJourney]
    identity: Identity | None = None  # of a device: whose it is

    def wire(self) -> bytes:
        """One JSON line without its line end. It has `tenant` only where there are tenants."""
        journeys = [{name: getattr(journey, name) for name in JOURNEY_FIELDS} for journey in self.journeys]
        fields = {"profile": self.profile, "need": self.need, "current": self.current, "journeys": journeys}
        tenant = {} if self.tenant is None else {"tenant": self.tenant}
        identity = {} if self.identity is None else {"identity": self.identity}
        return msgspec.json.encode({**tenant, **fields, **identity})


async def read_timelines(reader: Reader, person: Person) -> list[Timeline]:
    """The timelines of a person, by tenant, profile and need. Empty if nobody has this name.

    Only partitions are read that can own the person. A person without a journey, who gave unsure signals
    only, has one timeline without journeys. Raises InputError if nothing was processed yet, ConfigError for
    a tenant where there are none.
    """
    partitions = await owner_partitions(reader, person)
    timelines = await read_opened_timelines(reader, person, partitions)
    with_journeys = {(timeline.tenant, timeline.profile) for timeline in timelines}
    in_state = {
        split_profile_key(key.decode())
        for number in partitions
        for key in await read_state_profiles(reader, number)
    }
    timelines += [
        Timeline(tenant, profile, None, None, [])
        for tenant, profile in in_state - with_journeys
        if person.has(tenant, profile)
    ]
    return sorted(timelines, key=lambda t: (t.tenant or "", t.profile, t.need or ""))


async def owner_partitions(reader: Reader, person: Person) -> list[int]:
    """The partitions that can own a person. Raises as `read_timelines` does."""
    stored = [decode_checkpoint(raw) for raw in await reader.checkpoints() if raw is not None]
    has_tenants = fold_settings_for(person, stored).tenant is not None
    return sorted(person.owners(reader.partitions, has_tenants=has_tenants))


async def read_opened_timelines(reader: Reader, person: Person, partitions: Sequence[int]) -> list[Timeline]:
    """The timelines with journeys, by tenant, profile and need."""
    steps, cues = _scanned(reader, TRANSITIONS), _scanned(reader, CUES)
    return await timelines_of_records(person, partitions, steps, cues)


async def timelines_of_records(
    person: Person,
    partitions: Sequence[int],
    read_steps: RecordsOf,
    read_cues: RecordsOf | None = None,
    until: str | None = None,
) -> list[Timeline]:
    """The timelines with journeys, from wherever the records of a partition come.

    They may be about others, too. `until`: without the steps and cues of later times, as they are known now.
    """
    sources: _Sources = {}
    groups = await _net_by_need(person, partitions, read_steps, _decode, sources=sources)
    cues = {} if read_cues is None else await _net_by_need(person, partitions, read_cues, _decode_cue)
    timelines = [
        _timeline(
            Timeline(tenant or None, profile, need or None, None, []),
            [pair for pair in steps if until is None or pair[1].at <= until],
            [pair for pair in cues.get((tenant, profile, need), []) if until is None or pair[1].at <= until],
            sources,
        )
        for (tenant, profile, need), steps in groups.items()
    ]
    found = [timeline for timeline in timelines if timeline.journeys]
    return sorted(found, key=lambda t: (t.tenant or "", t.profile, t.need or ""))


async def read_timelines_of_devices(reader: Reader, person: Person) -> list[Timeline]:
    """As `read_timelines`; of a device that is a user's that user's timelines, too, behind its own, which say
    whose it is.
    """
    timelines = await read_timelines(reader, person)
    for identity in await read_identities(reader, person):
        device = f"d:{identity.device}"
        if not person.has(identity.tenant, device):
            continue  # it is about the user's name
        own = [t for t in timelines if (t.tenant, t.profile) == (identity.tenant, device)]
        if not own:
            own = [Timeline(identity.tenant, device, None, None, [])]
            timelines += own
        for timeline in own:
            timeline.identity = identity
        if identity.person is not None and not person.has(identity.tenant, identity.person):
            timelines += await read_timelines(reader, Person(identity.person, identity.tenant))
    return timelines


_Sources = dict[tuple[str | None, str, str | None, str | None], str]
"""Where events were read: by tenant, profile, device that gave them, and id."""


def _source(record: Record) -> str | None:
    """Where the event of a transition was read first, if the record says so."""
    headers = {name: value.decode() for name, value in record.headers}
    if "source-offset" not in headers:
        return None
    return (
        f"{source_name(headers['source-topic'], int(headers['source-partition']))}:{headers['source-offset']}"
    )


def _scanned(reader: Reader, topic: Topic) -> RecordsOf:
    async def records(partition: int) -> AsyncIterator[Record]:
        async for _, record in reader.scan(topic.name, partition):
            yield record

    return records


async def _net_by_need(
    person: Person,
    partitions: Iterable[int],
    read: RecordsOf,
    decode: Callable[[bytes], Corrected],
    *,
    sources: _Sources | None = None,
) -> dict[tuple[str, str, str], list[tuple[bytes, Corrected]]]:
    """What records with corrections say of a person now, by tenant, profile and need.

    `sources` takes up where events were read: a step that was computed anew does not say it any more.
    """
    last: dict[tuple[int, str], tuple[bytes, Corrected]] = {}  # by partition and id
    for number in partitions:
        async for record in read(number):
            if record.key is None or record.value is None or bare_id(record.key) not in person.ids:
                continue
            found = decode(record.value)
            if not person.has(found.tenant, found.profile):
                continue
            last[number, found.id] = record.value, found
            if sources is not None and (source := _source(record)) is not None:
                sources[_event_of(found)] = source
    groups: dict[tuple[str, str, str], list[tuple[bytes, Corrected]]] = {}
    for raw, found in last.values():
        if found.op == "assert":
            groups.setdefault((found.tenant or "", found.profile, found.need or ""), []).append((raw, found))
    return groups


def _event_of(step: Transition | Cue) -> tuple[str | None, str, str | None, str | None]:
    return step.tenant, step.profile, step.device or None, step.event


def _timeline(
    timeline: Timeline,
    steps: Iterable[tuple[bytes, Transition]],
    cues: Iterable[tuple[bytes, Cue]],
    sources: _Sources,
) -> Timeline:
    """The timeline with its journeys."""
    groups: dict[str, list[tuple[bytes, Transition]]] = {}
    for raw, step in steps:
        groups.setdefault(step.journey, []).append((raw, step))
    happened: dict[str, list[tuple[bytes, Cue]]] = {}
    for raw, cue in sorted(cues, key=lambda pair: pair[1].at):
        happened.setdefault(cue.journey, []).append((raw, cue))
    journeys = [_journey(group, happened.get(name, [])) for name, group in groups.items()]
    journeys.sort(key=lambda j: (j.opened_at, j.closed_at is None, j.closed_at or "", j.journey))
    for journey in journeys:
        journey.sources = [sources.get(_event_of(step)) for step in journey.steps]
    timeline.journeys = journeys
    timeline.current = next((j.steps[-1].to for j in journeys if j.outcome == "open"), None)
    return timeline


def _journey(group: list[tuple[bytes, Transition]], cues: list[tuple[bytes, Cue]]) -> TimelineJourney:
    group.sort(key=lambda pair: _order(pair[1]))
    steps = [step for _, step in group]
    first, last = steps[0], steps[-1]
    closing = next((step for step in steps if step.kind in ("converted", "abandoned")), None)
    # Without its closing a journey is over, too, if something was given back: that step is gone by age.
    is_over = closing is not None or last.kind in ("partially_refunded", "refunded")
    ending = "refunded" if last.kind == "refunded" else "converted" if closing is None else closing.kind
    return TimelineJourney(
        journey=first.journey,
        opened_at=first.opened_at,
        closed_at=None if closing is None else closing.at,
        outcome=ending if is_over else "open",
        stalled=closing is None and last.kind == "stalled",
        furthest=last.furthest,
        transitions=[msgspec.Raw(raw) for raw, _ in group],
        cues=[msgspec.Raw(raw) for raw, _ in cues],
        steps=steps,
        happened=[cue for _, cue in cues],
    )


def _order(step: Transition) -> tuple[str, int]:
    """Sorts steps as they happened.

    Within one millisecond, opening and resuming come first, then the steps to later moments, then refunds:
    parts before all that is left.
    """
    if step.kind == "opened":
        return step.at, -2
    if step.kind == "resumed":
        return step.at, -1
    if step.kind == "refunded":
        return step.at, len(FUNNEL_MOMENTS) + 1
    return step.at, len(FUNNEL_MOMENTS) if step.to is None else FUNNEL_MOMENTS.index(step.to)
