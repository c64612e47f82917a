"""People and their devices; and in runs with identity on, who shares a device and when who signs in there.

That is drawn from a Random of its own, so all else that a seed draws is the same with identity and without.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

FAMILIES = 0.25  # of the people begin a family
FAMILY = (2, 3, 4)  # people
# So few people on a kiosk that its links, and its guests' events within the finality delay, stay below what
# is kept of a device: 256. In long runs the busiest kiosk has some 200 such events.
KIOSK_EVERY, KIOSK_PEOPLE = 200, 12
# Of the visits: as a guest, signed in all the time, from some step on, and up to some step.
VISITS = {"guest": 0.3, "user": 0.4, "signs in": 0.2, "signs out": 0.1}
SAYS_SO = 0.5  # of those who sign in: by an event that says nothing else
TAKES_OVER = 0.25  # of the visits on a shared device somebody else goes on with


@dataclass
class Device:
    anonymous: str
    context: dict[str, Any]
    app: bool
    grain: int  # its collector's clock, ms: those that count whole seconds give ties


@dataclass
class Person:
    user: str | None
    devices: list[Device]
    long_ids: bool  # their collector's event ids are longer than what is kept of ids exactly
    near: str = "know"
    orders: list[tuple[int, str]] = field(default_factory=list)


class Turn(NamedTuple):
    """One step of a visit: who does it, and the user who is signed in by then."""

    person: Person
    user: str | None
    signs_in: bool = False  # and it says nothing else


class Sharing:
    """Draws everything from one Random."""

    def __init__(self, rnd: Random) -> None:
        self.rnd = rnd
        self._people_of: dict[str, list[Person]] = {}  # by device, where several share it

    def share(self, people: Sequence[Person]) -> None:
        """Families share the first one's device, and some people a kiosk."""
        rnd = self.rnd
        for n, person in enumerate(people):
            if rnd.random() < FAMILIES:
                self._share(person.devices[0], people[n : n + rnd.choice(FAMILY)])
        for n in range(0, len(people), KIOSK_EVERY):
            context = {"library": {"name": "analytics.js"}, "device": {"type": "tv"}}
            kiosk = Device(f"kiosk-{n}", context, app=False, grain=1)
            self._share(kiosk, rnd.sample(people, min(KIOSK_PEOPLE, len(people))))

    def _share(self, device: Device, people: Sequence[Person]) -> None:
        for person in people:
            if device not in person.devices:
                person.devices.append(device)
        self._people_of[device.anonymous] = [*people]

    def turns(self, person: Person, device: Device, steps: int) -> list[Turn]:
        """The steps of a visit on this device."""
        others = self._people_of.get(device.anonymous, ())
        if steps > 1 and len(others) > 1 and self.rnd.random() < TAKES_OVER:
            first = self.rnd.randrange(1, steps)
            other = self.rnd.choice(others)
            return [*self._turns_of(person, first), *self._turns_of(other, steps - first)]
        return [*self._turns_of(person, steps)]

    def _turns_of(self, person: Person, steps: int) -> Iterator[Turn]:
        """A visit of one person, who may sign in, or out."""
        rnd = self.rnd
        kind = rnd.choices([*VISITS], [*VISITS.values()])[0]
        change = 0 if kind in ("guest", "user") else rnd.randrange(steps + 1)
        before, after = (None, person.user) if kind in ("user", "signs in") else (person.user, None)
        users = [before] * change + [after] * (steps - change)
        for last, user in pairwise([None, *users]):
            is_new = user is not None and last is None
            yield Turn(person, user, signs_in=is_new and rnd.random() < SAYS_SO)
