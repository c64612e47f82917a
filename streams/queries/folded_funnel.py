"""The funnel of people whose sets of events were folded: what the counters of a log would say of them."""

from collections.abc import Callable, Iterable

import msgspec

from schemas import Tally
from streams.core.funnels.cells import (
    COUNTER_MASK,
    MEASURE_BEEN_IN,
    MEASURE_COHORT,
    MEASURE_CUES,
    MEASURE_REVENUE,
    MEASURE_SHIFT,
    MEASURE_TRANSITIONS,
    START_SHIFT,
    count_step,
)
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import ALL_TIME
from streams.core.ingest.times import MINUTE_MS
from streams.core.journeys.journey_step import CONVERTED
from streams.core.journeys.signal import TIME
from streams.core.journeys.state import Patience
from streams.core.processing.tally_text import TallyText
from streams.queries.cohorts import Cohort, JourneyCounts, Revenue, report_of_cells
from streams.queries.event_sets import PersonSets, fold_sets
from streams.queries.funnel import cues_by_moment
from streams.queries.tallies import count_moves
from streams.queries.time_range import TimeRange

# All others have windows longer than a minute, and a funnel shows none of them.
_MEASURES = (MEASURE_TRANSITIONS, MEASURE_COHORT, MEASURE_BEEN_IN, MEASURE_CUES, MEASURE_REVENUE)
_PEOPLE_PER_SUM = 1_000  # counters by minute are added up so often, so that they take no memory

_decode = msgspec.json.Decoder(Tally).decode


class RulesFunnel(msgspec.Struct, frozen=True):
    """What `streams funnel` would show if these rules had been in force."""

    profiles: int  # people with at least one signal
    profiles_converted: int
    journeys: JourneyCounts
    furthest: dict[str, Cohort]
    been_in: dict[str, int]
    cues: dict[str, dict[str, int]]
    revenue: Revenue
    unmatched_refunds: int  # that found no purchase
    unmatched_updates: int


class FoldedFunnel:
    """Adds up the steps of people.

    The range is made of whole minutes. In it are the journeys that were opened in it, whenever they ended,
    and what was bought, given back and met with (cues) in it.
    """

    def __init__(self, times: TimeRange, dimensions: Dimensions) -> None:
        self._times, self._text = times, TallyText(0, dimensions)
        self._sums: dict[int, int] = {}  # by what is counted
        self._delta: dict[int, int] = {}
        self._profiles = self._converted = 0

    def _add(self, held: PersonSets, key: str, timers_fired_ms: int, patience: Patience) -> None:
        has_signal = is_converted = False
        for sets in held.histories(key):
            has_signal = has_signal or any(
                self._times.has(copy.head >> TIME) for events in sets for copy in events.values()
            )
            _, steps = fold_sets(key, sets, timers_fired_ms, patience)
            for t in steps:
                count_step(t, 1, self._delta)
                is_converted = is_converted or (t.kind == CONVERTED and self._times.has(t.at_ms))
        self._profiles += has_signal
        self._converted += is_converted

    def add_all(self, held: PersonSets, timers_fired_ms_of: Callable[[str], int], patience: Patience) -> None:
        """Folds all people that are held. `timers_fired_ms_of`: up to when silence is judged of a profile."""
        for n, key in enumerate(held.people, 1):
            self._add(held, key, timers_fired_ms_of(key), patience)
            if n % _PEOPLE_PER_SUM == 0:
                self._add_up()
        self._add_up()

    def _add_up(self) -> None:
        sums = self._sums
        for cell, n in self._delta.items():
            what = cell & COUNTER_MASK
            if what >> MEASURE_SHIFT in _MEASURES and self._times.has((cell >> START_SHIFT) * MINUTE_MS):
                sums[what] = sums.get(what, 0) + n
        self._delta = {}

    @property
    def funnel(self) -> RulesFunnel:
        """What came of it."""
        cells = list(self._cells())
        cohorts = report_of_cells(cells)
        by_kind = dict.fromkeys(("refund_unmatched", "update_unmatched"), 0)
        for move, n in count_moves(cells).items():
            if move.kind in by_kind:
                by_kind[move.kind] += n
        return RulesFunnel(
            profiles=self._profiles,
            profiles_converted=self._converted,
            journeys=cohorts.journeys,
            furthest=cohorts.furthest,
            been_in=cohorts.been_in,
            cues=cues_by_moment(cells),
            revenue=cohorts.revenue,
            unmatched_refunds=by_kind["refund_unmatched"],
            unmatched_updates=by_kind["update_unmatched"],
        )

    def _cells(self) -> Iterable[Tally]:
        """The counters as they would be published."""
        changed = [((ALL_TIME, 0, what), n) for what, n in sorted(self._sums.items()) if n]
        for output in self._text.outputs(changed, 0):
            assert output.value is not None, "only an expired counter has no value"
            yield _decode(output.value)
