"""Makes up shoppers for trying things out: a stream of Segment records that never ends.

It is pure: the caller gives the time, and the same seed gives the same records. Each visitor walks through a
small shop step by step (`NEXT_STEPS`); people come back, on one device or another, and sign in when it is
their habit (`visitors.py`). Some records are faulty, as those of real collectors are, at the rates of
`FAULTS`, so that every outcome occurs: copies, delays, broken records.
"""

from bisect import bisect
from collections import deque
from itertools import accumulate
from random import Random
from time import gmtime, strftime
from typing import NamedTuple

import msgspec

from streams.sources.visitors import Visitor

THINK_S = 12.0  # the mean time between two events of a visitor
MIN_VISITORS = 8  # in the shop at once, however slow the stream is
MAX_DELAY_S = 120.0  # a phone in a tunnel
VERY_LATE_S = 5 * 86_400.0  # a collector that was switched on again: beyond the allowed lateness of 48 h
REMEMBERED = 200  # the last records that may be sent again, and the last orders that may be refunded
PARTIAL_SHARE = 0.5  # of the refunds give back a part of what is left of an order, the others all of it


class FaultShares(NamedTuple):
    """The share of the records that each fault has, 0 to 1."""

    duplicate: float
    delayed: float
    very_late: float
    unreadable: float
    refunded: float


FAULTS = FaultShares(duplicate=0.01, delayed=0.03, very_late=0.001, unreadable=0.0005, refunded=0.0015)

Steps = tuple[tuple[str, float], ...]

# What a visitor may do after each step, with its weight. "" is outside of the shop.
NEXT_STEPS: dict[str, Steps] = {
    "": (("home", 4), ("search", 4), ("list", 3), ("guide", 1.5), ("store", 0.8)),
    "home": (("search", 3), ("list", 4), ("guide", 1), ("", 3)),
    "search": (("list", 5), ("product", 4), ("search", 2), ("", 2)),
    "list": (("product", 6), ("list", 3), ("search", 1), ("", 3)),
    "product": (("product", 4), ("add", 1.6), ("store", 0.7), ("guide", 1), ("list", 2), ("", 4)),
    "store": (("product", 2), ("directions", 1.5), ("", 3)),
    "directions": (("", 5), ("product", 1)),
    "guide": (("video", 2), ("product", 3), ("", 3)),
    "video": (("product", 3), ("add", 0.6), ("", 3)),
    "add": (("cart", 5), ("product", 3), ("", 2)),
    "cart": (("checkout", 6), ("product", 2), ("", 3)),
    "checkout": (("pay", 5), ("cart", 1), ("", 2)),
    "pay": (("order", 6), ("", 1.5)),
    "order": (("", 6), ("list", 1)),
}
# The event of each step: type, name, page.
STEP_EVENTS = {
    "home": ("page", "Home", "/"),
    "search": ("track", "Products Searched", "/search"),
    "list": ("track", "Product List Viewed", "/shoes"),
    "product": ("track", "Product Viewed", "/p/shoe"),
    "store": ("track", "Store Located", "/stores"),
    "directions": ("track", "Directions Requested", "/stores"),
    "guide": ("page", "Choosing shoes", "/how-to/choose-shoes"),
    "video": ("track", "Video Playback Started", "/how-to/choose-shoes"),
    "add": ("track", "Product Added", "/p/shoe"),
    "cart": ("track", "Cart Viewed", "/cart"),
    "sign-in": ("identify", "", "/login"),
    "checkout": ("track", "Checkout Started", "/checkout"),
    "pay": ("track", "Payment Info Entered", "/checkout/pay"),
    "order": ("track", "Order Completed", "/thank-you"),
}
QUERIES = (
    ("best running shoes", "en-GB"),
    ("shoe shop near me", "en-GB"),
    ("how to clean white sneakers", "en-US"),
    ("buy trail shoes online", "en-US"),
    ("scarpe da corsa economiche", "it-IT"),
    ("negozio di scarpe vicino", "it-IT"),
    ("come scegliere le scarpe giuste", "it-IT"),
    ("zapatillas baratas", "es-ES"),
    ("tienda de zapatillas cerca de mí", "es-ES"),
    ("cómo limpiar zapatillas", "es-ES"),
)
CATEGORIES = ("running", "trail", "city", "hiking")
UNREADABLE_VALUES = (
    b'{"type":"track","event":"Product Vie',
    b'{"type":"dance"}',
    b"\xff\xfe",
    b'{"type":"page","messageId":"x","anonymousId":"y"}',
)


