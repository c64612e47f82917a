"""Law: what `progress` says of journeys under way is what a count over all histories says.

At every look, whatever came late or twice, whatever was taken back, through commits, timers and restarts, and
however seldom somebody looks.
"""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.core.funnels.under_way import LONG_MIN, SHORT_MIN, OpeningCounts, UnderWay, count_move
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.journey_step import CUE
from streams.core.journeys.population import Population
from tests import oracle
from tests.laws.driving import named_apart, patience, put
from tests.laws.test_journeys import LAW, signals, tidy

M = oracle.MINUTE
# Shorter than the longest look back, so that some journeys end while they would still count as active.
OF = oracle.Patience((8 * M, 3 * M, 6 * M, 2 * M), abandon=20 * M, refund=60 * M, join=2 * M, grace=M)
LATENESS = 45 * M

# Minutes after the newest event so far: most are on time, some late, and some after a silence.
minutes = st.sampled_from((0, 0, 1, 1, 2, 3, 5, 9, 21, 31, -1, -2, -4, -8, -15, -40))
times = st.builds(lambda minute, edge: minute * M + edge, minutes, st.sampled_from((0, -1, 9)))
operations = st.lists(
    st.one_of(
        *[st.tuples(st.just("signal"), signals, times, st.integers(0, 10**6))] * 6,
        st.tuples(st.just("time"), st.sampled_from((0, M, 4 * M, 20 * M))),
        st.tuples(st.just("commit")),
        st.tuples(st.just("look")),
        st.tuples(st.just("restart")),
    ),
    min_size=12,
    max_size=40,
)


class Watched:
    """A population whose journeys under way are counted."""

    def __init__(self) -> None:
        self.population = Population(patience(OF), FinalityDelay(LATENESS))
        self.under_way = UnderWay()
        self.accepted: dict[str, list[oracle.Signal]] = {}
        self.store: dict[str, dict[int, bytes]] = {}

    def put(self, key: str, s: oracle.Signal) -> None:
        population, s = self.population, named_apart(s, self.accepted.get(key, ()), LATENESS)
        population.watermark_ms = max(population.watermark_ms, s.at)
        if s.at >= population.watermark_ms - LATENESS:
            ending, counted = put(population, key, s)
            if ending == "applied":
                self.accepted.setdefault(key, []).append(counted)

    def commit(self) -> None:
        """As `Processor.batch` does it."""
        population = self.population
        population.advance(population.watermark_ms - 1, 10**9)
        population.housekeep(10**9)
        for change in population.changes:
            population.unlooked.add(change.profile.key)
            for sign, steps in ((-1, change.retracted), (1, change.asserted)):
                for t in steps:
                    if t.kind != CUE:
                        count_move(t, sign, self.under_way.delta)
        for part in population.commit():
            if part.value is None:
                self.store.get(part.key, {}).pop(part.number, None)
            else:
                self.store.setdefault(part.key, {})[part.number] = part.value
        self.store = {key: parts for key, parts in self.store.items() if parts}

    def look(self) -> None:
        """Compares with the oracle."""
        self.commit()
        now = self.population.timers_fired_ms
        self.under_way.look(self.population.profiles, self.population.unlooked, now)
        self.population.unlooked = set()
        assert self.under_way.counts(now) == self.expected(now)

    def expected(self, now: int) -> dict[tuple[int, int], OpeningCounts]:
        """The oracle's count of every journey that is under way."""
        found: dict[tuple[int, int], Counter[str]] = {}
        for rows in self.accepted.values():
            for j in oracle.under_way(rows, now, OF):
                age = now // M - j.last_sign_at // M
                found.setdefault((j.moment, j.opened_dims), Counter()).update(
                    {"open": 1, "stalled": j.stalled, "short": age < SHORT_MIN, "long": age < LONG_MIN}
                )
        return {
            place: OpeningCounts(n["open"], n["stalled"], n["short"], n["long"])
            for place, n in sorted(found.items())
        }

    def restart(self) -> None:
        """Begins anew from what was committed."""
        self.commit()
        before, self.population = self.population, Population(patience(OF), FinalityDelay(LATENESS))
        self.population.restore(self.store, before.watermark_ms, before.timers_fired_ms)
        self.under_way = UnderWay()
        self.under_way.restore(self.population.profiles, before.timers_fired_ms)


@LAW
@given(operations)
def test_the_counts_are_those_of_the_histories(ops: list[Any]) -> None:
    """Open, stalled and active, by moment and opened dimensions."""
    watched = Watched()
    for op in ops:
        population = watched.population
        match op:
            case ("signal", s, ahead, event):
                at = max(0, population.watermark_ms + ahead)
                if event % 3:  # more of the same: a sign of life that moves nobody
                    s = s._replace(mark=0, sure=True, needs=("",))
                watched.put("pq"[event % 2], tidy(s._replace(at=at, event=f"{event}")))
            case ("time", ms):
                population.advance(max(population.watermark_ms, population.timers_fired_ms) + ms, 10**9)
            case ("commit",):
                watched.commit()
            case ("look",):
                watched.look()
            case ("restart",):
                watched.restart()
    watched.look()
