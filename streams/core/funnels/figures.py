"""The business figures of a partition: how many journeys are under way in which moment, how they ended, and
which cues there were.

They are sums over the counters of transitions and cues of all time, which are sums over transitions: a
retraction takes back exactly what its assertion added. So the figures at a commit equal what a count over the
states of all people would give, and cost a few additions per counter that the commit changes. Nothing of them
is stored: counters over all time never expire, and give the figures back at a start.
"""

from collections.abc import Iterable

import msgspec

from streams.core.funnels.cells import (
    A_SHIFT,
    B_SHIFT,
    C_SHIFT,
    MEASURE_CUES,
    MEASURE_SHIFT,
    MEASURE_STITCHED,
    MEASURE_TRANSITIONS,
)
from streams.core.journeys.journey_step import (
    ABANDONED,
    CONVERTED,
    KIND_CODES,
    OPENED,
    PARTIALLY_REFUNDED,
    REFUND_UNMATCHED,
    REFUNDED,
    RESUMED,
    STALLED,
    UNMATCHED,
    UPDATE_UNMATCHED,
)
from streams.core.moments.verdict import CUE_NAMES, INTENTS, TRUTH

OPEN_MOMENTS = INTENTS[:TRUTH]  # an open journey is never in truth, since the purchase closes it
_PLACES = TRUTH + 2  # one for each moment, and the last one for none (NO_MOMENT, -1)


class JourneyFigures(msgspec.Struct, frozen=True):
    """The figures after a commit: of the journeys that hold, without what was retracted."""

    open: tuple[int, ...]  # journeys under way, in the order of OPEN_MOMENTS
    stalled: tuple[int, ...]  # those of them that are silent
    # Over the life of the app. opened = converted + abandoned + all that are open.
    opened: int
    converted: int
    abandoned: int
    refunded: int  # conversions that were refunded; they stay converted
    cues: tuple[int, ...]  # that are matched with a journey, in the order of CUE_NAMES
    unmatched_cues: tuple[int, ...]
    unmatched_refunds: int  # refunds that found no purchase, in each need that they name
    unmatched_updates: int  # updates of orders that are not known, likewise
    stitched: int = 0  # conversions whose journey has an event that a device gave
    from_nowhere: int = 0  # conversions without anything before them: lost dots


JOURNEY_OUTCOMES = ("opened", "converted", "abandoned", "refunded")


class FigureSums:
    """The sums that the figures are read off."""

    def __init__(self) -> None:
        self._open, self._stalled = [0] * _PLACES, [0] * _PLACES
        self._by_kind = [0] * KIND_CODES
        self._stitched = self._from_nowhere = 0
        self._matched, self._unmatched = [0] * len(CUE_NAMES), [0] * len(CUE_NAMES)

    def add(self, changes: Iterable[tuple[int, int]]) -> None:
        """Adds changes of counters over all time, as (what is counted, by how much it grows)."""
        for what, n in changes:
            if what >> MEASURE_SHIFT == MEASURE_TRANSITIONS:
                left, entered = (what >> B_SHIFT & 7) - 1, (what >> C_SHIFT & 511) - 1
                self._add(what >> A_SHIFT & 15, left, entered, n)
            elif what >> MEASURE_SHIFT == MEASURE_CUES:
                cues = self._matched if what >> B_SHIFT & 7 else self._unmatched
                cues[(what >> A_SHIFT & 15) - 1] += n
            elif what >> MEASURE_SHIFT == MEASURE_STITCHED:
                self._stitched += n

    def _add(self, kind: int, left: int, entered: int, n: int) -> None:
        self._by_kind[kind] += n
        if kind == CONVERTED and left < 0:
            self._from_nowhere += n
        if kind == STALLED:
            self._stalled[left] += n
        elif kind == RESUMED:
            self._stalled[left] -= n
        elif kind not in (PARTIALLY_REFUNDED, REFUNDED) and kind not in UNMATCHED:
            # A move, an opening (out of none) or a closing (into truth or none).
            self._open[left] -= n
            self._open[entered] += n
            if kind == ABANDONED:  # it had stalled before
                self._stalled[left] -= n

    def figures(self) -> JourneyFigures:
        """The figures as they stand."""
        by_kind = self._by_kind
        return JourneyFigures(
            open=tuple(self._open[:TRUTH]),
            stalled=tuple(self._stalled[:TRUTH]),
            opened=by_kind[OPENED],
            converted=by_kind[CONVERTED],
            abandoned=by_kind[ABANDONED],
            refunded=by_kind[REFUNDED],
            cues=tuple(self._matched),
            unmatched_cues=tuple(self._unmatched),
            unmatched_refunds=by_kind[REFUND_UNMATCHED],
            unmatched_updates=by_kind[UPDATE_UNMATCHED],
            stitched=self._stitched,
            from_nowhere=self._from_nowhere,
        )
