"""Short ways to let a population live: signals by name, time, commits, and what has been said of it all."""

from collections.abc import Iterable

from streams.core.funnels.windows import Windows
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.folding import APPLIED, DUPLICATE
from streams.core.journeys.journey_step import KIND_NAMES, JourneyStep
from streams.core.journeys.money import Money
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.population import Population
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import REFUND_EVERYWHERE, Signal, event_ref, event_text, head_of, order_ref
from streams.core.journeys.state import Patience
from streams.core.journeys.summary import FinalRefund, JourneySummary
from tests.laws.driving import Said

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
HORIZON = 2 * DAY
ALL_OF_IT = 10**9
JOIN = 30 * MINUTE  # a truth may tell a purchase's money for so long: it is final after that


class People:
    """A population with its own log of what became of it. Times are milliseconds."""

    def __init__(self, allowed_lateness: int = HORIZON) -> None:
        self.patience = Patience()
        self.population = Population(self.patience, FinalityDelay(allowed_lateness))
        self.said = Said()
        self.finals: list[tuple[str, JourneySummary | FinalRefund]] = []
        self.forgotten: list[str] = []
        self.store: dict[str, dict[int, bytes]] = {}

    def put(
        self,
        at: int,
        event: str,
        mark: int = KNOW,
        *,
        key: str = "u:1",
        sure: bool = True,
        needs: tuple[str, ...] = ("",),
        order: str | None = None,
        money: Money | None = None,
    ) -> int | LeftOut:
        """One signal; returns how it ended."""
        self.population.watermark_ms = max(self.population.watermark_ms, at)
        if order is not None and mark == REFUND:
            needs = REFUND_EVERYWHERE
        facts = None
        if order is not None or money is not None:
            facts = OrderFacts(None if order is None else order_ref(order), money=money)
        signal = Signal(head_of(at, mark, sure, 0), event_ref(event), 0, 0, facts, needs)
        return self.population.take(key, signal)

    def commit(self) -> None:
        """Ends a batch: what was said is heard, what is to be stored is stored."""
        population = self.population
        self.said.hear(population, Windows())
        self.finals += [(found.profile.key, found.final) for found in population.finals]
        self.forgotten += [p.key for p in population.forgotten]
        for part in population.commit():
            if part.value is None:
                self.store.get(part.key, {}).pop(part.number, None)
            else:
                self.store.setdefault(part.key, {})[part.number] = part.value
        self.store = {key: parts for key, parts in self.store.items() if parts}

    def tick(self, at: int | None = None, limit: int = ALL_OF_IT) -> None:
        """Time comes to `at` (or stays); what that brings is done and committed, batch by batch."""
        population = self.population
        population.watermark_ms = max(population.watermark_ms, at or 0)
        done = False
        while not done:
            done = population.advance(population.watermark_ms - 1, limit) and population.housekeep(limit)
            self.commit()

    def restart(self) -> None:
        """Another population takes over, from what was stored."""
        before = self.population
        self.population = Population(self.patience, self.population.finality)
        self.population.restore(self.store, before.watermark_ms, before.timers_fired_ms)

    def kinds(self, key: str = "u:1") -> list[tuple[int, str]]:
        """(time, kind) of every step that stands, in order of time."""
        return sorted((step.at, step.kind) for owner, step in self.said.steps() if owner == key)

    def journeys(self) -> set[str]:
        """The ids of the journeys that have steps standing."""
        return {step.journey for _, step in self.said.steps()}

    def profile(self, key: str = "u:1") -> Profile:
        found = self.population.profiles.get(key)
        assert found is not None, key
        return found

    def closed(self) -> list[tuple[str, str, str, int]]:
        """(profile, journey, how it ended, when) of every final record."""
        return [
            (key, event_text(f.journey), KIND_NAMES[f.outcome], f.closed_ms)
            for key, f in self.finals
            if isinstance(f, JourneySummary)
        ]

    def refunds(self) -> list[tuple[str, int]]:
        """(journey, when) of every final refund record."""
        return [
            (event_text(f.step.journey), f.step.at_ms) for _, f in self.finals if isinstance(f, FinalRefund)
        ]


def kinds(steps: Iterable[JourneyStep]) -> list[str]:
    return [KIND_NAMES[t.kind] for t in steps]


__all__ = [
    "ALL_OF_IT",
    "APPLIED",
    "BUY",
    "DAY",
    "DO",
    "DUPLICATE",
    "GO",
    "HORIZON",
    "HOUR",
    "KNOW",
    "MINUTE",
    "REFUND",
    "TRUTH",
    "People",
    "kinds",
]
