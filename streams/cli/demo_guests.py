"""The second part of the demo: made-up shoppers, who browse as guests and sign in now and then.

The real shop of the first part has no sign-ins. The same events are replayed twice, with identity off and on,
so that one sees what it changes.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from schemas import Transition
    from streams.cli.stopping import StopRequest
    from streams.log.port import Reader
    from streams.queries.timeline import Timeline, TimelineJourney

MADE_EVENTS, MADE_PEOPLE, SHOP_SEED = 6_000, 120, 5
MADE_EVERY_MS = (
    60_000  # an event: some eight visitors are there at once, so each does something every 8 minutes
)
MADE_FROM_MS = round(datetime(2025, 3, 3, tzinfo=UTC).timestamp() * 1000)
SHOWN_STEPS = range(5, 10)  # enough to be worth reading, few enough to show


class GuestFigures(NamedTuple):
    """What a replay of the made-up shoppers says."""

    people: int
    journeys: int
    purchases: int
    by_guests_first: int  # purchases of users whose journey has steps that they made as a guest
    silent_at_till: int  # journeys that fell silent in buy


class Guests(NamedTuple):
    """What the replays of the made-up shoppers say, and one of them."""

    apart: GuestFigures  # with identity off
    together: GuestFigures  # with identity on
    split: "list[Timeline]"  # the person of the example with identity off: the user and the devices
    user: str
    example: "TimelineJourney"  # one of the user's, with identity on
    data_dir: Path  # with identity on


async def replay_guests(data_dir: Path, stop: "StopRequest") -> Guests:
    """Replays the made-up shoppers into two new directories under this one, with identity off and on."""
    from streams.cli.options import input_format, rules_of
    from streams.log.sqlite.log import SqliteLog
    from streams.queries.person import Person
    from streams.queries.timeline import read_timelines
    from streams.runtime.embedded import Embedded, Progress
    from streams.settings.tables import Settings
    from streams.sources.finite_input import FiniteInput

    def on_progress(progress: Progress) -> None:
        stop.check("the demo is half done; start it again")

    events, readers = data_dir / "generated.jsonl", []
    _write_events(events)
    for name, is_on in (("apart", False), ("together", True)):
        settings = Settings(data_dir=data_dir / name, identity={"on": is_on})
        embedded = await Embedded.open(settings, rules_of(settings))
        try:
            format = input_format(None, (), None, settings, is_finite=True)
            await embedded.replay(FiniteInput([events], format), on_progress)
        finally:
            await embedded.close()
        readers.append(SqliteLog.read_only(settings.data_dir))
    apart, together = readers
    try:
        journeys = await _journeys(together)
        steps = next(steps for _, steps in sorted(journeys.items()) if _is_example(steps))
        user = steps[0].profile
        (own,) = await read_timelines(together, Person(user))
        names = [*sorted({f"d:{step.device}" for step in steps if step.device}), user]
        return Guests(
            _figures(await _journeys(apart)),
            _figures(journeys),
            [timeline for name in names for timeline in await read_timelines(apart, Person(name))],
            user,
            next(j for j in own.journeys if j.opened_at == steps[0].opened_at),
            data_dir / "together",
        )
    finally:
        for reader in readers:
            await reader.close()


def _write_events(path: Path) -> None:
    """Writes the events into a file, one a line, without the few that nobody can read."""
    from streams.sources.generator import Shop

    shop = Shop(SHOP_SEED, 1000 / MADE_EVERY_MS, MADE_PEOPLE)
    made = [shop.next(MADE_FROM_MS + n * MADE_EVERY_MS) for n in range(MADE_EVENTS)]
    path.write_bytes(b"".join([record.value + b"\n" for record in made if record.key]))


async def _journeys(reader: "Reader") -> "dict[tuple[str, str], list[Transition]]":
    """The steps of each journey that hold now, by the profile and the time of opening."""
    import msgspec

    from schemas import Transition
    from streams.queries.net_records import list_net_records
    from streams.topology import TRANSITIONS

    journeys: dict[tuple[str, str], list[Transition]] = {}
    decode = msgspec.json.Decoder(Transition).decode
    async for listed in list_net_records(reader, TRANSITIONS):
        step = decode(listed.record.value or b"")
        journeys.setdefault((step.profile, step.opened_at), []).append(step)
    return journeys


def _figures(journeys: "dict[tuple[str, str], list[Transition]]") -> GuestFigures:
    bought = [steps for steps in journeys.values() if _purchase(steps) is not None]
    return GuestFigures(
        people=len({profile for profile, _ in journeys}),
        journeys=len(journeys),
        purchases=len(bought),
        by_guests_first=sum(any(step.device for step in steps) for steps in bought),
        silent_at_till=sum(
            (steps[-1].kind, steps[-1].from_) == ("stalled", "buy") for steps in journeys.values()
        ),
    )


def _is_example(steps: "list[Transition]") -> bool:
    """True of a journey that began as a guest's on one device and was paid by a user on another one."""
    bought = _purchase(steps)
    if bought is None or bought.device or len(steps) not in SHOWN_STEPS:
        return False
    return len({step.device for step in steps if step.device}) > 1 and bool(steps[0].device)


def _purchase(steps: "list[Transition]") -> "Transition | None":
    return next((step for step in steps if step.kind == "converted"), None)
