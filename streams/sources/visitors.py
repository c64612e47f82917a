"""Who is in the made-up shop, on which device, how they came there, and when they sign in.

Most people browse as guests for a while. Who is a guest on the phone and signs in on the laptop looks like
two people, until they sign in on the phone, too.
"""

from bisect import bisect
from enum import Enum
from itertools import accumulate
from random import Random
from typing import NamedTuple

from streams.sources.rhythm import ZONES


class SignIn(Enum):
    """When in a visit somebody signs in."""

    BEFORE = "in an earlier visit"
    AT_ONCE = "at once"
    AT_TILL = "at the till"
    NEVER = "never"


# When people sign in on their first device, when on their second one, and how many of ten people do so.
HABITS = (
    (SignIn.BEFORE, SignIn.BEFORE, 2),
    (SignIn.AT_TILL, SignIn.AT_TILL, 2),
    (SignIn.NEVER, SignIn.AT_TILL, 2),
    (SignIn.NEVER, SignIn.NEVER, 4),
)
FORGOTTEN_SHARE = 0.2  # of the visits of people who are signed in: they have to do it again, at once
LATER_SHARE = 0.3  # of the visits as a guest on the first device of those who sign in on the second one only


class DeviceShares(NamedTuple):
    """The share of the visits that are made on each device, 0 to 1. The others are made on one's first."""

    second: float
    family: float
    terminal: float


DEVICE_SHARES = DeviceShares(second=0.3, family=0.05, terminal=0.02)
DEVICES = (("mobile", 6), ("desktop", 3), ("tablet", 1))  # of ten people, their first one
FAMILY = 4  # people who share a tablet
# In the stores: more people sign in on a terminal than a device can belong to.
MIN_TERMINALS = 4
VISITORS_PER_TERMINAL = 8_000  # of a shop that has more than so many for each of the first
# What brings people to the shop, and how many of a hundred visits. It changes from visit to visit.
CHANNELS = (("search", 36), ("ads", 18), ("mail", 14), ("social", 8), ("direct", 24))
APP_SHARE = 0.5  # of the visits on mobiles that nothing else brings are made in the app


class Visitor:
    """Somebody who is in the shop now, on one device."""

    __slots__ = (
        "cart",
        "channel",
        "device",
        "device_type",
        "is_in_app",
        "luck",
        "next_step",
        "number",
        "order",
        "sign_in",
        "signed_in",
        "step",
        "zone",
    )

    def __init__(self, number: int, people: int, random: Random, aside: Random) -> None:
        """One of so many people. `aside`: the source of chance of what changes neither who does what, nor
        when.
        """
        self.number, self.step, self.cart, self.order = number, "", 0, ""
        self.next_step = ""  # decided already; "": it is not
        on_first, on_second, _ = HABITS[bisect(_HABIT_SUMS, number // _DEVICE_SUMS[-1] % _HABIT_SUMS[-1])]
        self.sign_in, draw = on_first, random.random()
        first = bisect(_DEVICE_SUMS, number % _DEVICE_SUMS[-1])
        self.device, self.device_type = f"device-{number}", DEVICES[first][0]
        if draw < DEVICE_SHARES.second:
            self.sign_in = on_second
            self.device, self.device_type = f"device-{number}-b", DEVICES[first - 1][0]
        elif draw < DEVICE_SHARES.second + DEVICE_SHARES.family:
            self.device, self.device_type = f"family-{number // FAMILY}", "tablet"
        elif draw < sum(DEVICE_SHARES):
            self.device, self.device_type = f"terminal-{random.randrange(terminals_of(people))}", "desktop"
        elif on_first is not on_second and random.random() < LATER_SHARE:
            self.sign_in = SignIn.AT_ONCE
        is_shared = not self.device.startswith("device-")  # nobody is signed in there from before
        if self.sign_in is SignIn.BEFORE and (is_shared or random.random() < FORGOTTEN_SHARE):
            self.sign_in = SignIn.AT_ONCE
        self.signed_in = self.sign_in is SignIn.BEFORE
        self.zone, self.luck = zone_of(number), aside.random()
        self.channel = CHANNELS[bisect(_CHANNEL_SUMS, aside.random() * _CHANNEL_SUMS[-1])][0]
        is_direct = (self.device_type, self.channel) == ("mobile", "direct")
        self.is_in_app = is_direct and aside.random() < APP_SHARE

    def go(self, step: str) -> str:
        """Goes to a step, or signs in first and goes there next. Returns the step that is made now."""
        if not self.signed_in and (
            self.sign_in is SignIn.AT_ONCE or (self.sign_in is SignIn.AT_TILL and step == "checkout")
        ):
            self.signed_in, self.next_step = True, step
            return "sign-in"
        self.step, self.next_step = step, ""
        return step


def terminals_of(people: int) -> int:
    """How many terminals the stores have of a shop with so many visitors."""
    return max(MIN_TERMINALS, people // VISITORS_PER_TERMINAL)


def zone_of(number: int) -> str:
    """The time zone in which somebody lives."""
    # Neither the last digit alone nor the one before it: these choose the device and the habit.
    return ZONES[bisect(_ZONE_SUMS, (number // 10 + number) % _ZONE_SUMS[-1])][0]


_DEVICE_SUMS = list(accumulate(people for _, people in DEVICES))
_HABIT_SUMS = list(accumulate(people for _, _, people in HABITS))
_CHANNEL_SUMS = list(accumulate(visits for _, visits in CHANNELS))
_ZONE_SUMS = list(accumulate(people for _, people in ZONES))
