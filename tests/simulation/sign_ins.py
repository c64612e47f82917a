"""Who signs in on which device, and when: of the days with identity on.

Times are aimed at where whose an event is changes: half way between two links, at the ends of their reach, at
quarters of an hour, and at the allowed lateness; or one millisecond beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests import identity_oracle
from tests.simulation.wire import time
from tests.simulation.world import REFUSAL, START, World, tenants_of, till_of

SIGNED = 0.5  # of a user's events name a device, too
UNSIGNED = 0.9  # of a device's events name no user
AIMED = 0.3  # of a device's events are dated by a link
TAKEN_ID = 0.05  # of the events have an id that somebody else's has, too
FOR_SOMEBODY = (True, "yes", 1, False, "no", 0)  # whether its user is who has the device
SAYS_SO = 0.1


@dataclass
class Person:
    """A user, or a device on which nobody may be signed in."""

    key: str  # userId or anonymousId
    name: str
    partition: int
    collector: int
    at: int = START  # of the last event
    moment: str = "seen"
    orders: list[tuple[int, str | None]] = field(default_factory=list)


class SignIns:
    """Users and devices, and the links between them so far."""

    def __init__(self, world: World, people: list[Person]) -> None:
        """Makes every second person a device, and adds a user who is many people."""
        self.world, self.rnd = world, Random(f"sign-ins {world.seed}")
        for n, person in enumerate(people):
            person.key = ("userId", "anonymousId")[n % 2]
        people.append(Person("userId", till_of(world), 0, 0))
        users = [person for person in people if person.key == "userId"]
        self.devices = [person for person in people if person.key == "anonymousId"]
        self._users_of: dict[str, list[Person]] = {}
        self._devices_of: dict[str, list[Person]] = {}
        for device in self.devices:
            count = self.rnd.choice((1, 1, 2, len(users)))
            self._users_of[device.name] = self.rnd.sample(users, min(count, len(users)))
            for user in self._users_of[device.name]:
                self._devices_of.setdefault(user.name, []).append(device)
        self._links: dict[str, int] = {}  # the last one of each device
        self._ids: dict[str, set[str]] = {}  # who has an event of this id

    def event_id(self, person: Person, new: str) -> str:
        """The id of a new event. Two people may give one id to two events."""
        if self._ids and self.rnd.random() < TAKEN_ID:
            taken = self.rnd.choice([*self._ids][-20:])
            if person.name not in self._ids[taken]:
                new = taken
        self._ids.setdefault(new, set()).add(person.name)
        return new

    def aimed(self, person: Person, at: int, arrival: int) -> tuple[int, int]:
        """Event time and arrival: now and then where a link ceases to reach."""
        link, near = self._links.get(person.name), self.rnd.choice((-1, 0, 1))
        if link is None or self.rnd.random() > AIMED:
            return at, arrival
        at = link + self.rnd.choice((0, self.world.settings.identity.forward)) + near
        return at, max(at, arrival)

    def sign(self, person: Person, call: dict[str, Any], at: int) -> None:
        """Adds the other id to an event, or not."""
        rnd = self.rnd
        if person.key == "userId":
            if person.name in self._devices_of and rnd.random() < SIGNED:
                device = rnd.choice(self._devices_of[person.name])
                call["anonymousId"] = device.name
                self._links[device.name] = at
        elif rnd.random() > UNSIGNED:
            call["userId"] = rnd.choice(self._users_of[person.name]).name
            self._links[person.name] = at
        if rnd.random() < SAYS_SO:
            call["properties"] = {**call["properties"], "for_somebody": rnd.choice(FOR_SOMEBODY)}

    def sign_in(self, number: int, now: int, tops: Sequence[int]) -> tuple[Person, int, dict[str, Any]]:
        """Somebody signs in on a device: the user, when, and the event, which says nothing else.

        `tops`: the greatest time sent, by partition.
        """
        world, rnd = self.world, self.rnd
        device = rnd.choice(self.devices)
        user = rnd.choice(self._users_of[device.name])
        link, quarter = self._links.get(device.name, device.at), identity_oracle.QUARTER
        at = rnd.choice((
            now - now % world.grain,
            now - now % world.grain,
            device.at,
            device.at + world.settings.identity.back,
            2 * device.at - link,  # as far behind the last event as the link is before it
            link,
            link - link % quarter + quarter,
            tops[device.partition] - world.allowed_lateness,
        ))  # fmt: skip
        at = max(at, START) + rnd.choice((-1, 0, 0, 1))
        self._links[device.name] = at
        call: dict[str, Any] = {
            "type": rnd.choice(("identify", "identify", "track")),
            "messageId": f"s{number}",
            "event": "signed in",
            "timestamp": time(at),
            "userId": user.name,
            "anonymousId": device.name,
            "properties": {"shop": rnd.choice(tenants_of(world))} if world.settings.tenant else {},
            "context": {} if rnd.random() < 0.95 else {"consent": REFUSAL},
        }
        if rnd.random() < SAYS_SO:
            call["properties"]["for_somebody"] = rnd.choice(FOR_SOMEBODY)
        return user, at, call
