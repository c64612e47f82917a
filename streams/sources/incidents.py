"""What may go wrong in a made-up shop, for a while.

The people of the shop do what they would have done: an incident only changes what becomes of their events.
It draws from a source of chance of its own. So the events that are dated outside of it are those that one
seed gives in any case, except that nothing is refunded that was not bought. (The collector is about when
events are sent, whenever they happened.)
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple


class Incident(NamedTuple):
    """Something that goes wrong from `start_ms` on, and before `end_ms`: milliseconds since 1970."""

    kind: str  # one of INCIDENTS
    start_ms: int
    end_ms: int

    def has(self, ms: int) -> bool:
        """True if a time lies in it."""
        return self.start_ms <= ms < self.end_ms


INCIDENTS: Mapping[str, str] = {
    "checkout": "19 of 20 payments fail",
    "slow": "pages are slow on mobiles: 2 of 5 purchases are lost, twice as many go back from the till",
    "segment": "9 of 10 visits on tablets are lost",
    "collector": "the collector is off, and nothing is sent",
    "bots": "for each visit on a desktop, four more by programs that look like people",
}
"""What can happen, in words."""

FAILED_SHARE = 0.95  # of the payments, while the checkout is broken
GIVEN_UP_SHARE = 0.4  # of the purchases on mobiles, while pages are slow
GONE_BACK_SHARE = 0.2  # of the steps at the till: with these, twice as many go back as otherwise
LOST_SHARE = 0.9  # of the visits on tablets
BOTS_EACH = 4
SLOW_MS = (3_500, 9_000)  # a page that takes more than 3 s is slow, by the shipped rules

AT_TILL = ("add", "cart", "checkout", "pay")


class ShopStep(NamedTuple):
    """What somebody did in the shop."""

    step: str
    device_type: str
    is_first: bool  # of a visit
    luck: float  # of the visit, 0 to 1
    at_ms: int


class StepOutcome(NamedTuple):
    """What becomes of an event."""

    step: str | None  # the step that is sent in place of its own; None: nothing is
    load_ms: int | None = None  # how long its page took, if that is slow
    goes_back: bool = False  # then the visitor looks at a product once more
    bots: int = 0  # so many others come at the same time


class Incidents:
    """All incidents of a shop."""

    def __init__(self, incidents: Sequence[Incident], seed: int) -> None:
        self._all = [(incident, Random(f"{seed}/{incident}")) for incident in incidents]

    def is_off(self, now_ms: int) -> bool:
        """True while nothing is sent."""
        return any(incident.kind == "collector" and incident.has(now_ms) for incident, _ in self._all)

    def outcome(self, happened: ShopStep) -> StepOutcome:
        """What becomes of something that somebody did."""
        found = StepOutcome(happened.step)
        for incident, random in self._all:
            if incident.has(happened.at_ms):
                found = _changed(found, happened, incident.kind, random)
        return found


def _changed(found: StepOutcome, happened: ShopStep, kind: str, random: Random) -> StepOutcome:
    match kind, happened.device_type:
        case "checkout", _ if happened.step == "order" and random.random() < FAILED_SHARE:
            return found._replace(step=found.step and "failed")
        case "slow", "mobile":
            if happened.step == "order" and random.random() < GIVEN_UP_SHARE:
                return found._replace(step=found.step and "product")
            goes_back = happened.step in AT_TILL and random.random() < GONE_BACK_SHARE
            return found._replace(load_ms=random.randrange(*SLOW_MS), goes_back=goes_back)
        case "segment", "tablet" if happened.luck < LOST_SHARE:
            return found._replace(step=None)
        case "bots", "desktop" if happened.is_first:
            return found._replace(bots=BOTS_EACH)
    return found
