"""Where journeys are now, where they go, and where they went after they left a moment.

All are sums over the counters of transitions, as `streams.core.funnels.figures` has them for the metrics: a
journey is in the moment that its net transitions lead to.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from streams.core.funnels.figures import OPEN_MOMENTS
from streams.queries.cell_table import Counted
from streams.queries.cohorts import FUNNEL_MOMENTS
from streams.queries.tallies import Move, count_moves

_CLOSING = ("converted", "abandoned")
_MOVING = ("opened", "advanced", "returned", *_CLOSING)


class InMoment(NamedTuple):
    """Journeys that are in one moment."""

    open: int
    stalled: int  # those of them that are silent


def journeys_in_moments(all_time: Iterable[Counted]) -> dict[str, InMoment]:
    """How many journeys are in each moment now. `all_time`: the counters over all time."""
    moved, stalled = Counter[str | None](), Counter[str | None]()
    for move, n in count_moves(all_time).items():
        if move.kind in _MOVING:
            moved[move.from_] -= n
            moved[move.to] += n
        if move.kind == "stalled":
            stalled[move.from_] += n
        elif move.kind in ("resumed", "abandoned"):
            stalled[move.from_] -= n
    return {moment: InMoment(moved[moment], stalled[moment]) for moment in OPEN_MOMENTS}


def moves_between(cells: Iterable[Counted]) -> Counter[Move]:
    """The moves of journeys: openings, onwards, back, purchases and giving up; from None: opened."""
    return Counter({move: n for move, n in count_moves(cells).items() if move.kind in _MOVING})


class Left(NamedTuple):
    """Where journeys went that left a moment."""

    total: int
    to: dict[str, int]  # by moment; only those where some went
    abandoned: int


def left_moment(cells: Iterable[Counted], moment: str) -> Left:
    """Where journeys went after they left a moment. Those that are still in it did not leave."""
    went, abandoned = Counter[str](), 0
    for move, n in moves_between(cells).items():
        if move.from_ == moment and move.kind == "abandoned":
            abandoned += n
        elif move.from_ == moment and move.to is not None:
            went[move.to] += n
    return Left(went.total() + abandoned, {to: went[to] for to in FUNNEL_MOMENTS if went[to]}, abandoned)


def skipped(move: Move) -> tuple[str, ...]:
    """The moments that a move onwards goes past; none if it goes back, opens or closes without a purchase."""
    if move.from_ is None or move.to is None:
        return ()
    return FUNNEL_MOMENTS[FUNNEL_MOMENTS.index(move.from_) + 1 : FUNNEL_MOMENTS.index(move.to)]
