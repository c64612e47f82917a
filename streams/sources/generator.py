"""Shoppers who do not exist, for trying things out: a stream of Segment records that never ends.

Pure: time is handed in, and the same seed says the same. Each visitor walks through a small shop, step by step (`STEPS`); people come back; half
of them sign in on the way. Some of what collectors do goes wrong, at the rates below, so that every outcome is seen: copies, delays, poison.
"""

from bisect import bisect
from collections import deque
from itertools import accumulate
from random import Random
from time import gmtime, strftime
from typing import NamedTuple

import orjson

THINK_S = 12.0  # between two events of a visitor, about
MIN_VISITORS = 8  # in the shop at once, however slow the stream is
TWICE, DELAYED, VERY_LATE, POISON, REFUNDED = 0.01, 0.03, 0.001, 0.0005, 0.0015  # of the records
DELAY_S = 120.0  # at most; a phone in a tunnel
VERY_LATE_S = 5 * 86_400.0  # beyond the horizon of 48 h: a collector that was switched on again
RESENT = 200  # a copy is of one of the last so many

Steps = tuple[tuple[str, float], ...]

# What a visitor does next, with its weight; "" leaves the shop.
STEPS: dict[str, Steps] = {
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
    "cart": (("sign-in", 2), ("checkout", 4), ("product", 2), ("", 3)),
    "sign-in": (("checkout", 7), ("", 1)),
    "checkout": (("pay", 5), ("cart", 1), ("", 2)),
    "pay": (("order", 6), ("", 1.5)),
    "order": (("", 6), ("list", 1)),
}
# What each of these is as an event: type, name, page.
SAYS = {
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
    ("best running shoes", "en-GB"), ("shoe shop near me", "en-GB"), ("how to clean white sneakers", "en-US"), ("buy trail shoes online", "en-US"),
    ("scarpe da corsa economiche", "it-IT"), ("negozio di scarpe vicino", "it-IT"), ("come scegliere le scarpe giuste", "it-IT"),
    ("zapatillas baratas", "es-ES"), ("tienda de zapatillas cerca de mí", "es-ES"), ("cómo limpiar zapatillas", "es-ES"),
)  # fmt: skip
DEVICES = (("mobile", 6), ("desktop", 3), ("tablet", 1))
CATEGORIES = ("running", "trail", "city", "hiking")
POISONS = (
    b'{"type":"track","event":"Product Vie',
    b'{"type":"dance"}',
    b"\xff\xfe",
    b'{"type":"page","messageId":"x","anonymousId":"y"}',
)


class Sent(NamedTuple):
    """One record for the input topic."""

    key: bytes  # the person's id as it is in the record; b"" where there is none to be read
    value: bytes


class _Visitor:
    """Somebody who is in the shop now."""

    __slots__ = ("cart", "number", "order", "signed_in", "step")

    def __init__(self, number: int) -> None:
        self.number, self.step, self.signed_in, self.cart, self.order = number, "", False, 0, ""


