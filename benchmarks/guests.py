"""An input of people who browse as guests: a third of the events name a device alone, and of the visits that
begin so 30 % end with a sign-in. The others are of visitors who never sign in. Everybody has two devices. The
same for the same arguments, on any machine.
"""

from collections.abc import Iterator
from random import Random
from time import gmtime, strftime

from benchmarks.common import CONTEXTS, NAMES, START_MS

VISIT = 9  # events
GAP_MS = 30_000  # between the events of a visit
AT_ONCE = 200  # visitors
GUEST_VISITS, SIGNING_IN = 0.37, 0.3  # of which the second part signs in before the last three events
SIGNED_IN_FROM = 6


def guests(count: int, people: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """`count` records in order of time, each with its key: the user's id, or the device's."""
    random = Random(seed)
    visits = [_Visit(random, people) for _ in range(AT_ONCE)]
    for visit in visits:  # not all begin at once
        visit.made = random.randrange(VISIT)
    for n in range(count):
        place = n % AT_ONCE
        if visits[place].made == VISIT:
            visits[place] = _Visit(random, people)
        yield visits[place].record(random, START_MS + n * GAP_MS // AT_ONCE, n)


class _Visit:
    """Somebody who is there now, on one device."""

    def __init__(self, random: Random, people: int) -> None:
        self.person, self.device, self.made = random.randrange(people), random.randrange(2), 0
        self.known_from, self.of = 0, "a"
        if random.random() < GUEST_VISITS:
            self.known_from = SIGNED_IN_FROM if random.random() < SIGNING_IN else VISIT
        if self.known_from == VISIT:
            self.of = "v"  # a device on which nobody ever signs in

    def record(self, random: Random, at_ms: int, n: int) -> tuple[bytes, bytes]:
        """The next event of the visit."""
        device = f"{self.of}{self.person}-{self.device}"
        user = f"u{self.person}" if self.made >= self.known_from else ""
        who = f'"userId":"{user}","anonymousId":"{device}"' if user else f'"anonymousId":"{device}"'
        self.made += 1
        h, name = f"{random.getrandbits(128):032x}", NAMES[random.randrange(len(NAMES))]
        order = f',"order_id":"o{n}"' if name == "Order Completed" else ""
        stamp = f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(at_ms // 1000))}.{at_ms % 1000:03d}Z"
        value = (
            f'{{"type":"track","messageId":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}",{who},'
            f'"event":"{name}","timestamp":"{stamp}","properties":{{"price":12.5,"product_id":"p1"{order}}},'
            f"{CONTEXTS[self.person % len(CONTEXTS)]}}}"
        )
        return (user or device).encode(), value.encode()
