"""Makes up shoppers for trying things out: a stream of Segment records that never ends.

It is pure: the caller gives the time, and the same seed gives the same records. Each visitor walks through a
small shop step by step (`NEXT_STEPS`); people come back, on one device or another, and sign in when it is
their habit (`visitors.py`). Some records are faulty, as those of real collectors are, at the rates of
`FAULTS`, so that every outcome occurs: copies, delays, broken records. Beyond that, things go wrong if they
are to (`incidents.py`).
"""

from bisect import bisect
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from time import gmtime, strftime
from typing import NamedTuple

import msgspec

from streams.sources.incidents import Incident, Incidents, ShopStep, StepOutcome
from streams.sources.rhythm import BUSIEST_SHARE, Rhythm
from streams.sources.shop_steps import (
    CATEGORIES,
    FAULTS,
    NEXT_STEPS,
    QUERIES,
    STEP_EVENTS,
    UNREADABLE_VALUES,
    Steps,
)
from streams.sources.visitors import Visitor, zone_of

THINK_S = 12.0  # the mean time between two events of a visitor
MIN_VISITORS = 8  # in the shop at once, however slow the stream is
MAX_DELAY_S = 120.0  # a phone in a tunnel
VERY_LATE_S = 5 * 86_400.0  # a collector that was switched on again: beyond the allowed lateness of 48 h
REMEMBERED = 200  # the last records that may be sent again, and the last orders that may be refunded
MAX_TRIES = 50  # for a visitor who is awake: more than enough at four in the morning
PARTIAL_SHARE = 0.5  # of the refunds give back a part of what is left of an order, the others all of it


class MadeRecord(NamedTuple):
    """One record for the input topic."""

    key: bytes  # the person's id, as it is in the record; b"" if nobody can read an id in it
    value: bytes