class MadeRecord(NamedTuple):
    """One record for the input topic."""

    key: bytes  # the person's id, as it is in the record; b"" if nobody can read an id in it
    value: bytes


class Shop:
    """A shop with visitors. `next` returns the records that its collector sends, one after the other."""

    def __init__(self, seed: int, rate: float, people: int) -> None:
        """`rate` is how many records per second the caller will take: visitors take their time accordingly.

        `people` is how many different visitors there are.
        """
        assert rate > 0, rate
        assert people > 0, people
        self._random = Random(seed)
        self._people = people
        self._visitors = [
            Visitor(self._random.randrange(people), self._random)
            for _ in range(max(MIN_VISITORS, round(rate * THINK_S)))
        ]
        self._sent: deque[MadeRecord] = deque(maxlen=REMEMBERED)
        # Who ordered, which order, and what of it is not given back yet.
        self._orders: deque[tuple[Visitor, str, int]] = deque(maxlen=REMEMBERED)

    def next(self, now_ms: int) -> MadeRecord:
        """The next record, sent at this time (milliseconds since 1970)."""
        draw = self._random.random()
        if draw < FAULTS.unreadable:
            return MadeRecord(b"", self._random.choice(UNREADABLE_VALUES))
        if draw < FAULTS.unreadable + FAULTS.duplicate and self._sent:
            return self._random.choice(self._sent)
        at_ms = now_ms
        if (chance := self._random.random()) < FAULTS.very_late:
            at_ms -= round(VERY_LATE_S * 1000)
        elif chance < FAULTS.very_late + FAULTS.delayed:
            at_ms -= round(self._random.random() * MAX_DELAY_S * 1000)
        is_refund = self._orders and self._random.random() < FAULTS.refunded
        record = self._refund(at_ms) if is_refund else self._step(at_ms)
        self._sent.append(record)
        return record

    def _step(self, at_ms: int) -> MadeRecord:
        place = self._random.randrange(len(self._visitors))
        visitor = self._visitors[place]
        step = visitor.next_step or self._draw(NEXT_STEPS[visitor.step])
        if not step:
            visitor = self._visitors[place] = Visitor(self._random.randrange(self._people), self._random)
            step = self._draw(NEXT_STEPS[""])
        step = visitor.go(step)
        kind, name, path = STEP_EVENTS[step]
        properties, locale = self._act(visitor, step)
        fields: dict[str, object] = {"type": kind}
        if kind == "track":
            fields |= {"event": name, "properties": properties}
        elif kind == "page":
            fields |= {"name": name, "properties": {"path": path} | properties}
        else:
            fields["traits"] = {"plan": "gold"}
        return self._record(visitor, at_ms, fields, path, locale)

    def _refund(self, at_ms: int) -> MadeRecord:
        visitor, order, left = self._orders.popleft()
        amount = left
        if left > 1 and self._random.random() < PARTIAL_SHARE:
            amount = self._random.randrange(1, left)
            self._orders.append((visitor, order, left - amount))
        properties = {"order_id": order, "total": amount, "currency": "EUR"}
        fields: dict[str, object] = {"type": "track", "event": "Order Refunded", "properties": properties}
        return self._record(visitor, at_ms, fields, "/account/orders", "it-IT")

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

    def _record(
        self, visitor: Visitor, at_ms: int, fields: dict[str, object], path: str, locale: str
    ) -> MadeRecord:
        """A record with these fields and those that every event has."""
        h = f"{self._random.getrandbits(128):032x}"
        record: dict[str, object] = {
            "type": fields["type"],
            "messageId": f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",
            "anonymousId": visitor.device,
            "timestamp": f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(at_ms // 1000))}.{at_ms % 1000:03d}Z",
            "context": {
                "channel": "web",
                "device": {"type": visitor.device_type},
                "locale": locale,
                "timezone": "Europe/Rome",
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
