"""Final records: what `<app>.journeys` says of a journey once no accepted event can change it any more.

A journey closed at c is final when c is older than the horizon, or when it was folded into the base of a profile over its cap. Both are read
off the transitions of the fold, so a final record can't disagree with the transitions.
"""

from collections.abc import Iterable

import msgspec

from streams.journeys.machine import ABANDONED, CONVERTED, OPENED, REFUNDED, STALLED, Transition


class Final(msgspec.Struct, frozen=True):
    """A closed journey: its transitions, first to last."""

    steps: tuple[Transition, ...]


class FinalRefund(msgspec.Struct, frozen=True):
    """A refund of a converted journey."""

    step: Transition


def finals(said: Iterable[Transition], lower_ms: int, upper_ms: int | None) -> list[Final | FinalRefund]:
    """The journeys closed, and refunds made, at lower_ms <= time < upper_ms (None: no end), in the order they happened.

    `said` holds the transitions of a stretch of journal in order, from the opening of every journey that closes in it.
    """
    journeys: dict[tuple[int, bytes], list[Transition]] = {}
    out: list[Final | FinalRefund] = []
    for t in said:
        due = lower_ms <= t.at_ms and (upper_ms is None or t.at_ms < upper_ms)
        if t.kind == REFUNDED:
            if due:
                out.append(FinalRefund(t))
        elif t.kind == OPENED:
            journeys[t.need, t.journey] = [t]
        elif t.journey:
            steps = journeys.setdefault((t.need, t.journey), [])
            steps.append(t)
            if t.kind in (CONVERTED, ABANDONED) and due:
                out.append(Final(tuple(steps)))
    return out


def stalls(steps: Iterable[Transition]) -> int:
    """How often a journey fell silent."""
    return sum(t.kind == STALLED for t in steps)