class Shop:
    """A shop with visitors. `sends` returns what its collector sends, record after record."""

    def __init__(
        self,
        seed: int,
        rate: float,
        people: int,
        incidents: Sequence[Incident] = (),
        rhythm: Rhythm | None = None,
    ) -> None:
        """`rate` is how many records per second the caller will take: visitors take their time accordingly.

        `people` is how many different visitors there are. With a `rhythm` they come when they are awake; the
        caller decides how many records it takes when.
        """
        assert rate > 0, rate
        assert people > 0, people
        self._random = Random(seed)  # who does what, and when
        self._aside = Random(f"{seed}/aside")  # what changes nothing of that
        self._incident_aside = Random(f"{seed}/incidents")  # what an incident adds
        self._people, self._rhythm = people, rhythm
        self._incidents = Incidents(incidents, seed)
        self._visitors = [self._visitor(None) for _ in range(max(MIN_VISITORS, round(rate * THINK_S)))]
        self._sent: deque[Sequence[MadeRecord]] = deque(maxlen=REMEMBERED)
        # Who ordered, which order, and what of it is not given back yet.
        self._orders: deque[tuple[Visitor, str, int]] = deque(maxlen=REMEMBERED)
        self._unbought: set[str] = set()  # orders that an incident has prevented

    def next(self, now_ms: int) -> MadeRecord:
        """The next record of a shop without incidents, sent at this time (milliseconds since 1970)."""
        (record,) = self.sends(now_ms)
        return record

    def sends(self, now_ms: int) -> Sequence[MadeRecord]:
        """What is sent at this time (milliseconds since 1970): one record, but none or several in some
        incidents.
        """
        records = self._next(now_ms)
        return () if self._incidents.is_off(now_ms) else records

    def busy(self, now_ms: int) -> float:
        """How busy people are with shopping at this time: 1 is the average of a week."""
        return 1.0 if self._rhythm is None else self._rhythm.of_everybody(now_ms)

    def _next(self, now_ms: int) -> Sequence[MadeRecord]:
        draw = self._random.random()
        if draw < FAULTS.unreadable:
            return (MadeRecord(b"", self._random.choice(UNREADABLE_VALUES)),)
        if draw < FAULTS.unreadable + FAULTS.duplicate and self._sent:
            return self._random.choice(self._sent)[:1]
        at_ms = now_ms
        if (chance := self._random.random()) < FAULTS.very_late:
            at_ms -= round(VERY_LATE_S * 1000)
        elif chance < FAULTS.very_late + FAULTS.delayed:
            at_ms -= round(self._random.random() * MAX_DELAY_S * 1000)
        is_refund = self._orders and self._random.random() < FAULTS.refunded
        records = self._refund(at_ms) if is_refund else self._step(at_ms, now_ms)
        self._sent.append(records)
        return records

    def _visitor(self, now_ms: int | None) -> Visitor:
        """Somebody who comes now; None: at any time."""
        number = self._random.randrange(self._people)
        if self._rhythm is not None and now_ms is not None:
            for _ in range(MAX_TRIES):
                if self._random.random() * BUSIEST_SHARE < self._rhythm.of_zone(zone_of(number), now_ms):
                    break
                number = self._random.randrange(self._people)
        return Visitor(number, self._people, self._random, self._aside)

    def _step(self, at_ms: int, now_ms: int) -> Sequence[MadeRecord]:
        place = self._random.randrange(len(self._visitors))
        visitor = self._visitors[place]
        step = visitor.next_step or self._draw(NEXT_STEPS[visitor.step])
        if not step:
            visitor = self._visitors[place] = self._visitor(now_ms)
            step = self._draw(NEXT_STEPS[""])
        is_first = not (visitor.step or visitor.next_step)
        step = visitor.go(step)
        properties, locale = self._act(visitor, step)
        happened = ShopStep(step, visitor.device_type, is_first, visitor.luck, at_ms)
        outcome = self._incidents.outcome(happened)
        if outcome.step != step and step == "order":
            self._unbought.add(visitor.order)
            if len(self._unbought) > 2 * REMEMBERED:
                self._unbought &= {order for _, order, _ in self._orders}
        message = self._message_id(self._random)
        if outcome.step is None:
            return ()
        if outcome.step != step:
            properties = {"order_id": visitor.order} if outcome.step == "failed" else {"product_id": "p0"}
        if outcome.load_ms is not None and STEP_EVENTS[outcome.step][0] == "page":
            properties["page_load_ms"] = outcome.load_ms
        fields = self._fields(outcome.step, properties)
        record = self._record(visitor, at_ms, fields, STEP_EVENTS[outcome.step][2], locale, message)
        return record, *self._others(visitor, outcome, at_ms)

    def _others(self, visitor: Visitor, outcome: StepOutcome, at_ms: int) -> Sequence[MadeRecord]:
        """What comes besides, in some incidents."""
        visitors = [
            Visitor(0, self._people, self._incident_aside, self._incident_aside) for _ in range(outcome.bots)
        ]
        for bot in visitors:
            bot.device, bot.device_type = f"device-{self._incident_aside.getrandbits(48):012x}", "desktop"
            bot.signed_in = False
        if outcome.goes_back:
            visitors.append(visitor)
        kind, locale = "product", "it-IT"
        return [
            self._record(
                of,
                at_ms + 1,  # after what the visitor has just done
                self._fields(kind, {"product_id": "p0"}),
                STEP_EVENTS[kind][2],
                locale,
                self._message_id(self._incident_aside),
            )
            for of in visitors
        ]

    def _refund(self, at_ms: int) -> Sequence[MadeRecord]:
        visitor, order, left = self._orders.popleft()
        amount = left
        if left > 1 and self._random.random() < PARTIAL_SHARE:
            amount = self._random.randrange(1, left)
            self._orders.append((visitor, order, left - amount))
        properties = {"order_id": order, "total": amount, "currency": "EUR"}
        fields: dict[str, object] = {"type": "track", "event": "Order Refunded", "properties": properties}
        message = self._message_id(self._random)
        if order in self._unbought:
            return ()
        return (self._record(visitor, at_ms, fields, "/account/orders", "it-IT", message),)

    def _fields(self, step: str, properties: dict[str, object]) -> dict[str, object]:
        """What the event of a step has, besides what every event has."""
        kind, name, path = STEP_EVENTS[step]
        if kind == "track":
            return {"type": kind, "event": name, "properties": properties}
        if kind == "page":
            return {"type": kind, "name": name, "properties": {"path": path} | properties}
        return {"type": kind, "traits": {"plan": "gold"}}

    def _act(self, visitor: Visitor, step: str) -> tuple[dict[str, object], str]:
        """Does what the step does to the visitor. Returns the properties and the locale of its event."""
        random, properties, locale = self._random, dict[str, object](), "it-IT"
        match step:
            case "search":
                properties["query"], locale = random.choice(QUERIES)
            case "list":
                properties["category"] = CATEGORIES[visitor.number % len(CATEGORIES)]
            case "product" | "add":
                visitor.cart += step == "add"
                properties["product_id"] = f"p{random.randrange(400)}"
                properties |= {"price": 40 + random.randrange(160), "currency": "EUR"}
            case "store" | "directions":
                properties["store_id"] = f"s{random.randrange(12)}"
            case "video":
                properties["content_asset_id"] = f"v{random.randrange(20)}"
            case "cart":
                properties["products"] = visitor.cart
            case "checkout":
                visitor.order = f"o{random.getrandbits(48):012x}"
                properties["order_id"] = visitor.order
            case "pay":
                properties |= {"order_id": visitor.order, "payment_method": "card"}
            case "order":
                total = 40 + random.randrange(300)
                self._orders.append((visitor, visitor.order, total))
                properties |= {"order_id": visitor.order, "total": total, "currency": "EUR"}
        return properties, locale

    def _message_id(self, random: Random) -> str:
        h = f"{random.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def _record(
        self,
        visitor: Visitor,
        at_ms: int,
        fields: dict[str, object],
        path: str,
        locale: str,
        message: str,
    ) -> MadeRecord:
        """A record with these fields and those that every event has."""
        record: dict[str, object] = {
            "type": fields["type"],
            "messageId": message,
            "anonymousId": visitor.device,
            "timestamp": f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(at_ms // 1000))}.{at_ms % 1000:03d}Z",
            "context": {
                "channel": "app" if visitor.is_in_app else "web",
                "device": {"type": visitor.device_type},
                "campaign": {"medium": visitor.channel},
                "locale": locale,
                "timezone": visitor.zone,
                "page": {"path": path, "url": f"https://shop.example{path}"},
            },
        }
        key = visitor.device
        if visitor.signed_in:
            record["userId"] = key = f"user-{visitor.number}"
        return MadeRecord(key.encode(), msgspec.json.encode(record | fields))

    def _draw(self, steps: Steps) -> str:
        sums = list(accumulate(weight for _, weight in steps))
        return steps[bisect(sums, self._random.random() * sums[-1])][0]
