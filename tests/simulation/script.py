"""The script of a run: everything that happens from outside, drawn once from the seed.

Each operation stands alone and holds absolute times, so that leaving any of them out is another
possible day: that is how a trace is shortened.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

import msgspec

from schemas.receipt import DeadLetterTopic
from streams.core.ingest.partition import partition_of
from tests.reading import key_of
from tests.simulation.sign_ins import Person, SignIns
from tests.simulation.wire import time
from tests.simulation.world import (
    APART_SHARE,
    DAY,
    EDITED,
    REFUSAL,
    ROBOT_AGENT,
    RULES,
    SECOND,
    START,
    TENANTS,
    TROUBLES,
    World,
    owned,
    tenants_of,
)

POINTS = (
    "open.before",
    "open.after",
    "restore.before",
    "read.before",
    "commit.before",
    "commit.write",
    "commit.write",
    "commit.after",
)
POISON = (b"", b"{", b"\xff\x00", b"[]", b'{"type":"track"}', b'{"type":"identify","userId":"a"}', b"0" * 99)
SIGNING_IN = 0.3  # so many sign-ins for each event, in days with identity
TROUBLED = 0.15  # of the events have a cue
PAUSES = 9  # effects that one turn lets a worker do at most; a step has six


class Send(NamedTuple):
    """A record is appended to a partition of an input at this wall time."""

    partition: int
    time_ms: int
    value: bytes
    input: int = 0


class Turn(NamedTuple):
    """A worker goes on with a partition, if it has or may have it, for some effects.

    `clock`: the wall time, as the partition has been idle.
    """

    worker: int
    partition: int
    effects: int
    batch: int
    clock: int | None = None
    crash: str | None = None  # dies where this effect is reached
    nth: int = 0  # of several
    hidden: tuple[int, ...] = ()  # inputs where a transaction is open now: nothing more can be read of them
    first: int = 0  # which of its sources is read first


class Kill(NamedTuple):
    """A worker dies with all it holds."""

    worker: int


class Move(NamedTuple):
    """A partition is given to a worker. If the old one is not told, it goes on: a zombie."""

    partition: int
    worker: int
    told: bool


class Deploy(NamedTuple):
    """A worker is restarted with a version of the rules."""

    worker: int
    rules: int


class Impostor(NamedTuple):
    """A worker with other fold settings tries to take a partition over."""

    partition: int


class Command(NamedTuple):
    """A command redrives the dead letters of a topic at this wall time."""

    letter: DeadLetterTopic
    time_ms: int
    crash: str | None = None  # it is killed where this effect is reached
    nth: int = 0  # of several
    is_blind: bool = False  # it looks at no receipts, and sends what counts already once more


class Look(NamedTuple):
    """The laws are asked in the middle of it."""

    partition: int


Op = Send | Turn | Kill | Move | Deploy | Impostor | Command | Look


@dataclass
class _Partition:
    top: int = START  # greatest time sent
    sent: list[bytes] = field(default_factory=list)
    quiet: tuple[float, float] = (2.0, 2.0)  # between these parts of the span nobody sends
    held: tuple[float, float] = (2.0, 2.0)  # its second collector keeps everything until the end of this
    stalled: tuple[float, float] = (2.0, 2.0)  # nobody works on it
    hidden: list[tuple[float, float]] = field(default_factory=list)  # by input: a transaction stays open
    first: int = 0  # the source that is read first as a rule: of a backlog the others stay behind
    last_ms: int = START  # when something was sent


def write(world: World) -> list[Op]:
    """The script of a world."""
    return _Author(world).write()


class _Author:
    def __init__(self, world: World) -> None:
        self.world, self.rnd = world, Random(f"script {world.seed}")
        self.fewer = Random(f"fewer {world.seed}")  # of its own: the rest of the script stays as it is
        self.apart = Random(f"apart {world.seed}")  # for the same reason
        self.till = Random(f"till {world.seed}")
        self.troubles = Random(f"troubles {world.seed}")
        self.redrives = Random(f"redrives {world.seed}")
        self.money = Random(f"money {world.seed}")  # a stream of its own, as that one
        self.ops: list[Op] = []
        self.offset = 0  # of the wall clock from the truth
        self.count = 0
        # arrival, number, partition, input, value
        self.future: list[tuple[int, int, int, int, bytes]] = []
        rnd = self.rnd
        self.parts = [_Partition() for _ in range(world.partitions)]
        for p in self.parts:
            for name in ("quiet", "held", "stalled"):
                if rnd.random() < 0.3:
                    begin = rnd.random()
                    setattr(p, name, (begin, begin + rnd.uniform(0.1, 0.6)))
            if world.inputs > 1:
                for _ in range(world.inputs):
                    begin = rnd.random() if rnd.random() < 0.4 else 2.0
                    p.hidden.append((begin, begin + rnd.uniform(0.1, 0.6)))
                p.first = rnd.randrange(world.inputs)
        tenants = tenants_of(world)
        self.people = [
            Person(
                rnd.choice(("userId", "anonymousId")),
                owned(f"{'ab'[n % 2]}{n}", part, world.partitions, tenants),
                part,
                rnd.randrange(max(2, world.inputs)),
            )
            for part in range(world.partitions)
            for n in range(world.people)
        ]
        self.sign_ins = SignIns(world, self.people) if world.identity else None

    def write(self) -> list[Op]:
        world, rnd, rates = self.world, self.rnd, self.world.rates
        per_event = 3 * world.partitions
        turns = world.events * per_event
        events = sorted(rnd.random() for _ in range(world.events))
        looks = {rnd.randrange(turns) for _ in range(2)}
        for n in range(turns):
            part = n / turns
            now = START + int(world.span * part)
            while events and events[0] <= part:
                events.pop(0)
                self.event(now, part)
            while self.future and self.future[0][0] <= now:
                _, _, partition, input, value = heappop(self.future)
                self.send(partition, now, value, input)
            if rnd.random() < rates.clock:
                skew, allowed_lateness = world.settings.skew, world.allowed_lateness
                self.offset = rnd.choice(
                    (
                        0,
                        0,
                        0,
                        rnd.randrange(-2 * skew, 2 * skew),
                        rnd.randrange(-allowed_lateness, allowed_lateness),
                        rnd.randrange(-9, 9) * DAY,
                    )
                )
            self.turn(now, part)
            if rnd.random() < rates.kill:
                self.ops.append(Kill(rnd.randrange(world.workers)))
            if rnd.random() < rates.move:
                self.ops.append(
                    Move(rnd.randrange(world.partitions), rnd.randrange(world.workers), rnd.random() < 0.4)
                )
            if rnd.random() < rates.deploy:
                self.ops.append(Deploy(rnd.randrange(world.workers), rnd.randrange(len(RULES))))
            if rnd.random() < rates.impostor:
                self.ops.append(Impostor(rnd.randrange(world.partitions)))
            if self.redrives.random() * turns < world.redrives:
                self.redrive(now)
            if n in looks:
                self.ops.append(Look(rnd.randrange(world.partitions)))
        for arrival, _, partition, input, value in sorted(self.future):
            self.send(partition, min(arrival, START + 2 * world.span), value, input)
        return self.ops

    def redrive(self, now: int) -> None:
        """Somebody redrives what is there, now and then twice at once."""
        rnd = self.redrives
        letter: DeadLetterTopic = rnd.choice(("late", "late", "rejected"))
        for _ in range(rnd.choice((1, 1, 2))):
            crash = rnd.choice((None, None, "append.before", "append.after"))
            nth, is_blind = rnd.choice((0, 0, 1, 3)), rnd.random() < 0.4
            self.ops.append(Command(letter, now + self.offset, crash, nth, is_blind))

    def turn(self, now: int, part: float) -> None:
        rnd, partition = self.rnd, self.rnd.randrange(self.world.partitions)
        p = self.parts[partition]
        if p.stalled[0] <= part < p.stalled[1]:
            return
        idle = now - p.last_ms > self.world.span // 50 and rnd.random() < 0.5
        crash = rnd.choice(POINTS) if rnd.random() < self.world.rates.crash else None
        self.ops.append(
            Turn(
                rnd.randrange(self.world.workers), partition, rnd.randint(1, PAUSES),
                rnd.choice((1, 2, 7, 50)),
                now + self.offset if idle else None, crash, rnd.choice((0, 0, 1, 3, 9)),
                tuple(n for n, (begin, end) in enumerate(p.hidden) if begin <= part < end),
                p.first if rnd.random() < 0.8 else rnd.randrange(self.world.inputs + 1),
            )
        )  # fmt: skip

    def send(self, partition: int, now: int, value: bytes, input: int) -> None:
        rnd, world = self.rnd, self.world
        if world.forwards and rnd.random() < 0.5:
            partition = rnd.randrange(world.partitions)
        elif who := key_of(value):
            partition = partition_of(who, world.partitions)
        p = self.parts[partition]
        p.sent.append(value)
        p.last_ms = now
        self.ops.append(Send(partition, now + self.offset, value, input))

    def deliver(self, person: Person, now: int, arrival: int, value: bytes) -> None:
        """Sends now, or later; as a rule into the input of the person's collector."""
        rnd, input = self.rnd, person.collector % self.world.inputs
        if self.world.inputs > 1 and rnd.random() < 0.2:
            input = rnd.randrange(self.world.inputs)
        if arrival <= now:
            self.send(person.partition, now, value, input)
        else:
            self.count += 1
            heappush(self.future, (arrival, self.count, person.partition, input, value))

    def event(self, now: int, part: float) -> None:
        """Somebody does something, and what a collector makes of it."""
        world, rnd, rates = self.world, self.rnd, self.world.rates
        if self.sign_ins is not None and self.sign_ins.rnd.random() < SIGNING_IN:
            self.sign_in(self.sign_ins, now)
        person = rnd.choice(self.people)
        if world.robot and rnd.random() < 0.5:
            person = self.people[person.partition * world.people]
        p = self.parts[person.partition]
        if p.quiet[0] <= part < p.quiet[1]:
            return
        if rnd.random() < rates.poison:
            self.send(person.partition, now, rnd.choice(POISON), person.collector % world.inputs)
        at, arrival = self.when(person, p, now)
        if self.sign_ins is not None:
            at, arrival = self.sign_ins.aimed(person, at, arrival)
        if person.collector and p.held[0] <= part < p.held[1]:
            arrival = max(arrival, START + int(p.held[1] * world.span))
        self.count += 1
        event = f"e{self.count}"
        if self.sign_ins is not None:
            event = self.sign_ins.event_id(person, event)
        self.tell(person, event, at, now, arrival)
        if rnd.random() < rates.resent and p.sent:
            begin = rnd.randrange(len(p.sent))
            for value in p.sent[begin : begin + rnd.randint(2, 12)]:
                self.send(person.partition, now, value, person.collector % world.inputs)

    def sign_in(self, sign_ins: SignIns, now: int) -> None:
        """Somebody signs in, and goes on as a guest or not."""
        self.count += 1
        user, at, call = sign_ins.sign_in(self.count, now, [p.top for p in self.parts])
        p = self.parts[user.partition]
        if at < now + self.world.allowed_lateness:
            p.top = max(p.top, at)
        arrival = max(now, at)
        if sign_ins.rnd.random() < self.world.rates.disorder:
            arrival += sign_ins.rnd.randrange(2 * self.world.allowed_lateness)
        self.deliver(user, now, arrival, msgspec.json.encode(call))
        while sign_ins.rnd.random() < self.world.rates.again:
            self.deliver(user, now, arrival, msgspec.json.encode(call))

    def when(self, person: Person, p: _Partition, now: int) -> tuple[int, int]:
        """Event time and arrival. Now and then exactly at a deadline, or one millisecond beside it."""
        world, rnd, rates = self.world, self.rnd, self.world.rates
        s, allowed_lateness = world.settings, world.allowed_lateness
        chance = rnd.random()
        if chance < rates.wrong_clock:
            return rnd.choice(
                (915_148_800_000, 946_684_800_000, 2_147_483_647_000, now + allowed_lateness)
            ), now
        if chance < rates.wrong_clock + rates.late:
            return p.top - allowed_lateness + rnd.choice((-1, 0, 1, -allowed_lateness // 2)), now
        near = rnd.choice((-1, 0, 0, 1))
        if chance > 0.85:
            wait = rnd.choice(
                (
                    s.patience.know,
                    s.patience.go,
                    s.patience.do,
                    s.patience.buy,
                    s.abandon_after,
                    s.join_window,
                )
            )
            return person.at + wait + near, max(now, person.at + wait)
        at = now - now % world.grain
        if chance > 1 - rates.disorder:
            at -= rnd.randrange(
                1 + rnd.choice((allowed_lateness // 50, allowed_lateness // 3, allowed_lateness))
            )
        return at, now

    def tell(self, person: Person, event: str, at: int, now: int, arrival: int) -> None:
        """One event with its copies, and what follows from it: thank-you pages and refunds."""
        world, rnd, rates = self.world, self.rnd, self.world.rates
        person.moment = name = self.what(person.moment)
        order: str | None = None
        if "paid" in name and rnd.random() < 0.6:
            order = f"o{rnd.randrange(4)}"
        if "back" in name and rnd.random() < 0.6:
            order = rnd.choice(person.orders)[1] if person.orders else "o0"
        self.packet(person, event, name, at, order, now, arrival)
        person.at = at
        while rnd.random() < rates.restamped:
            near = rnd.randrange(-world.allowed_lateness // 2, world.allowed_lateness // 2)
            far = int(world.allowed_lateness * rnd.uniform(0.5, 1.95))
            # Of several sources only their reader knows whether a copy from afar came after its event was
            # forgotten: `verify`, which reads the sources one after the other, cannot tell.
            shift = rnd.choice((near, far if world.inputs == 1 and not world.messages else near))
            self.packet(person, event, name, at + shift, order, now, max(now, arrival, at + shift))
        if name == "paid":
            person.orders = [*person.orders[-3:], (at, order)]
            s = world.settings
            if self.till.random() < 0.4:
                self.last_word(person, f"{event}t", at, order, now)
            while self.till.random() < 0.3:
                self.edit(person, f"{event}u{self.till.randrange(100)}", at, order, now)
            if rnd.random() < 0.3:
                repeat = at + rnd.choice(
                    (
                        0,
                        1,
                        s.join_window,
                        s.join_window + 1,
                        s.refund_window,
                        rnd.randrange(1 + 2 * s.join_window),
                    )
                )
                self.packet(
                    person, f"{event}j", name, repeat, rnd.choice((order, order, None)), now, max(now, repeat)
                )
            if rnd.random() < 0.3:
                returned = at + rnd.choice(
                    (s.refund_window, s.refund_window + 1, rnd.randrange(s.refund_window))
                )
                self.packet(
                    person,
                    f"{event}r",
                    "back",
                    returned,
                    order,
                    now,
                    max(now, returned + rnd.choice((0, rnd.randrange(world.allowed_lateness)))),
                )

    def last_word(self, person: Person, event: str, at: int, order: str | None, now: int) -> None:
        """What the browser says of the till after a purchase, within its grace and just beyond it."""
        grace_ms = self.world.settings.purchase_grace
        said = at + self.till.choice((0, 1, grace_ms, grace_ms + 1, self.till.randrange(1 + 2 * grace_ms)))
        own = self.till.choice((None, None, order, "o0", "o9"))
        self.packet(person, event, "cart", said, own, now, max(now, said))

    def edit(self, person: Person, event: str, at: int, order: str | None, now: int) -> None:
        """The shop tells of an order again, since somebody has edited it: at once, in time, much later."""
        till, lateness_ms = self.till, self.world.allowed_lateness
        refund_ms = self.world.settings.refund_window
        edited = at + till.choice((-1, 0, 1, SECOND, lateness_ms, lateness_ms + 1, refund_ms, refund_ms + 1))
        if till.random() < 0.5:
            edited = at + till.randrange(2 * lateness_ms)
        made = till.choice((None, at, at, at - at % SECOND, edited - lateness_ms, edited - lateness_ms - 1))
        own = till.choice((order, order, order, None, "o0", "o9"))
        self.packet(person, event, EDITED, edited, own, now, max(now, edited), made=made)

    def what(self, moment: str) -> str:
        """What somebody does next: mostly forwards, with everything else now and then."""
        rnd = self.rnd
        forward = {"seen": "went", "went": "did", "did": "cart", "cart": "paid"}
        if rnd.random() < 0.45:
            return forward.get(moment, "seen")
        return rnd.choice(
            (
                "seen",
                "seen",
                "went",
                "did",
                "cart",
                "paid",
                "back",
                "ping",
                "ping",
                "maybe paid",
                "maybe back",
                "noise",
            )
        )

    def pay(self, name: str, properties: dict[str, Any], channel: str) -> str:
        """Says how much it was, or not, and in which currency. Returns the channel that it is said on.

        Amounts are small, so that refunds often give back just what is left; those of refunds are smaller, so
        that they often leave something.
        """
        rnd = self.money
        for product in properties.get("products", ()):
            if rnd.random() < 0.5:
                product |= {"price": rnd.choice((1, "2.00", 1.5)), "quantity": rnd.choice((1, 1, 2))}
        if rnd.random() < 0.85:
            totals = (0.5, 1, "0,50", 1, 2, 0, "?") if "back" in name else (1, 2, "3,00", 4.5, 0, "?")
            properties["total"] = rnd.choice(totals)
        if rnd.random() < 0.9:
            properties["currency"] = rnd.choice(("EUR", "EUR", "EUR", "EUR", "EUR", "JPY"))
        return "server" if rnd.random() < 0.3 else channel

    def packet(
        self,
        person: Person,
        event: str,
        name: str,
        at: int,
        order: str | None,
        now: int,
        arrival: int,
        made: int | None = None,
    ) -> None:
        world, rnd = self.world, self.rnd
        properties: dict[str, Any] = {} if made is None else {"made": time(made)}
        if order:
            properties["order_id"] = order
        if world.settings.need and rnd.random() < 0.6:
            properties["products"] = [
                {"category": rnd.choice(("car", "coffee", "tea"))} for _ in range(rnd.choice((1, 1, 2)))
            ]
        if world.settings.tenant:
            properties["shop"] = rnd.choice(TENANTS)
        if self.troubles.random() < TROUBLED:
            properties["trouble"] = self.troubles.choice(TROUBLES)
        call: dict[str, Any] = {
            "type": "track",
            "messageId": event,
            "event": name,
            "timestamp": time(at),
            person.key: person.name,
            "properties": properties,
            "context": {
                "timezone": rnd.choice(("Europe/Rome", "UTC")),
                "device": {"type": rnd.choice(("mobile", "desktop", "fridge"))},
            },
            "channel": rnd.choice(("web", "app")),
        }
        if "paid" in name or "back" in name:
            call["channel"] = self.pay(name, properties, str(call["channel"]))
        if self.apart.random() < APART_SHARE:
            mark = self.apart.choice(({"userAgent": ROBOT_AGENT}, {"consent": REFUSAL}))
            call["context"] = {**call["context"], **mark}
        if self.sign_ins is not None:
            self.sign_ins.sign(person, call, at)
        value = msgspec.json.encode(call)
        self.deliver(person, now, arrival, value)
        # A copy that names fewer needs is the smaller one, and takes less room.
        if world.inputs == 1 and "products" in properties and self.fewer.random() < world.rates.again:
            less = {name: found for name, found in call["properties"].items() if name != "products"}
            self.deliver(person, now, arrival, msgspec.json.encode({**call, "properties": less}))
        p = self.parts[person.partition]
        if at < now + world.allowed_lateness:
            p.top = max(p.top, at)
        if rnd.random() < world.rates.again:
            self.deliver(
                person,
                now,
                arrival + rnd.choice((0, 0, rnd.randrange(int(1.2 * world.allowed_lateness)))),
                value,
            )