class Shop:
    """A shop with visitors. `next(now_ms)` is what its collector sends next."""

    def __init__(self, seed: int, rate: float, people: int) -> None:
        """`rate`: events per second that will be asked for, so that visitors take their time from step to step; `people`: how many there are."""
        assert rate > 0, rate
        assert people > 0, people
        self._random = Random(seed)
        self._people = people
        self._visitors = [
            _Visitor(self._random.randrange(people)) for _ in range(max(MIN_VISITORS, round(rate * THINK_S)))
        ]
        self._sent: deque[Sent] = deque(maxlen=RESENT)
        self._orders: deque[tuple[_Visitor, str]] = deque(maxlen=RESENT)

    def next(self, now_ms: int) -> Sent:
        """The next record, sent at this time (milliseconds since 1970)."""
        draw = self._random.random()
        if draw < POISON:
            return Sent(b"", self._random.choice(POISONS))
        if draw < POISON + TWICE and self._sent:
            return self._random.choice(self._sent)
        at_ms = now_ms
        if (chance := self._random.random()) < VERY_LATE:
            at_ms -= round(VERY_LATE_S * 1000)
        elif chance < VERY_LATE + DELAYED:
            at_ms -= round(self._random.random() * DELAY_S * 1000)
        sent = self._refund(at_ms) if self._orders and self._random.random() < REFUNDED else self._step(at_ms)
        self._sent.append(sent)
        return sent

    def _step(self, at_ms: int) -> Sent:
        place = self._random.randrange(len(self._visitors))
        visitor = self._visitors[place]
        step = self._draw(STEPS[visitor.step])
        if not step:
            visitor = self._visitors[place] = _Visitor(self._random.randrange(self._people))
            step = self._draw(STEPS[""])
        if step == "sign-in" and (visitor.signed_in or visitor.number % 2):
            step = "checkout"  # half of the people never sign in
        visitor.step = step
        return self._said(visitor, step, at_ms)

    def _refund(self, at_ms: int) -> Sent:
        visitor, order = self._orders.popleft()
        return self._record(
            visitor,
            at_ms,
            "track",
            "Order Refunded",
            {"order_id": order, "currency": "EUR"},
            "/account/orders",
            "it-IT",
        )

    def _said(self, v: _Visitor, step: str, at_ms: int) -> Sent:
        random, (kind, name, path) = self._random, SAYS[step]
        said: dict[str, object] = {}
        locale = "it-IT"
        match step:
            case "search":
                said["query"], locale = random.choice(QUERIES)
            case "list":
                said["category"] = CATEGORIES[v.number % len(CATEGORIES)]
            case "product" | "add":
                v.cart += step == "add"
                said |= {
                    "product_id": f"p{random.randrange(400)}",
                    "price": 40 + random.randrange(160),
                    "currency": "EUR",
                }
            case "store" | "directions":
                said["store_id"] = f"s{random.randrange(12)}"
            case "video":
                said["content_asset_id"] = f"v{random.randrange(20)}"
            case "cart":
                said["products"] = v.cart
            case "sign-in":
                v.signed_in = True
            case "checkout":
                v.order = f"o{random.getrandbits(48):012x}"
                said["order_id"] = v.order
            case "pay":
                said |= {"order_id": v.order, "payment_method": "card"}
            case "order":
                self._orders.append((v, v.order))
                said |= {"order_id": v.order, "total": 40 + random.randrange(300), "currency": "EUR"}
        return self._record(v, at_ms, kind, name, said, path, locale)

    def _record(
        self,
        v: _Visitor,
        at_ms: int,
        type: str,
        name: str,
        properties: dict[str, object],
        path: str,
        locale: str,
    ) -> Sent:
        h = f"{self._random.getrandbits(128):032x}"
        device = f"device-{v.number}"
        said: dict[str, object] = {
            "type": type,
            "messageId": f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",
            "anonymousId": device,
            "timestamp": f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(at_ms // 1000))}.{at_ms % 1000:03d}Z",
            "context": {
                "channel": "web",
                "device": {"type": DEVICES[bisect(_DEVICE_SUMS, v.number % _DEVICE_SUMS[-1])][0]},
                "locale": locale,
                "timezone": "Europe/Rome",
                "page": {"path": path, "url": f"https://shop.example{path}"},
            },
        }
        key = device
        if v.signed_in:
            said["userId"] = key = f"user-{v.number}"
        if type == "track":
            said |= {"event": name, "properties": properties}
        elif type == "page":
            said |= {"name": name, "properties": {"path": path} | properties}
        else:
            said["traits"] = {"plan": "gold"}
        return Sent(key.encode(), orjson.dumps(said))

    def _draw(self, steps: Steps) -> str:
        sums = list(accumulate(weight for _, weight in steps))
        return steps[bisect(sums, self._random.random() * sums[-1])][0]


_DEVICE_SUMS = list(accumulate(weight for _, weight in DEVICES))
