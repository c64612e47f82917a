"""A shop's customers as their collectors tell of them: the input of a run, drawn from
the seed, in the order in which it arrives.

People come in visits, on several devices, signed in or not yet; they search, look, watch, go to stores, fill
carts, buy, reload the thank-you page, give back. The shop's own server tells of orders too. Web events go to
an input that is keyed by the person; apps and the server send to another that has no keys. Events come out of
order by minutes, now and then by hours, a few by days: some of those are late. Some come twice, as they were
or stamped anew; a collector sends a whole batch again; some records are no events, and some are of another
tool.
"""

import json
from random import Random
from time import gmtime, strftime
from typing import Any, NamedTuple

from streams.settings.durations import DAYS, HOURS, MINUTES, SECONDS
from tests.torture.sharing import Device, Person, Sharing, Turn

START_MS = 1_735_689_600_000  # 2025-01-01: in the past on every machine whose clock is set
SPAN_MS = 30 * DAYS
KEYED, UNKEYED = 0, 1
VISIT = 9  # events, on average
GAP_MS = 40 * SECONDS  # between the events of a visit, on average
# The greater, the more often those come who come most often. With identity on nobody comes so often that a
# cap decides whose an event is: the laws say nothing of that.
SKEW, LESS_SKEW = 2.0, 1.1
ABROAD = 0.15  # of the visits: on a device that is somebody's, before they have signed in
# Of the events: sent again as it was, with another time, with the twenty before it.
TWICE, RESTAMPED, RESENT = (
    0.02,
    0.01,
    0.0006,
)
MINUTES_LATE, HOURS_LATE, DAYS_LATE = 0.05, 0.01, 0.004
POISON = (
    b"",
    b"{",
    b"\xff\x00",
    b"[]",
    b'{"type":"track"}',
    b'{"type":"identify","userId":"a"}',
    b'{"type":"track","messageId":"m","userId":"u",',
)
POISONED = 0.003
ANOTHER_EVERY = 250  # one of so many records is of another tool
OTHER_EVENTS = ("view_item", "add_to_cart", "begin_checkout", "scroll")

QUERIES = (
    "scarpe da corsa", "running shoes size 44", "zapatillas baratas", "shoe shop near me",
    "how to clean white sneakers", "offerte scarpe",
    "buy trail shoes online", "come scegliere le scarpe giuste", "negozio vicino a me", "order status",
    "miglior scarpa 2025", "hotel",
)  # fmt: skip
PAGES = (
    "/", "/c/shoes", "/guide/size", "/blog/running", "/p/shoe-{n}", "/stores/torino", "/negozi/milano",
    "/how-to/choose", "/help/returns", "/cart",
    "/checkout/payment", "/about", "/search?q=trail+shoes", "/sale/",
)  # fmt: skip
ZONES = ("Europe/Rome", "Europe/Madrid", "America/New_York", "Asia/Kolkata", None)
HOUSEKEEPING = ("login", "Product Reviewed", "session_start", "Wheel Spun")


class Sent(NamedTuple):
    """A record as a collector sends it.

    `input`: KEYED or UNKEYED; the key is the person's id as collectors have it.
    """

    input: int
    key: bytes
    value: bytes


