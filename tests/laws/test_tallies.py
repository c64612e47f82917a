"""Law: a table that upserts counters by (partition, cell) and takes no notice of tombstones is right.

Many sinks are such tables: what they hold must be the oracle's count at every moment, for every window that
is kept, whatever came late or twice, whatever was taken back, and through restarts.
"""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.core.funnels.currencies import CURRENCIES
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import Windows
from streams.core.processing.state_keys import counter_records, restored
from streams.core.processing.tally_text import TallyText
from streams.records import StateRecord
from tests import oracle
from tests.laws.test_journeys import LAW, OF, H, Life, signals, tidy
from tests.simulation.laws import expired
from tests.simulation.wire import cell_of, cohort_cells, cue_cells, revenue_cells, step_cells

DIMENSIONS = Dimensions()
PARTITION = 3
DAYS = st.sampled_from((1, 2, 5, 45, 410))


class Tallied(Life):
    """A population whose counters are published to a table, batch by batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.text = TallyText(PARTITION, DIMENSIONS)
        self.batches = 0
        self.state: dict[bytes, bytes] = {}
        self.table: dict[tuple[int, str], dict[str, Any]] = {}

    def check(self) -> None:
        """Counts what has changed; the counters are rolled up by a commit, and by nothing else."""
        self.said.hear(self.population, self.windows)

    def commit(self) -> None:
        """Writes a batch, and compares the table with the oracle."""
        super().commit()
        self.batches += 1
        changed, groups = self.windows.roll_up(self.population.watermark_ms)
        for record in counter_records(groups):
            self.state.pop(record.key, None)
            if record.value is not None:
                self.state[record.key] = record.value
        for output in self.text.outputs(changed, self.batches):
            if output.value is not None:
                tally = msgspec.json.decode(output.value)
                name = (tally["partition"], tally["cell"])
                assert tally["rev"] > self.table.get(name, {"rev": 0})["rev"]
                self.table[name] = tally
        self.compare()

    def restart(self) -> None:
        """Puts the stored groups of counters back, and goes on."""
        super().restart()
        lost = self.windows.expired_corrections
        self.windows = Windows()
        for group, counts in restored(StateRecord(*pair) for pair in self.state.items()).counters:
            self.windows.put(group, counts)
        self.windows.expired_corrections = lost

    def compare(self) -> None:
        """Every window that is kept is in the table as the oracle counts it."""
        true: Counter[Any] = Counter()
        timer = self.population.timers_fired_ms
        for rows in self.accepted.values():
            for s in oracle.transitions(rows, timer, OF):
                true.update(step_cells(s, DIMENSIONS.names))
                for cell, amount in revenue_cells(s, DIMENSIONS.names, CURRENCIES):
                    true[cell] += amount
            for j in oracle.journeys(rows, timer, OF):
                true.update(cohort_cells(j, DIMENSIONS.names))
            for u in oracle.unmatched(rows, timer, OF):
                true.update(step_cells(u, DIMENSIONS.names))
            for c in oracle.cues(rows, OF):
                true.update(cue_cells(c, DIMENSIONS.names))
        held = dict(map(cell_of, self.table.values()))
        for cell in {*held, *true}:
            if not expired(cell, self.population.watermark_ms):
                assert held.get(cell, 0) == true[cell], cell


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("pq"), signals),
            st.tuples(st.just("put"), st.sampled_from("pq"), signals),
            st.tuples(st.just("time"), st.integers(0, 60)),
            st.tuples(st.just("wait"), DAYS),
            st.tuples(st.just("commit")),
            st.tuples(st.just("restart")),
        ),
        max_size=20,
    )
)
def test_a_table_that_drops_tombstones_is_right(ops: list[Any]) -> None:
    """At every commit, with corrections to windows of any age among the changes."""
    life = Tallied()
    for op in ops:
        match op:
            case ("put", key, s):
                life.put(key, tidy(s))
            case ("time", hours):
                life.time(hours * H)
            case ("wait", days):
                life.population.watermark_ms += days * 24 * H
            case ("commit",):
                life.commit()
            case ("restart",):
                life.restart()
    life.commit()


def signal(at: int, event: str, intent: int) -> oracle.Signal:
    """A sure signal."""
    return oracle.Signal(at, event, intent, True, 0, 0, 0, ("",), None)


def test_a_journey_that_converts_after_its_minute_has_expired() -> None:
    """Its hour, day and all time change; its minute does not come back, and nothing counts as lost."""
    life = Tallied()
    life.put("p", signal(H, "a", 0))
    life.commit()
    minutes = [t for t in life.table.values() if t["window"] == "minute" and t["measure"] == "cohort"]
    assert [("1970-01-01T01:00:00.000Z", "open", 1)] == [
        (t["start"], t["outcome"], t["count"]) for t in minutes
    ]
    life.population.watermark_ms += 5 * 24 * H
    life.commit()
    life.put("p", signal(2 * H, "b", 4))
    life.commit()
    cohorts = Counter(
        {
            (t["window"], t["furthest"], t["outcome"]): t["count"]
            for t in life.table.values()
            if t["measure"] == "cohort"
        }
    )
    longer = ("hour", "day", "all")
    assert {(w, "truth", "converted"): 1 for w in longer} | {("minute", "know", "open"): 1} == {
        cell: n for cell, n in cohorts.items() if n
    }
    assert {(w, "know", "open") for w in longer} == {cell for cell, n in cohorts.items() if not n}
    assert 1 == life.windows.expired_corrections, "the minute of the conversion itself"
