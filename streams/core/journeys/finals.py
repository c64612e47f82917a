"""Final records: what `<app>.journeys` says of a journey once no accepted event can change it any more.

A journey closed at c is final when c is older than the horizon, or when it was folded into the base of a profile over its cap. Its tale is told from
the transitions of the fold, so a final record can't disagree with them. Of a journey that is folded while it is open the tale so far is kept.
"""

from collections.abc import Iterable

import msgspec

from streams.core.journeys.machine import ABANDONED, CONVERTED, OPENED, REFUNDED, STALLED, Transition

PATH_STAYS = 64  # of a journey's path that are kept, the first ones: what comes later is in the sums


class JourneySummary(msgspec.Struct, array_like=True, gc=False):
    """A journey as far as it is told. Grows by one transition at a time."""

    need: int
    journey: bytes
    opened_ms: int
    home: int
    path: list[tuple[int, int, int]] = []  # moment, entered (ms), dwell (ms; -1: not left)
    stays: int = 0  # of the whole path
    dwell_ms: list[int] = []  # per moment; -1: never left
    stalls: int = 0
    dims: list[int] = []  # of the steps, in order of first use
    rules: list[int] = []  # that had a say, likewise
    outcome: int = 0  # CONVERTED or ABANDONED, once closed
    closed_ms: int = -1
    furthest: int = -1


class FinalRefund(msgspec.Struct, frozen=True):
    """A refund of a converted journey."""

    step: Transition


def tell(tale: JourneySummary, t: Transition) -> None:
    """One more transition of the journey, in order."""
    tale.furthest = t.furthest
    if t.rule >= 0:
        if t.dims not in tale.dims:
            tale.dims.append(t.dims)
        if t.rule not in tale.rules:
            tale.rules.append(t.rule)
    if t.kind == STALLED:
        tale.stalls += 1
    if t.dwell_ms >= 0:
        tale.dwell_ms[t.frm] = max(tale.dwell_ms[t.frm], 0) + t.dwell_ms
        if tale.stays <= PATH_STAYS:
            moment, entered, _ = tale.path[-1]
            tale.path[-1] = (moment, entered, t.dwell_ms)
    if t.to >= 0 and t.to != t.frm and (t.kind != CONVERTED or t.frm >= 0):
        tale.stays += 1
        if tale.stays <= PATH_STAYS:
            tale.path.append((t.to, t.at_ms, -1))
    if t.kind in (CONVERTED, ABANDONED):
        tale.outcome, tale.closed_ms = t.kind, t.at_ms


def tell_all(
    begun: Iterable[JourneySummary], said: Iterable[Transition]
) -> tuple[list[JourneySummary | FinalRefund], list[JourneySummary]]:
    """The journeys closed and refunds made in a stretch of journal, in the order they happened, and the tales of those still open at its end.

    `begun`: the tales of those that were open at its beginning; they are left as they are.
    """
    telling = {(tale.need, tale.journey): copy_of(tale) for tale in begun}
    done: list[JourneySummary | FinalRefund] = []
    for t in said:
        if t.kind == REFUNDED:
            done.append(FinalRefund(t))
            continue
        if not t.journey:  # a refund that found no purchase
            continue
        name = (t.need, t.journey)
        if t.kind == OPENED:
            telling[name] = JourneySummary(t.need, t.journey, t.opened_ms, t.home, dwell_ms=[-1] * 5)
        tell(telling[name], t)
        if telling[name].outcome:
            done.append(telling.pop(name))
    return done, list(telling.values())


def copy_of(tale: JourneySummary) -> JourneySummary:
    """A tale that can be told on without changing this one."""
    return msgspec.structs.replace(
        tale, path=[*tale.path], dwell_ms=[*tale.dwell_ms], dims=[*tale.dims], rules=[*tale.rules]
    )


def happened_ms(final: JourneySummary | FinalRefund) -> int:
    """When it was closed, or made."""
    return final.closed_ms if isinstance(final, JourneySummary) else final.step.at_ms
