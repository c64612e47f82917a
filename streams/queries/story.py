"""One person's journeys, told from the standing transitions alone: what anybody could tell who reads that topic."""

from collections.abc import Iterable

import msgspec

from schemas import Transition
from streams.core.processing.publisher import TENANT_END, split_key
from streams.log.port import Reader
from streams.queries.funnel import MOMENTS
from streams.queries.known import known
from streams.topology import TRANSITIONS

PREFIXES = ("u:", "d:")

_decode = msgspec.json.Decoder(Transition).decode


class Journey(msgspec.Struct):
    """One journey, first step to last. What closes it is the purchase or the long silence; a refund comes after."""

    journey: str
    opened_at: str
    closed_at: str | None
    outcome: str  # open, converted, abandoned, refunded
    stalled: bool  # open, and silent for longer than the patience of its moment
    furthest: str
    transitions: list[msgspec.Raw]  # as they are stored
    steps: list[Transition] = []  # the same, read


class Story(msgspec.Struct):
    """All journeys of a person about one need."""

    tenant: str | None
    profile: str
    need: str | None
    current: str | None  # the moment they are in; None: no journey is open
    journeys: list[Journey]

    def wire(self) -> bytes:
        """One JSON line, without the end of the line. `tenant` is there only where there are tenants."""
        journeys = [
            {name: getattr(journey, name) for name in Journey.__struct_fields__ if name != "steps"}
            for journey in self.journeys
        ]
        fields = {"profile": self.profile, "need": self.need, "current": self.current, "journeys": journeys}
        return msgspec.json.encode(fields if self.tenant is None else {"tenant": self.tenant, **fields})


async def stories(reader: Reader, profile: str) -> list[Story]:
    """A person's stories by tenant, profile and need; empty when nobody of that name is known.

    `profile`: with `u:` or `d:`, or without: then both are looked for. An id may itself begin so: everyone whom the name fits is given.
    Of whom no journey is known (there are only unsure signals), there is one story without journeys.
    """
    wanted = {profile, *(prefix + profile for prefix in PREFIXES)}
    last: dict[tuple[int, str], tuple[bytes, Transition]] = {}  # by partition and id
    async for partition, record in reader.scan(TRANSITIONS.name):
        if record.key is not None and record.value is not None and _name(record.key) in wanted:
            step = _decode(record.value)
            last[partition, step.id] = record.value, step
    groups: dict[tuple[str, str, str], list[tuple[bytes, Transition]]] = {}
    for raw, step in last.values():
        if step.op == "assert":
            groups.setdefault((step.tenant or "", step.profile, step.need or ""), []).append((raw, step))
    told = [
        _story(tenant or None, name, need or None, steps) for (tenant, name, need), steps in groups.items()
    ]
    with_journeys = {(story.tenant, story.profile) for story in told}
    silent = {split_key(key.decode()) for key in await known(reader) if _name(key) in wanted} - with_journeys
    told += [Story(tenant, name, None, None, []) for tenant, name in silent]
    return sorted(told, key=lambda story: (story.tenant or "", story.profile, story.need or ""))


def _name(key: bytes) -> str:
    return key.decode().rpartition(TENANT_END)[2]


def _story(
    tenant: str | None, profile: str, need: str | None, steps: Iterable[tuple[bytes, Transition]]
) -> Story:
    groups: dict[str, list[tuple[bytes, Transition]]] = {}
    for raw, step in steps:
        groups.setdefault(step.journey, []).append((raw, step))
    journeys = [_journey(group) for group in groups.values()]
    journeys.sort(key=lambda j: (j.opened_at, j.closed_at is None, j.closed_at or "", j.journey))
    current = next((j.steps[-1].to for j in journeys if j.closed_at is None), None)
    return Story(tenant, profile, need, current, journeys)


def _journey(group: list[tuple[bytes, Transition]]) -> Journey:
    group.sort(key=lambda said: _order(said[1]))
    steps = [step for _, step in group]
    first, last = steps[0], steps[-1]
    closing = next((step for step in steps if step.kind in ("converted", "abandoned")), None)
    outcome = "open" if closing is None else "refunded" if last.kind == "refunded" else closing.kind
    return Journey(
        first.journey, first.opened_at, None if closing is None else closing.at, outcome, closing is None and last.kind == "stalled", last.furthest,
        [msgspec.Raw(raw) for raw, _ in group], steps,
    )  # fmt: skip


def _order(step: Transition) -> tuple[str, int]:
    """In the order they happened. Steps of one millisecond go forward, as their signals did; what opens or resumes comes before what moves on."""
    if step.kind == "opened":
        return step.at, -2
    if step.kind == "resumed":
        return step.at, -1
    return step.at, len(MOMENTS) if step.to is None else MOMENTS.index(step.to)
