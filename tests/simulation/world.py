"""What one seed makes of a world: how long it lasts, who lives in it, and how often things go wrong.

Spans are drawn against the horizon, so that some days lie inside it and others
outlast patience, refund window and memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

from streams.core.identity import device, devices
from streams.core.ingest.partition import partition_of
from streams.core.journeys import machine, needs, population, profile, store, trimming
from streams.core.journeys.signal import SIZE
from streams.core.moments.rules import Rules, load_rules
from streams.core.processing import processor
from streams.queries import redriving
from streams.settings.tables import Settings
from streams.topology import source_name
from tests import oracle

START = 1_772_323_200_000  # 2026-03-01T00:00:00Z
# What tells events that are counted apart, and how often they come. `account` knows them by these texts.
ROBOT_AGENT, REFUSAL = "Googlebot/2.1", {"categoryPreferences": {"analytics": False}}
APART_SHARE = 0.06
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

EDITED = "edited"  # an order was edited; `account` reads when it was made from `made`
TROUBLES = ("payment_error", "slow_page")  # what may happen inside a moment

TENANTS = ("", "north", "south")
IDENTITY_SHARE = 0.35  # of the days have identity on
# Of those, dead letters are redriven in as many: what they change is verify's to say, and not the oracle's.
REDRIVEN_SHARE = 0.4
CROWDED_SHARE = 0.2  # of those have caps as small as on other days: what these decide is left out of the law
UNCAPPED = 4_096  # signals of a profile, in the other days with identity: more than there ever are
IGNORED = "properties.for_somebody"  # an event that has this is no link

_V1 = (
    ("seen", "know", 0.9),
    ("went", "go", 0.9),
    ("did", "do", 0.8),
    ("cart", "buy", 0.95),
    ("paid", "truth", 0.98),
    ("back", "refund", 0.98),
    (EDITED, "truth", 0.97),
)
_WEAK = (("ping", "know", 0.3), ("maybe paid", "truth", 0.4), ("maybe back", "refund", 0.2))
_V2 = (
    ("went", "do", 0.9),
    ("seen", "know", 0.7),
    ("noise", "go", 0.6),
    ("cart", "buy", 0.4),
    ("paid", "truth", 0.98),
    ("back", "refund", 0.98),
    (EDITED, "truth", 0.97),
)
_V3 = (
    ("paid", "truth", 0.99),
    ("seen", "go", 0.9),
    ("back", "refund", 0.5),
    ("did", "know", 0.9),
    ("ping", "buy", 0.3),
    (EDITED, "truth", 0.97),
)


def _rules(name: str, *rules: tuple[str, str, float]) -> Rules:
    text = f'name = "{name}"\n[read]\norder_time = ["properties.made"]\n'
    for said, moment, sure in rules:
        text += f'[[event]]\nname = "{said.replace(" ", "-")}-is-{moment}"\n'
        text += f'moment = "{moment}"\nconfidence = {sure}\nnames = ["{said}"]\n'
        text += "update = true\n" if said == EDITED else ""
    for cue in TROUBLES:
        text += f'[[cue]]\nname = "{cue}"\ncue = "{cue}"\ntypes = ["track"]\n'
        text += f'where = {{ path = "properties.trouble", is = ["{cue}"] }}\n'
    return load_rules(text)


INPUTS = ("events", "orders", "visits")

RULES = (_rules("first", *_V1, *_WEAK), _rules("second", *_V2, *_WEAK), _rules("third", *_V3))
"""Three versions that read the same events differently. A world begins with the first."""


@dataclass(frozen=True)
class Rates:
    """How likely each thing that goes wrong is, per operation or per event."""

    crash: float  # a running worker dies at an effect
    kill: float  # a whole worker dies
    move: float  # a partition goes to another worker, whose old owner may not know
    deploy: float  # a worker comes back with other rules
    impostor: float  # somebody starts a worker with other fold settings
    clock: float  # the wall clock is set, forwards or back
    again: float  # an event is sent twice as it is
    restamped: float  # an event is sent again with another time
    resent: float  # a collector sends a whole old batch once more
    disorder: float  # an event comes later than its neighbours
    late: float  # an event comes too late, or just not
    poison: float  # bytes that are no event
    wrong_clock: float  # a device whose clock is wrong


@dataclass(frozen=True)
class World:
    """Everything that is fixed during a run. Durations in milliseconds."""

    seed: int
    partitions: int
    workers: int
    events: int
    settings: Settings
    span: int
    grain: int  # event times are multiples of it: coarse ones meet in ties
    people: int  # per partition
    robot: bool  # the first person of each partition sends half of everything
    rates: Rates
    segment: int
    cap: int
    chores: int  # timers and chores per batch
    conversions: int  # remembered per need
    needs: int  # places for them per person, that of the nameless one included
    blind: bool  # a log that lets a fenced session go on reading, as a broker may
    inputs: int  # topics that every partition reads
    foreign: bool  # the inputs are keyed by whatever it may be, not by the person
    redrives: int  # commands that redrive dead letters, about so many
    sent_at_once: int  # dead letters that a command appends at once
    crowded: bool = False  # with identity on, profiles may be over their caps

    @property
    def allowed_lateness(self) -> int:
        return self.settings.allowed_lateness

    @property
    def forwards(self) -> bool:
        """Whether events come to partitions that do not own their people."""
        return self.foreign and self.partitions > 1

    @property
    def identity(self) -> bool:
        """Whether what devices do is given to users."""
        return self.settings.identity.on

    @property
    def told_by_oracle(self) -> bool:
        """Whether the oracle says what must be published once all is settled. With identity on, it does not
        know what caps decide and what is redriven.
        """
        return not self.identity or not (self.crowded or self.redrives)

    @property
    def messages(self) -> bool:
        """Whether partitions wait for each other, since one may send another what changes its people."""
        return self.partitions > 1 and (self.foreign or self.identity)

    @property
    def finality_delay(self) -> int:
        """What is older than this is final."""
        return self.allowed_lateness + (self.settings.identity.back if self.identity else 0)

    def inputs_of(self, partition: int) -> list[str]:
        """The inputs that a partition reads, as sources."""
        return [source_name(topic, partition) for topic in INPUTS[: self.inputs]]


def draw(
    seed: int, partitions: int | None = None, workers: int | None = None, events: int | None = None
) -> World:
    """The world of a seed."""
    rnd = Random(f"world {seed}")
    allowed_lateness = rnd.choice((10 * MINUTE, 2 * HOUR, 48 * HOUR))
    know = rnd.choice((allowed_lateness // 8, allowed_lateness // 2, allowed_lateness * 3 // 2))
    refund = rnd.choice(
        (allowed_lateness // 2, allowed_lateness * 3 // 2, allowed_lateness * 5, allowed_lateness * 45)
    )
    ms = {
        "know": know, "go": allowed_lateness // 12, "do": allowed_lateness // 2,
        "buy": allowed_lateness // 48, "abandon_after": rnd.choice((2, 4, 15)) * allowed_lateness,
        "refund_window": refund,
        "join_window": rnd.choice((0, allowed_lateness // 96, allowed_lateness // 6)),
        "purchase_grace": rnd.choice((0, allowed_lateness // 192, allowed_lateness // 12)),
        "allowed_lateness": allowed_lateness, "skew": allowed_lateness // 20, "exclude_after": 1_000 * DAY,
    }  # fmt: skip
    given: dict[str, Any] = {
        name: f"{n}ms" for name, n in ms.items() if name not in ("know", "go", "do", "buy")
    }
    given["identity"] = {"on": False}  # but see `_with_identity`
    given["patience"] = {name: f"{ms[name]}ms" for name in ("know", "go", "do", "buy")}
    if rnd.random() < 0.5:
        given["need"] = ["properties.products.category"]
    if rnd.random() < 0.2:
        given["tenant"] = "properties.shop"

    def rate(most: float) -> float:
        return rnd.choice((0.0, most / 10, most / 3, most))

    rates = Rates(
        crash=rate(0.15), kill=rate(0.03), move=rate(0.05), deploy=rate(0.02), impostor=rate(0.01),
        clock=rate(0.03), again=rate(0.2),
        restamped=rate(0.2), resent=rate(0.02), disorder=rate(0.5), late=rate(0.2), poison=rate(0.1),
        wrong_clock=rate(0.05),
    )  # fmt: skip
    redrives = Random(f"redrives of {seed}")  # of its own: the rest of the world stays as it is
    drawn = World(
        seed=seed,
        partitions=rnd.choice((1, 2, 2, 3)),
        workers=rnd.choice((1, 2, 3)),
        events=rnd.choice((40, 100, 160, 300)),
        settings=Settings.model_validate(given),
        span=allowed_lateness * rnd.choice((1, 8, 24, 24, 48, 96, 240)) // 4,
        grain=rnd.choice((1, SECOND, allowed_lateness // 100)),
        people=rnd.choice((1, 3, 6)),
        robot=rnd.random() < 0.3,
        rates=rates,
        segment=rnd.choice((1, 2, 4, 8)),
        cap=rnd.choice((8, 24, 256, 256)),
        chores=rnd.choice((1, 3, 10_000)),
        conversions=rnd.choice((2, 3, 64, 64)),
        blind=rnd.random() < 0.5,
        needs=rnd.choice((3, 3, 1_000)),
        inputs=rnd.choice((1, 1, 2, 3)),
        foreign=rnd.random() < 0.4,
        redrives=redrives.choice((0, 1, 3, 8)),
        sent_at_once=redrives.choice((1, 3, 500)),
    )
    if partitions or workers or events:
        over = {"partitions": partitions, "workers": workers, "events": events}
        drawn = World(**{**vars(drawn), **{name: n for name, n in over.items() if n}})
    return _with_identity(drawn, given)


def _with_identity(world: World, given: dict[str, Any]) -> World:
    """The world with identity on, if its seed says so."""
    rnd = Random(f"identity of {world.seed}")  # of its own: the other days stay as they are
    if rnd.random() >= IDENTITY_SHARE:
        return world
    lateness = world.allowed_lateness
    identity = {
        "on": True,
        "forward": f"{rnd.choice((0, lateness // 3, 2 * lateness, 10 * lateness))}ms",
        "back": f"{rnd.choice((0, lateness // 3, lateness, 3 * lateness))}ms",
        "shared_above": rnd.choice((1, 2, 5)),
        "ignore": IGNORED,
        "collective": [till_of(world)],
    }
    crowded = rnd.random() < CROWDED_SHARE
    return replace(
        world,
        settings=Settings.model_validate({**given, "identity": identity}),
        people=rnd.choice((2, 3, 6)),
        redrives=world.redrives if Random(f"redriven {world.seed}").random() < REDRIVEN_SHARE else 0,
        crowded=crowded,
        cap=world.cap if crowded else UNCAPPED,
        needs=world.needs if crowded else 1_000,
    )


def till_of(world: World) -> str:
    """The id of a user who is many people."""
    return owned("till", 0, world.partitions, tenants_of(world))


def tenants_of(world: World) -> tuple[str, ...]:
    """The shops of a world; "" is the shop of those who name none."""
    return TENANTS if world.settings.tenant else ("",)


def owned(name: str, partition: int, partitions: int, tenants: tuple[str, ...]) -> str:
    """An id that begins with this name and belongs to this partition, whatever its tenant."""
    for n in count():
        keys = [f"{tenant}\x1f{name}.{n}" if tenant else f"{name}.{n}" for tenant in tenants]
        if {partition} == {partition_of(key.encode(), partitions) for key in keys}:
            return f"{name}.{n}"
    raise AssertionError("some number fits")


@contextmanager
def sizes(world: World) -> Iterator[None]:
    """The product's bounds made small, so that short lives meet them; what is a rule of
    the page is made small in the oracle too.
    """
    new = {
        "SEGMENT": world.segment, "SEGMENT_BYTES": world.segment * SIZE, "MAX_LIVE_SIGNALS": world.cap,
        "TIMERS_PER_BATCH": world.chores, "CHORES_PER_BATCH": world.chores,
        "MAX_CONVERSIONS": world.conversions, "REMEMBERED": world.conversions, "MAX_NEEDS": world.needs,
        "SENT_AT_ONCE": world.sent_at_once,
        "PLACES": world.needs, "MAX_CUES": world.conversions, "MATCHED": world.conversions,
        "MAX_GIVEN": world.cap, "THIN_FROM": world.segment,
    }  # fmt: skip
    modules = (
        machine, profile, needs, trimming, population, store, processor, redriving, oracle, device, devices,
    )  # fmt: skip
    old = [
        (module, name, getattr(module, name)) for module in modules for name in new if hasattr(module, name)
    ]
    assert {name for _, name, _ in old} == new.keys()  # a bound that has moved would stay as large as it is
    try:
        for module, name, _ in old:
            setattr(module, name, new[name])
        yield
    finally:
        for module, name, value in old:
            setattr(module, name, value)
