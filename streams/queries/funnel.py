"""Computes the funnel over all time: how many people and journeys, how far they came, and how they ended.

The journeys come from the tallies, the people from the transitions and the state, the events from the
checkpoints.
"""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

import msgspec

from schemas import Moment, Tally
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.record_keys import profile_key
from streams.log.port import Reader
from streams.queries.state_profiles import read_state_profiles
from streams.queries.tallies import read_all_time_tallies
from streams.topology import TRANSITIONS

FUNNEL_MOMENTS: tuple[str, ...] = get_args(Moment)


class Cohort(msgspec.Struct):
    """How many journeys of a group are in each state.

    Stalled journeys are part of open, refunded ones of converted.
    """

    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0

    @property
    def all(self) -> int:
        """All journeys: each is open, converted or abandoned."""
        return self.open + self.converted + self.abandoned


class JourneyCounts(msgspec.Struct):
    """How many journeys there are, and in which state. opened = open + converted + abandoned."""

    opened: int = 0
    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0


class EventCounts(msgspec.Struct):
    """How many records ended in which way. Each ends in exactly one: received is the sum of the others."""

    received: int = 0
    applied: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0


class Funnel(msgspec.Struct):
    """The report that `streams funnel --json` prints."""

    profiles: int  # people with at least one applied signal, forgotten ones included
    profiles_converted: int
    journeys: JourneyCounts
    furthest: dict[str, Cohort]  # by the furthest moment that a journey reached; has every moment
    events: EventCounts


async def read_funnel(reader: Reader) -> Funnel:
    """The funnel of a log."""
    cells = await read_all_time_tallies(reader)
    profiles, converted = await count_profiles(reader)
    return Funnel(
        profiles=profiles,
        profiles_converted=converted,
        journeys=count_journeys(cells),
        furthest=cohorts_by_moment(cells),
        events=await count_events(reader),
    )


def count_journeys(cells: Iterable[Tally]) -> JourneyCounts:
    """All journeys of these cells."""
    counts = JourneyCounts()
    for cell in cells:
        if cell.measure == "cohort" and cell.outcome is not None:
            setattr(counts, cell.outcome, getattr(counts, cell.outcome) + cell.count)
        elif cell.measure == "transitions" and cell.kind == "opened":
            counts.opened += cell.count
    return counts


def cohorts_by_moment(cells: Iterable[Tally]) -> dict[str, Cohort]:
    """The journeys of these cells by their furthest moment."""
    cohorts = {moment: Cohort() for moment in FUNNEL_MOMENTS}
    for cell in cells:
        if cell.measure == "cohort" and cell.furthest is not None and cell.outcome is not None:
            cohort = cohorts[cell.furthest]
            setattr(cohort, cell.outcome, getattr(cohort, cell.outcome) + cell.count)
    return cohorts


def cohorts_by_dimension(cells: Iterable[Tally], dimension: str) -> dict[str, dict[str, Cohort]]:
    """The cohorts by moment for each value that the dimension had when a journey opened.

    Empty if nothing is counted by this dimension.
    """
    groups: dict[str, list[Tally]] = {}
    for cell in cells:
        if cell.measure == "cohort" and dimension in cell.dimensions:
            groups.setdefault(cell.dimensions[dimension], []).append(cell)
    return {value: cohorts_by_moment(group) for value, group in sorted(groups.items())}


async def count_events(reader: Reader) -> EventCounts:
    """How the records of all partitions ended."""
    totals = dict.fromkeys(EventCounts.__struct_fields__, 0)
    for stored in await reader.checkpoints():
        if stored is not None:
            counts = decode_checkpoint(stored).counts
            for name in totals:
                totals[name] += getattr(counts, name)
    return EventCounts(**totals)


class _Step(msgspec.Struct):
    op: str
    kind: str
    tenant: str | None
    profile: str


_decode_step = msgspec.json.Decoder(_Step).decode


async def count_profiles(reader: Reader) -> tuple[int, int]:
    """How many profiles have an applied signal, and how many of them have converted.

    The transitions name each profile with a journey, for ever; the state names those with unsure signals
    only. When one of the latter is forgotten, its partition counts it, so a person without a journey who
    comes back counts once more. A profile has a journey if its asserts outnumber its retracts: for each
    transition that holds there is one assert more, so no ids are needed.
    """
    net, net_converted = Counter[bytes](), Counter[bytes]()
    async for _, record in reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = _decode_step(record.value)
        change = 1 if step.op == "assert" else -1
        key = profile_key(step.tenant or "", step.profile).encode()
        net[key] += change
        if step.kind == "converted":
            net_converted[key] += change
    everyone = {key for key, n in net.items() if n} | await read_state_profiles(reader)
    stored = [decode_checkpoint(raw) for raw in await reader.checkpoints() if raw is not None]
    forgotten = sum(last.forgotten_without_journey for last in stored)
    return len(everyone) + forgotten, sum(n > 0 for n in net_converted.values())
