"""Updates of orders (docs/journeys.md, Orders): which time they count at, and when they are late."""

from typing import NamedTuple

from streams.core.journeys.machine import knows_order, update_of
from streams.core.journeys.order_facts import Update
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import TIME, Signal, order_of
from streams.core.journeys.state import Patience

ALWAYS_LATE_MS = -(1 << 62)  # before every time that still counts
SECOND_MS = 1_000


class DatedUpdate(NamedTuple):
    """The time at which an event that tells of an edited order counts."""

    at_ms: int
    update: Update  # NONE: from there on it is a truth like any other


def date_update(at_ms: int, ordered_ms: int | None, allowed_lateness_ms: int) -> DatedUpdate:
    """Dates an update. `at_ms`: its event's time. `ordered_ms`: the order's own, None where it says none."""
    if ordered_ms is None:
        return DatedUpdate(at_ms, Update.UNTIMED)
    if ordered_ms % SECOND_MS == 0:  # the purchase itself was somewhere in this second, and comes first
        ordered_ms += SECOND_MS - 1
    ordered_ms = min(ordered_ms, at_ms)
    if at_ms - ordered_ms > allowed_lateness_ms:
        return DatedUpdate(at_ms, Update.OLD)
    return DatedUpdate(ordered_ms, Update.NONE)


def lateness_time_ms(p: Profile | None, signal: Signal, patience: Patience) -> int:
    """The time by which an update may be late, in ms; ALWAYS_LATE_MS for an old order that is not known."""
    at_ms, order = signal.head >> TIME, order_of(signal)
    if update_of(signal) != Update.OLD:
        return at_ms
    if p is not None and order is not None:
        for s in p.states:
            if p.needs[s.need] in signal.needs and knows_order(s, order, at_ms, patience):
                return at_ms
    return ALWAYS_LATE_MS