class Shop:
    """Draws everything from one Random."""

    def __init__(self, rnd: Random, people: int, sharing: Sharing | None = None) -> None:
        """`sharing`: of runs with identity on."""
        self.rnd, self.sharing = rnd, sharing
        self.people = [self.person(n) for n in range(people)]
        if sharing is not None:
            sharing.share(self.people)
        self.arrivals: list[tuple[int, int, Sent]] = []
        self.orders = 0

    def records(self, count: int) -> list[Sent]:
        """`count` records in the order they arrive, about SPAN_MS of event time."""
        rnd = self.rnd
        # What is sent again, and what an order brings with it, makes up the rest.
        visits = max(1, round(count * 0.83 / VISIT))
        while len(self.arrivals) < count:
            for _ in range(visits):
                self.visit(START_MS + int(rnd.random() * SPAN_MS))
            visits = max(1, visits // 20)
        self.arrivals.sort()
        again = [n for n in range(count) if rnd.random() < RESENT]
        for n in again:
            last = self.arrivals[n][0] + rnd.randrange(2 * HOURS)
            for at in range(max(0, n - 20), n):
                self.arrivals.append((last, len(self.arrivals), self.arrivals[at][2]))
        for n in range(0, count, ANOTHER_EVERY):
            self.another(self.arrivals[n][0])
        self.arrivals.sort()
        return [sent for _, _, sent in self.arrivals[:count]]

    def another(self, arrival: int) -> None:
        """A body of another tool, with one event or several: workers learn only later to read those."""
        rnd = self.rnd
        person = rnd.choice(self.people)
        body = {
            "client_id": person.devices[0].anonymous,
            **({"user_id": person.user} if person.user else {}),
            "timestamp_micros": (arrival - rnd.randrange(2 * SECONDS)) * 1000,
            "events": [
                {"name": rnd.choice(OTHER_EVENTS), "params": {"step": n, "at": arrival}}
                for n in range(rnd.choice((0, 1, 1, 2, 3)))
            ],
        }
        key = person.devices[0].anonymous.encode()
        sent = Sent(rnd.choice((KEYED, UNKEYED)), key, json.dumps(body).encode())
        self.arrivals.append((arrival, len(self.arrivals), sent))

    def person(self, n: int) -> Person:
        rnd = self.rnd
        devices = []
        for number in range(rnd.choice((1, 1, 1, 2, 3))):
            app = rnd.random() < 0.4
            context: dict[str, Any] = {
                "locale": rnd.choice(("it-IT", "en-GB", "es-ES")),
                "library": {"name": "analytics.js"},
            }
            if app or rnd.random() < 0.5:
                context["device"] = {
                    "type": rnd.choice(("mobile", "tablet") if app else ("desktop", "mobile", "tv"))
                }
            else:
                context["userAgent"] = (
                    "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/124.0 Mobile Safari/537.36"
                )
            if zone := rnd.choice(ZONES):
                context["timezone"] = zone
            devices.append(
                Device(f"a{n}-{number}-{rnd.getrandbits(32):08x}", context, app, rnd.choice((1, 1, SECONDS)))
            )
        return Person(f"user-{n}" if rnd.random() < 0.6 else None, devices, rnd.random() < 0.1)

    def visit(self, at: int) -> None:
        """Some people come far more often than others."""
        rnd, sharing = self.rnd, self.sharing
        skew = SKEW if sharing is None else LESS_SKEW
        person = self.people[int(rnd.random() ** skew * len(self.people))]
        device = rnd.choice(person.devices)
        user = None if rnd.random() < ABROAD else person.user
        steps = 1 + int(rnd.expovariate(1 / (VISIT - 1)))
        turns = [Turn(person, user)] * steps if sharing is None else sharing.turns(person, device, steps)
        for turn in turns:
            at += 1 + int(rnd.expovariate(1 / GAP_MS))
            if at >= START_MS + SPAN_MS:
                return
            if turn.signs_in:
                self.put(turn.person, device, turn.user, at, {"type": "identify", "traits": {"plan": "gold"}})
            else:
                self.act(turn.person, device, turn.user, at)

    def act(self, person: Person, device: Device, user: str | None, at: int) -> None:
        """One step, mostly a little nearer to the purchase."""
        rnd = self.rnd
        n = rnd.randrange(500)
        what = (
            person.near
            if rnd.random() < 0.6
            else rnd.choice(("know", "know", "know", "go", "do", "buy", "weak", "weak", "none", "identify"))
        )
        if rnd.random() < 0.25:
            person.near = {"know": "go", "go": "do", "do": "buy", "buy": "order", "order": "know"}[
                person.near
            ]
        match what:
            case "know":
                kind = rnd.randrange(4)
                if kind == 0:
                    self.tell(person, device, user, at, "Products Searched", {"query": rnd.choice(QUERIES)})
                elif kind == 1:
                    self.page(person, device, user, at, rnd.choice(PAGES).replace("{n}", str(n)))
                else:
                    self.tell(
                        person,
                        device,
                        user,
                        at,
                        "Product Viewed",
                        {"product_id": f"p{n}", "category": f"c{n % 7}", "price": 89.5},
                    )
            case "go":
                self.tell(person, device, user, at, "Store Located", {"store_id": f"s{n}", "city": "Torino"})
            case "do":
                self.tell(
                    person,
                    device,
                    user,
                    at,
                    rnd.choice(("Video Playback Started", "Form Submitted")),
                    {"content_asset_id": f"v{n}"},
                )
            case "buy":
                self.tell(
                    person,
                    device,
                    user,
                    at,
                    rnd.choice(("Product Added", "Cart Viewed", "Checkout Started")),
                    {"product_id": f"p{n}"},
                )
            case "order":
                person.near = "know"
                self.order(person, device, user, at)
            case "weak":
                self.tell(
                    person, device, user, at, rnd.choice(("scroll", "Promotion Viewed")), {"percent": n % 100}
                )
            case "none":
                self.tell(person, device, user, at, rnd.choice(HOUSEKEEPING), {})
            case _:
                self.put(person, device, user, at, {"type": "identify", "traits": {"plan": "gold"}})

    def order(self, person: Person, device: Device, user: str | None, at: int) -> None:
        """Told by the page, by the thank-you page and its reloads, by the
        server; and now and then given back.
        """
        rnd = self.rnd
        self.orders += 1
        order, spoken = f"o{self.orders}", rnd.random()
        if spoken < 0.8:
            self.tell(
                person,
                device,
                user,
                at,
                "Order Completed",
                {"order_id": order, "total": 89.5} if spoken < 0.7 else {"total": 89.5},
            )
        while rnd.random() < 0.5:
            self.page(
                person,
                device,
                user,
                at + rnd.choice((0, rnd.randrange(30 * SECONDS), rnd.randrange(50 * MINUTES))),
                "/checkout/thank-you",
            )
        if spoken >= 0.5:
            server = Device(device.anonymous, {"library": {"name": "server"}, "channel": "server"}, True, 1)
            self.tell(
                person,
                server,
                user,
                at + rnd.randrange(2 * MINUTES),
                "Order Completed",
                {"order_id": order, "total": 89.5},
            )
        if rnd.random() < 0.15:
            back = at + rnd.randrange(MINUTES, 14 * DAYS)
            named = {"order_id": order} if rnd.random() < 0.7 else {}
            if back < START_MS + SPAN_MS:
                self.tell(person, device, user, back, "Order Refunded", named)

    def page(self, person: Person, device: Device, user: str | None, at: int, path: str) -> None:
        bare, _, search = path.partition("?")
        if device.app:
            self.put(person, device, user, at, {"type": "screen", "name": bare})
        else:
            page = {
                "path": bare,
                "url": f"https://shop.example{path}",
                "search": f"?{search}" if search else "",
            }
            self.put(
                person,
                device,
                user,
                at,
                {"type": "page", "name": "Page", "properties": {"path": bare, "title": "Shoes and more"}},
                page,
            )

    def tell(
        self, person: Person, device: Device, user: str | None, at: int, name: str, properties: dict[str, Any]
    ) -> None:
        self.put(person, device, user, at, {"type": "track", "event": name, "properties": properties})

    def put(
        self,
        person: Person,
        device: Device,
        user: str | None,
        at: int,
        event: dict[str, Any],
        page: dict[str, str] | None = None,
    ) -> None:
        """Sends it: in time, later, twice."""
        rnd = self.rnd
        at -= at % device.grain
        h = f"{rnd.getrandbits(128):032x}"
        uuid = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
        event["messageId"] = f"ajs-next-{at}-{uuid}" if person.long_ids else uuid
        event["anonymousId"] = device.anonymous
        if user is not None:
            event["userId"] = user
        event["context"] = device.context | {"page": page} if page else device.context
        event["channel"] = "server" if "channel" in device.context else "mobile" if device.app else "web"
        arrival, chance = at + rnd.randrange(2 * SECONDS), rnd.random()
        if chance < DAYS_LATE:
            arrival += rnd.randrange(2 * DAYS, 20 * DAYS)
        elif chance < DAYS_LATE + HOURS_LATE:
            arrival += rnd.randrange(20 * HOURS)
        elif chance < DAYS_LATE + HOURS_LATE + MINUTES_LATE:
            arrival += rnd.randrange(10 * MINUTES)
        self.arrive(arrival, device, user, event, at)
        if rnd.random() < TWICE:
            self.arrive(arrival + rnd.randrange(HOURS), device, user, event, at)
        if rnd.random() < RESTAMPED:
            self.arrive(
                arrival + rnd.randrange(HOURS),
                device,
                user,
                event,
                at + rnd.randrange(-20 * MINUTES, 20 * MINUTES),
            )
        if rnd.random() < POISONED:
            bad = rnd.choice(POISON)
            self.arrivals.append(
                (
                    arrival,
                    len(self.arrivals),
                    Sent(rnd.choice((KEYED, UNKEYED)), device.anonymous.encode(), bad),
                )
            )

    def arrive(self, arrival: int, device: Device, user: str | None, event: dict[str, Any], at: int) -> None:
        event["timestamp"] = f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(at // 1000))}.{at % 1000:03d}Z"
        key = (user or device.anonymous).encode()
        self.arrivals.append(
            (
                arrival,
                len(self.arrivals),
                Sent(UNKEYED if device.app else KEYED, key, json.dumps(event).encode()),
            )
        )
