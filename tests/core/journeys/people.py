"""Short ways to let a population live: signals by name, time, commits, and what has been said of it all."""

from collections.abc import Iterable

from streams.core.funnels.windows import Windows
from streams.core.journeys.finals import FinalRefund, JourneySummary
from streams.core.journeys.machine import KINDS, Patience, Transition
from streams.core.journeys.population import Population
from streams.core.journeys.profile import APPLIED, DUPLICATE, Profile
from streams.core.journeys.signal import event_ref, event_text, head, order_ref
from tests.laws.driving import Said

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
HORIZON = 2 * DAY
ALL_OF_IT = 10**9


class People:
    """A population with its own log of what became of it. Times are milliseconds."""

    def __init__(self, allowed_lateness: int = HORIZON) -> None:
        self.patience = Patience()
        self.population = Population(self.patience, allowed_lateness)
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
    ) -> int:
        """One signal; returns how it ended."""
        self.population.mark = max(self.population.mark, at)
        ref, everywhere = None if order is None else order_ref(order), order is not None and mark == REFUND
        return self.population.take(
            key, head(at, mark, sure, 0), event_ref(event), 0, needs, 0, ref, everywhere
        )

    def commit(self) -> None:
        """Ends a batch: what was said is heard, what is to be stored is stored."""
        population = self.population
        self.said.hear(population, Windows())
        self.finals += [(p.key, final) for p, final in population.finals]
        self.forgotten += [p.key for p in population.forgotten]
        for key, number, value in population.commit():
            if value is None:
                self.store.get(key, {}).pop(number, None)
            else:
                self.store.setdefault(key, {})[number] = value
        self.store = {key: parts for key, parts in self.store.items() if parts}

    def tick(self, at: int | None = None, limit: int = ALL_OF_IT) -> None:
        """Time comes to `at` (or stays); what that brings is done and committed, batch by batch."""
        population = self.population
        population.mark = max(population.mark, at or 0)
        done = False
        while not done:
            done = population.advance(population.mark - 1, limit) and population.housekeep(limit)
            self.commit()

    def restart(self) -> None:
        """Another population takes over, from what was stored."""
        mark, timer = self.population.mark, self.population.timer
        self.population = Population(self.patience, self.population.allowed_lateness_ms)
        self.population.restore(self.store, mark, timer)

    def kinds(self, key: str = "u:1") -> list[tuple[int, str]]:
        """(time, kind) of every step that stands, in order of time."""
        return sorted((step.at, step.kind) for owner, step in self.said.steps() if owner == key)

    def journeys(self) -> set[str]:
        """The ids of the journeys that have steps standing."""
        return {step.journey for _, step in self.said.steps()}

    def profile(self, key: str = "u:1") -> Profile:
        return self.population.profiles[key]

    def closed(self) -> list[tuple[str, str, str, int]]:
        """(profile, journey, how it ended, when) of every final record."""
        return [
            (key, event_text(f.journey), KINDS[f.outcome], f.closed_ms)
            for key, f in self.finals
            if isinstance(f, JourneySummary)
        ]

    def refunds(self) -> list[tuple[str, int]]:
        """(journey, when) of every final refund record."""
        return [
            (event_text(f.step.journey), f.step.at_ms) for _, f in self.finals if isinstance(f, FinalRefund)
        ]


def kinds(steps: Iterable[Transition]) -> list[str]:
    return [KINDS[t.kind] for t in steps]


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
