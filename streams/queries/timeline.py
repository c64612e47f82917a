"""Puts the journeys of one person together from the net transitions, as any consumer of that topic can."""

from collections.abc import Iterable

import msgspec

from schemas import Transition
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.record_keys import bare_id, split_profile_key
from streams.log.port import Reader
from streams.queries.cohorts import FUNNEL_MOMENTS
from streams.queries.person import Person, fold_settings_for
from streams.queries.state_profiles import read_state_profiles
from streams.topology import TRANSITIONS

_decode = msgspec.json.Decoder(Transition).decode


class TimelineJourney(msgspec.Struct):
    """One journey, first step to last. A purchase or a long silence closes it; a refund comes after that."""

    journey: str
    opened_at: str
    closed_at: str | None
    outcome: str  # open, converted, abandoned, refunded
    stalled: bool  # open, and silent for longer than the patience of its moment
    furthest: str
    transitions: list[msgspec.Raw]  # as they are stored
    steps: list[Transition] = []  # these, decoded


class Timeline(msgspec.Struct):
    """All journeys of a person about one need."""

    tenant: str | None
    profile: str
    need: str | None
    current: str | None  # the moment of the open journey; None: no journey is open
    journeys: list[TimelineJourney]

    def wire(self) -> bytes:
        """One JSON line without its line end. It has `tenant` only where there are tenants."""
        journeys = [
            {name: getattr(journey, name) for name in TimelineJourney.__struct_fields__ if name != "steps"}
            for journey in self.journeys
        ]
        fields = {"profile": self.profile, "need": self.need, "current": self.current, "journeys": journeys}
        return msgspec.json.encode(fields if self.tenant is None else {"tenant": self.tenant, **fields})


async def read_timelines(reader: Reader, person: Person) -> list[Timeline]:
    """The timelines of a person, by tenant, profile and need. Empty if nobody has this name.

    Only partitions are read that can own the person. A person without a journey, who gave unsure signals
    only, has one timeline without journeys. Raises InputError if nothing was processed yet, ConfigError for
    a tenant where there are none.
    """
    stored = [decode_checkpoint(raw) for raw in await reader.checkpoints() if raw is not None]
    has_tenants = fold_settings_for(person, stored).tenant is not None
    ids = person.ids
    last: dict[tuple[int, str], tuple[bytes, Transition]] = {}  # by partition and id
    partitions = sorted(person.owners(reader.partitions, has_tenants=has_tenants))
    for number in partitions:
        async for _, record in reader.scan(TRANSITIONS.name, number):
            if record.key is None or record.value is None or bare_id(record.key) not in ids:
                continue
            step = _decode(record.value)
            if person.has(step.tenant, step.profile):
                last[number, step.id] = record.value, step
    groups: dict[tuple[str, str, str], list[tuple[bytes, Transition]]] = {}
    for raw, step in last.values():
        if step.op == "assert":
            groups.setdefault((step.tenant or "", step.profile, step.need or ""), []).append((raw, step))
    timelines = [
        _timeline(tenant or None, profile, need or None, steps)
        for (tenant, profile, need), steps in groups.items()
    ]
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


def _timeline(
    tenant: str | None, profile: str, need: str | None, steps: Iterable[tuple[bytes, Transition]]
) -> Timeline:
    groups: dict[str, list[tuple[bytes, Transition]]] = {}
    for raw, step in steps:
        groups.setdefault(step.journey, []).append((raw, step))
    journeys = [_journey(group) for group in groups.values()]
    journeys.sort(key=lambda j: (j.opened_at, j.closed_at is None, j.closed_at or "", j.journey))
    current = next((j.steps[-1].to for j in journeys if j.closed_at is None), None)
    return Timeline(tenant, profile, need, current, journeys)


def _journey(group: list[tuple[bytes, Transition]]) -> TimelineJourney:
    group.sort(key=lambda pair: _order(pair[1]))
    steps = [step for _, step in group]
    first, last = steps[0], steps[-1]
    closing = next((step for step in steps if step.kind in ("converted", "abandoned")), None)
    outcome = "open" if closing is None else "refunded" if last.kind == "refunded" else closing.kind
    return TimelineJourney(
        journey=first.journey,
        opened_at=first.opened_at,
        closed_at=None if closing is None else closing.at,
        outcome=outcome,
        stalled=closing is None and last.kind == "stalled",
        furthest=last.furthest,
        transitions=[msgspec.Raw(raw) for raw, _ in group],
        steps=steps,
    )


def _order(step: Transition) -> tuple[str, int]:
    """Sorts steps as they happened.

    Within one millisecond, opening and resuming come first, then the steps to later moments.
    """
    if step.kind == "opened":
        return step.at, -2
    if step.kind == "resumed":
        return step.at, -1
    return step.at, len(FUNNEL_MOMENTS) if step.to is None else FUNNEL_MOMENTS.index(step.to)
