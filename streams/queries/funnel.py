"""Computes the funnel over all time: how many people and journeys, how far they came, and how they ended.

The journeys come from the tallies, the people from the state and the finished journeys, the events from the
checkpoints.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.record_keys import profile_key
from streams.log.port import Reader
from streams.queries.cell_table import Counted
from streams.queries.cohorts import Cohort, JourneyCounts, Revenue, TimeToConvert, report_of_cells
from streams.queries.state_profiles import read_state_profiles
from streams.queries.tallies import count_cues, count_moves, read_all_time_tallies
from streams.queries.unmatched import count_unmatched
from streams.topology import JOURNEYS, TRANSITIONS

NO_JOURNEY = "unmatched"  # instead of a moment: a cue of no journey


class EventCounts(msgspec.Struct):
    """How many records ended in which way. Each ends in exactly one: received is the sum of the others."""

    received: int = 0
    applied: int = 0
    refused: int = 0
    robot: int = 0
    no_signal: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0


class Funnel(msgspec.Struct):
    """The report over all time that `streams funnel --json` prints."""

    profiles: int  # people with at least one applied signal, forgotten ones included
    profiles_converted: int
    journeys: JourneyCounts
    furthest: dict[str, Cohort]  # as in CohortReport
    been_in: dict[str, int]
    cues: dict[str, dict[str, int]]  # by cue and moment; `unmatched`: in no journey
    revenue: Revenue
    time_to_convert: TimeToConvert | None  # None: nobody bought
    stitched: int  # purchases whose journey has an event that a device gave
    from_nowhere: int  # purchases with nothing before them
    unmatched_refunds: dict[str, int]  # by what is missing: `purchase`, `person`
    unmatched_updates: int  # updates of orders that are not known
    unread_amounts: int  # purchases and refunds that count without their amount
    events: EventCounts
    repaired: dict[str, int]  # events by kind of repair: one with two repairs counts in both


def cues_by_moment(cells: Iterable[Counted]) -> dict[str, dict[str, int]]:
    """How often each cue was in which moment; `unmatched`: in no journey. Cues are in order of name."""
    return {
        cue: {moment or NO_JOURNEY: n for moment, n in counts.items()}
        for cue, counts in sorted(count_cues(cells).items())
    }


async def read_funnel(reader: Reader) -> Funnel:
    """The funnel of a log over all time."""
    cells = await read_all_time_tallies(reader)
    cohorts = report_of_cells(cells)
    profiles, converted = await count_profiles(reader)
    unmatched = await count_unmatched(reader, cells)
    return Funnel(
        profiles=profiles,
        profiles_converted=converted,
        journeys=cohorts.journeys,
        furthest=cohorts.furthest,
        been_in=cohorts.been_in,
        cues=cues_by_moment(cells),
        revenue=cohorts.revenue,
        time_to_convert=cohorts.time_to_convert,
        stitched=sum(cell.count for cell in cells if cell.measure == "stitched"),
        from_nowhere=sum(
            n for move, n in count_moves(cells).items() if (move.kind, move.from_) == ("converted", None)
        ),
        unmatched_refunds=unmatched.refunds,
        unmatched_updates=unmatched.updates,
        unread_amounts=await count_unread_amounts(reader),
        events=await count_events(reader),
        repaired=dict((await count_repaired(reader)).most_common()),
    )


async def count_unread_amounts(reader: Reader) -> int:
    """How many purchases and refunds count without their amount, since it cannot be read."""
    stored = [decode_checkpoint(raw) for raw in await reader.checkpoints() if raw is not None]
    return sum([checkpoint.counts.unread_amounts for checkpoint in stored])


async def count_events(reader: Reader) -> EventCounts:
    """How the records of all partitions ended."""
    totals = dict.fromkeys(EventCounts.__struct_fields__, 0)
    for stored in await reader.checkpoints():
        if stored is not None:
            counts = decode_checkpoint(stored).counts
            for name in totals:
                totals[name] += getattr(counts, name)
    return EventCounts(**totals)


async def count_repaired(reader: Reader) -> Counter[str]:
    """How many events were repaired, by kind of repair."""
    repaired = Counter[str]()
    for stored in await reader.checkpoints():
        if stored is not None:
            repaired.update(decode_checkpoint(stored).counts.repaired)
    return repaired


class _About(msgspec.Struct):
    """Whom a transition or a finished journey is about, and what it says."""

    tenant: str | None
    profile: str
    op: str = ""  # of a transition
    outcome: str | None = None  # of a finished journey

    @property
    def key(self) -> bytes:
        return profile_key(self.tenant or "", self.profile).encode()


_decode = msgspec.json.Decoder(_About).decode
_CONVERTED_JSON = b'"kind":"converted"'  # a look at the bytes saves decoding the others


async def count_profiles(reader: Reader) -> tuple[int, int]:
    """How many profiles have an applied signal, and how many of them have converted.

    The state has everybody who was not forgotten, and finished journeys name, for ever, everybody who was
    forgotten and had one. When somebody without a journey is forgotten, their partition counts it, so one who
    comes back counts once more. A purchase is in a finished journey, or so new that its transition is still
    there: transitions are kept for longer than events may be late. A profile has converted if its asserts
    outnumber its retracts: for each transition that holds there is one assert more, so no ids are needed.
    """
    everyone, converted = await read_state_profiles(reader), set[bytes]()
    async for _, record in reader.scan(JOURNEYS.name):
        journey = _decode(record.value or b"")
        everyone.add(journey.key)
        if journey.outcome == "converted":
            converted.add(journey.key)
    net = Counter[bytes]()
    async for _, record in reader.scan(TRANSITIONS.name):
        if record.value is not None and _CONVERTED_JSON in record.value:
            step = _decode(record.value)
            net[step.key] += 1 if step.op == "assert" else -1
    converted.update(key for key, n in net.items() if n > 0)
    stored = [decode_checkpoint(raw) for raw in await reader.checkpoints() if raw is not None]
    forgotten = sum(last.forgotten_without_journey for last in stored)
    return len(everyone) + forgotten, len(converted)
