"""A clickstream to measure with: a shop's visitors, as a collector would send them.

The same for the same arguments, on any machine.

People come in visits of some 8 events, some 10 s apart. 5 % of the events arrive out of order (half by up to
30 s, half by up to 5 minutes), and 1 % arrive twice. Half of the people are signed in. A record has 330 to
600 bytes, most of them in `context`, as real ones do.
"""

from bisect import bisect
from itertools import accumulate
from random import Random
from time import gmtime, strftime

from streams.records import Record

START_MS = 1_735_689_600_000  # 2025-01-01: in the past on every machine whose clock is set
GAP_MS = 10_000  # between the events of a visit
VISIT = 8  # events, on average
AGAIN = 0.3  # one more of the same: people look at several products in a row
MIN_VISITORS = 12  # at once, however slow the stream is
LATE, TWICE = 0.05, 0.01
LITTLE_MS, MUCH_MS = 30_000, 300_000  # how late
RESENT = 200  # a copy comes at most this many records after its original

TRACK = (
    (
        "Product Viewed",
        24,
        '"product_id":"p{n}","name":"Running shoe {n}","price":89.5,"currency":"EUR","category":"shoes"',
    ),
    ("Product List Viewed", 12, '"list_id":"l{n}","category":"shoes"'),
    ("Products Searched", 12, '"query":"{query}"'),
    ("Store Located", 6, '"store_id":"s{n}","city":"Torino"'),
    ("Video Playback Started", 8, '"content_asset_id":"v{n}","total_length":180'),
    (
        "Product Added",
        13,
        '"product_id":"p{n}","name":"Running shoe {n}","price":89.5,"quantity":1,"cart_id":"c{n}"',
    ),
    ("Checkout Started", 5, '"order_id":"o{id}","value":89.5,"currency":"EUR"'),
    ("Order Completed", 3, '"order_id":"o{id}","total":89.5,"currency":"EUR"'),
    ("Order Refunded", 0.2, '"order_id":"o{n}"'),
)
PAGES = (
    ("/", 4),
    ("/c/shoes", 4),
    ("/p/running-shoe-{n}", 6),
    ("/stores/torino", 1),
    ("/how-to/choose", 1),
    ("/cart", 2),
    ("/about", 1),
)
IDENTIFY = 1.0
QUERIES = (
    "scarpe da corsa", "running shoes size 44", "zapatillas baratas", "shoe shop near me",
    "how to clean white sneakers", "offerte scarpe",
    "buy trail shoes online", "come scegliere le scarpe giuste",
)  # fmt: skip
AGENTS = (
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15", "mobile"),
    ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/124.0 Mobile Safari/537.36", "mobile"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/124.0 Safari/537.36", "desktop"),
    ("Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15", "tablet"),
)


def events(count: int, people: int, hours: float, seed: int = 1) -> list[Record]:
    """`count` records in the order they arrive, spread over `hours`, of about `people` persons."""
    rnd = Random(seed)
    random = rnd.random
    kinds = [
        *TRACK,
        *(("", weight, path) for path, weight in PAGES),
        ("identify", IDENTIFY, '"plan":"gold","city":"Torino"'),
    ]
    sums = list(accumulate(kind[1] for kind in kinds))
    step_ms = hours * 3_600_000 / count
    visitors = [rnd.randrange(people) for _ in range(max(MIN_VISITORS, int(GAP_MS / step_ms)))]
    doing = [0] * len(visitors)
    who = [_person(n) for n in range(people)]
    records: list[Record] = []
    for n in range(count):
        now_ms = START_MS + int(n * step_ms)
        if records and random() < TWICE:
            value = records[-rnd.randrange(1, min(RESENT, len(records) + 1))].value
            records.append(Record(n, now_ms, None, value))
            continue
        place = rnd.randrange(len(visitors))
        if random() * VISIT < 1:
            visitors[place] = rnd.randrange(people)
        at_ms = now_ms - (
            int(random() * (LITTLE_MS if random() < 0.5 else MUCH_MS)) if random() < LATE else 0
        )
        if random() >= AGAIN:
            doing[place] = bisect(sums, random() * sums[-1])
        name, _, said = kinds[doing[place]]
        ids, context, web = who[visitors[place]]
        h = f"{rnd.getrandbits(128):032x}"
        number, path = n % 997, "/p/running-shoe"
        said = (
            said.replace("{n}", str(number))
            .replace("{id}", str(n))
            .replace("{query}", QUERIES[n % len(QUERIES)])
        )
        if name == "identify":
            head = f'"type":"identify","traits":{{{said}}}'
        elif name:
            head = f'"type":"track","event":"{name}","properties":{{{said}}}'
        else:
            path = said
            about = f'{{"path":"{said}","title":"Running shoes and more"}}'
            head = f'"type":"page","name":"Page {number}","properties":{about}'
        page = f',"page":{{"path":"{path}","url":"https://shop.example{path}"}}' if web else ""
        stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(at_ms // 1000))
        value = (
            f'{{{head},"messageId":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",{ids},'
            f'"timestamp":"{stamp}.{at_ms % 1000:03d}Z",'
            f'"context":{{{context}{page}}}}}'
        ).encode()
        records.append(Record(n, now_ms, None, value))
    return records


def _person(n: int) -> tuple[str, str, bool]:
    """The ids and the context of a person, as they stand in each of their
    records; and whether they come by the web.
    """
    h = f"{Random(n).getrandbits(128):032x}"
    ids = f'"anonymousId":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"' + (
        f',"userId":"user-{n}"' if n % 2 else ""
    )
    agent, device = AGENTS[n % len(AGENTS)]
    web = n % 5 > 0
    sent = f'"device":{{"type":"{device}"}}' if n % 3 else f'"userAgent":"{agent}"'
    return (
        ids,
        f'{sent},"channel":"{"web" if web else "app"}","locale":"it-IT","timezone":"Europe/Rome",'
        '"library":{"name":"analytics.js"}',
        web,
    )
