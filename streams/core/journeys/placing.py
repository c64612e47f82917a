"""Gives the needs of an event their places, in a profile that may have more needs than places."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from streams.core.journeys.folding import APPLIED
from streams.core.journeys.needs import LeftOut, number_needs, placed_needs
from streams.core.journeys.profile import Profile
from streams.core.journeys.profile_changes import ProfileChange
from streams.core.journeys.signal import Signal, without_needs
from streams.core.journeys.state import Patience


class PlacedEvent(NamedTuple):
    """An event with the needs that have places."""

    signal: Signal
    numbers: tuple[int, ...]  # of those needs
    ending: int | LeftOut  # how it ends if it is applied
    is_crowded: bool  # no number was free: tidying may free some


def place_event(
    p: Profile,
    signal: Signal,
    oldest_ms: int,
    patience: Patience,
    changes: Sequence[ProfileChange],
    pending: Collection[int] = (),
) -> PlacedEvent | None:
    """The event as it counts, with a number for each of its needs that has a place; None: none has.

    `oldest_ms`: what is older is final. `changes`: those of the open batch, whose steps bear numbers that are
    not published yet. `pending`: further numbers that are given.
    """
    names = signal.needs
    placed = placed_needs(p, names, oldest_ms, patience)
    if not placed:
        return None
    ending: int | LeftOut = APPLIED
    if len(placed) < len(names):
        ending = LeftOut(tuple([name for name in names if name not in placed]))
        signal = without_needs(signal, ending.needs)
    before, taken = len(p.needs), set(pending)
    # (Looked for only where it is needed: a batch may have many changes.)
    if any(name not in p.needs for name in placed):
        taken |= {t.need for c in changes if c.profile is p for t in (*c.retracted, *c.asserted)}
    numbers = number_needs(p, placed, taken)
    return PlacedEvent(signal, numbers, ending, len(p.needs) > before)
