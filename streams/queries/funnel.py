"""The funnel over all time: how many people, how many journeys, how far they came and how they ended, and what became of each event."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

import msgspec

from schemas import Moment, Tally
from streams.core.processing import checkpoint
from streams.log.port import Reader
from streams.queries.known import known
from streams.queries.tallies import over_all_time
from streams.topology import TRANSITIONS

MOMENTS: tuple[str, ...] = get_args(Moment)


class Cohort(msgspec.Struct):
    """Journeys by how they stand now. Stalled ones are part of open, refunded ones of converted."""

    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0

    @property
    def all(self) -> int:
        """Every journey is open, converted or abandoned."""
        return self.open + self.converted + self.abandoned


class Journeys(msgspec.Struct):
    """All journeys. opened = open + converted + abandoned."""

    opened: int = 0
    open: int = 0
    stalled: int = 0
    converted: int = 0
    abandoned: int = 0
    refunded: int = 0


class Events(msgspec.Struct):
    """How the records ended, each in exactly one way. received is the sum of the others."""

    received: int = 0
    applied: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0


class Funnel(msgspec.Struct):
    """What `streams funnel --json` prints."""

    profiles: int  # people of whom a signal was applied, for ever
    profiles_converted: int
    journeys: Journeys
    furthest: dict[str, Cohort]  # by the furthest moment that was reached; every moment is there
    events: Events


async def funnel(reader: Reader) -> Funnel:
    """The funnel of a log."""
    cells = await over_all_time(reader)
    profiles, converted = await people(reader)
    return Funnel(profiles, converted, journeys(cells), furthest(cells), await events(reader))


def journeys(cells: Iterable[Tally]) -> Journeys:
    """All journeys of these cells."""
    found = Journeys()
    for cell in cells:
        if cell.measure == "cohort" and cell.outcome is not None:
            setattr(found, cell.outcome, getattr(found, cell.outcome) + cell.count)
        elif cell.measure == "transitions" and cell.kind == "opened":
            found.opened += cell.count
    return found


def furthest(cells: Iterable[Tally]) -> dict[str, Cohort]:
    """The journeys of these cells by their furthest moment."""
    found = {moment: Cohort() for moment in MOMENTS}
    for cell in cells:
        if cell.measure == "cohort" and cell.furthest is not None and cell.outcome is not None:
            cohort = found[cell.furthest]
            setattr(cohort, cell.outcome, getattr(cohort, cell.outcome) + cell.count)
    return found


def by_dimension(cells: Iterable[Tally], name: str) -> dict[str, dict[str, Cohort]]:
    """`furthest` per value of a dimension of the journeys' openings. Empty when there is no such dimension."""
    groups: dict[str, list[Tally]] = {}
    for cell in cells:
        if cell.measure == "cohort" and name in cell.dimensions:
            groups.setdefault(cell.dimensions[name], []).append(cell)
    return {value: furthest(group) for value, group in sorted(groups.items())}


async def events(reader: Reader) -> Events:
    """What became of the records, over all partitions."""
    totals = dict.fromkeys(Events.__struct_fields__, 0)
    for stored in await reader.checkpoints():
        if stored is not None:
            counts = checkpoint.decode(stored).counts
            for name in totals:
                totals[name] += getattr(counts, name)
    return Events(**totals)


class _Step(msgspec.Struct):
    op: str
    kind: str


_decode_step = msgspec.json.Decoder(_Step).decode


async def people(reader: Reader) -> tuple[int, int]:
    """How many profiles have an applied signal, and how many a conversion.

    Those with a journey come from the transitions, those of whom there were only unsure signals from the state; neither goes when a profile is
    forgotten. Per id, asserts minus retracts is 1 where a transition stands, so sums per profile need no ids.
    """
    standing, converted = Counter[bytes | None](), Counter[bytes | None]()
    async for _, record in reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = _decode_step(record.value)
        by = 1 if step.op == "assert" else -1
        standing[record.key] += by
        if step.kind == "converted":
            converted[record.key] += by
    everyone = {key for key, n in standing.items() if n} | await known(reader)
    return len(everyone), sum(n > 0 for n in converted.values())
