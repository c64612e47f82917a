"""One run, drawn from its seed before it begins: the same seed is the same day,
as far as processes and brokers let it be.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

# The product's session timeout: who is frozen for longer is replaced, and wakes up as a zombie.
SESSION_S = 6.0
FIRST_S = 2.0  # when the first hit comes, after the workers have begun to work
SETTINGS = {
    "allowed_lateness": "6d",
    "abandon_after": "8d",
    "refund_window": "10d",
    "format": "segment",
}  # so that a month of event time sees the end of everything
LINKED = 0.75  # of the seeds have identity on
LATER = {"format": "auto"}  # of the workers that take what is redriven in the end: they can read more
PARTITIONS, UNKEYED_PARTITIONS = 8, 3

OFTEN = {
    "kill": 5,
    "zombie": 4,
    "freeze": 3,
    "term": 4,
    "join": 3,
}  # how often each is drawn, beside the brokers' share
KIND_NAMES = (*OFTEN, "broker", "refuse")
LETTERS = ("late", "late", "rejected")
MOST, LEAST = 4, 1  # workers that are alive
PIECE_S = 0.5  # events come in pieces of this length, each with a rate of its own
RATES = (0.1, 0.5, 1.0, 1.0, 4.0)  # so batches are small here and large there


class Size(NamedTuple):
    """How much of everything. `seconds`: over which the events come and the hits happen."""

    events: int
    people: int
    hits: int
    seconds: float
    redrives: int  # commands while events come, and as many in the end


SHORT = Size(events=40_000, people=1_200, hits=10, seconds=42.0, redrives=3)
LONG = Size(events=320_000, people=6_000, hits=36, seconds=270.0, redrives=8)


class Hit(NamedTuple):
    """Something is done to a worker or to a broker.

    `victim` and `wait` are parts of 1 that say which and for how long.
    """

    at_s: float
    kind: str
    victim: float
    wait: float


class Redriving(NamedTuple):
    """Somebody redrives dead letters.

    `wait` is a part of 1 that says after how long the command is killed, if it is.
    """

    at_s: float
    letter: str
    is_killed: bool
    wait: float
    hits_worker: bool  # a worker is killed meanwhile


class LinkReach(NamedTuple):
    """How far links reach in a run with identity on, and how many users share a device that is nobody's."""

    back: str
    forward: str
    shared_above: int


class Plan(NamedTuple):
    """Everything that the seed decides but for the events, which go on from `rnd`."""

    size: Size
    workers: int  # at the beginning
    idle_after: str  # how soon the wall clock moves the timers of a partition that nothing comes to
    static: bool  # workers have names in the group, and come back under them
    hits: list[Hit]
    pieces: list[float]  # the part of the events that each piece of time brings
    rnd: Random
    redrives: list[Redriving]
    links: LinkReach | None  # None: identity is off
    sharing: Random  # who shares a device and signs in where goes on from this

    @property
    def settings(self) -> dict[str, Any]:
        """What the workers run under, as a settings file has it."""
        identity = {"on": False} if self.links is None else {"on": True, **self.links._asdict()}
        return {**SETTINGS, "identity": identity}


def draw(seed: int, size: Size, kinds: Sequence[str] = ()) -> Plan:
    """The plan of a seed. `kinds`: only such hits."""
    rnd = Random(seed)
    workers, idle_after, static = rnd.choice((3, 4)), rnd.choice(("2s", "1h")), rnd.random() < 0.5
    chosen = ["kill", "zombie", "freeze", "term", "join"][
        : size.hits
    ]  # each comes about, also in a short run
    bag = [kind for kind, weight in OFTEN.items() for _ in range(weight)]
    chosen += rnd.choices(bag, k=size.hits - len(chosen))
    rare = max(1, size.hits // 10)  # each takes some seconds, and the workers some more
    chosen = [*chosen[: size.hits - 2 * rare], *["broker", "refuse"] * rare]
    if kinds:
        chosen = [kinds[n % len(kinds)] for n in range(size.hits)]
    rnd.shuffle(chosen)
    times = sorted(rnd.uniform(FIRST_S, size.seconds * 0.95) for _ in chosen)
    hits = [Hit(at, kind, rnd.random(), rnd.random()) for at, kind in zip(times, chosen, strict=True)]
    weights = [rnd.choice(RATES) for _ in range(int(size.seconds / PIECE_S))]
    pieces = [w / sum(weights) for w in weights]
    sharing = Random(f"sharing {seed}")  # of its own, too
    return Plan(
        size, workers, idle_after, static, hits, pieces, rnd, _redrives(seed, size), _links(sharing), sharing
    )


def _links(rnd: Random) -> LinkReach | None:
    """Short enough that links cease to reach in a month, and are forgotten in some runs."""
    on, back, forward = rnd.random() < LINKED, rnd.choice(("0s", "1d", "2d", "4d")), rnd.choice(("4d", "30d"))
    return LinkReach(back, forward, rnd.choice((2, 3))) if on else None


def _redrives(seed: int, size: Size) -> list[Redriving]:
    rnd = Random(f"redrives {seed}")  # of its own: hits and events stay as they are
    return [
        Redriving(
            rnd.uniform(0.3, 0.9) * size.seconds,
            rnd.choice(LETTERS),
            n % 3 != 0,
            rnd.random(),
            n % 3 != 1,
        )
        for n in range(size.redrives)
    ]
