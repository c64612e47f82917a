"""Journey summaries: what `<app>.journeys` says of a journey once no accepted event can change it any more.

A journey is final when its closing (of a purchase: the end of its join window) is older than the allowed
lateness, or when it was folded into the base of a profile over its cap. Its summary is built from the steps
of the fold, so it can't disagree with the transitions. When a journey is folded while it is open, its summary
so far is kept beside the base.
"""

from collections.abc import Iterable

import msgspec

from streams.core.journeys.journey_step import (
    ABANDONED,
    CONVERTED,
    CUE,
    OPENED,
    REFUNDS,
    STALLED,
    WITHDRAWN,
    JourneyStep,
)
from streams.core.journeys.state import Patience

MAX_PATH_STAYS = 64  # kept of a journey's path, the first ones; later stays are in the sums only


class Stay(msgspec.Struct, array_like=True, gc=False):
    """One stay of a journey in a moment."""

    moment: int
    entered_ms: int
    dwell_ms: int = -1  # -1: not left


class SummarizedCue(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A cue that is matched with the journey."""

    cue: int
    moment: int
    at_ms: int


class JourneySummary(msgspec.Struct, array_like=True, gc=False):
    """A journey as far as it has come. It grows by one step at a time (`add_step`)."""

    need: int
    journey: bytes
    opened_ms: int
    opened_dims: int
    path: list[Stay] = []
    stays: int = 0  # of the whole path
    dwell_ms: list[int] = []  # per moment; -1: never left
    stalls: int = 0
    dims: list[int] = []  # of the steps, in order of first use
    rules: list[int] = []  # codes of the rules that caused a step, in order of first use
    outcome: int = 0  # CONVERTED or ABANDONED, once closed
    closed_ms: int = -1
    furthest: int = -1
    cues: list[SummarizedCue] = []  # in order
    amount: int | None = None  # of the purchase, in minor units; None: not known
    currency: int = -1  # its number
    items: int = 0


class FinalRefund(msgspec.Struct, frozen=True):
    """A refund of a converted journey, or of a part of it."""

    step: JourneyStep


Final = JourneySummary | FinalRefund


def add_step(summary: JourneySummary, t: JourneyStep) -> None:
    """Adds the next step of the journey to its summary."""
    summary.furthest = t.furthest
    if t.rule >= 0:
        if t.dims not in summary.dims:
            summary.dims.append(t.dims)
        if t.rule not in summary.rules:
            summary.rules.append(t.rule)
    if t.kind == STALLED:
        summary.stalls += 1
    if t.dwell_ms >= 0:
        summary.dwell_ms[t.from_moment] = max(summary.dwell_ms[t.from_moment], 0) + t.dwell_ms
        if summary.stays <= MAX_PATH_STAYS:
            summary.path[-1] = Stay(summary.path[-1].moment, summary.path[-1].entered_ms, t.dwell_ms)
    entered = t.to_moment >= 0 and t.to_moment != t.from_moment
    if entered and (t.kind != CONVERTED or t.from_moment >= 0):
        summary.stays += 1
        if summary.stays <= MAX_PATH_STAYS:
            summary.path.append(Stay(t.to_moment, t.at_ms))
    if t.kind in (CONVERTED, ABANDONED):
        summary.outcome, summary.closed_ms = t.kind, t.at_ms
        _set_money(summary, t)


def _set_money(summary: JourneySummary, t: JourneyStep) -> None:
    summary.amount, summary.currency, summary.items = t.amount, t.currency, t.items


def retell(done: Iterable[Final], steps: Iterable[JourneyStep]) -> None:
    """Gives finished journeys the money that later steps tell of their purchases."""
    closed = {(f.need, f.journey): f for f in done if isinstance(f, JourneySummary)}
    for t in steps:
        if t.kind == CONVERTED and (summary := closed.get((t.need, t.journey))) is not None:
            _set_money(summary, t)


def summarize(
    begun: Iterable[JourneySummary], steps: Iterable[JourneyStep]
) -> tuple[list[Final], list[JourneySummary]]:
    """Splits steps by journey: returns what they finished, in order, and summaries of what is still open.

    Finished are journeys that were closed and refunds that were made. `begun`: the summaries of the journeys
    that were open before; they are not changed.
    """
    under_way = {(summary.need, summary.journey): copy_of(summary) for summary in begun}
    done: list[Final] = []
    for t in steps:
        if t.kind in REFUNDS:
            done.append(FinalRefund(t))
            continue
        if not t.journey or t.kind == WITHDRAWN:  # unmatched, or no step
            continue
        name = (t.need, t.journey)
        if t.kind == CONVERTED and name not in under_way:  # stated anew; one of the base is final
            retell(done, (t,))
            continue
        if t.kind == CUE:
            closed = (f for f in reversed(done) if isinstance(f, JourneySummary))
            # The cue of a purchase comes behind it.
            summary = under_way.get(name) or next(f for f in closed if (f.need, f.journey) == name)
            summary.cues.append(SummarizedCue(t.cue, t.from_moment, t.at_ms))
            continue
        if t.kind == OPENED:
            under_way[name] = JourneySummary(t.need, t.journey, t.opened_ms, t.opened_dims, dwell_ms=[-1] * 5)
        add_step(under_way[name], t)
        if under_way[name].outcome:
            done.append(under_way.pop(name))
    return done, list(under_way.values())


def copy_of(summary: JourneySummary) -> JourneySummary:
    """A summary that can grow without changing this one."""
    return msgspec.structs.replace(
        summary,
        path=[*summary.path],
        dwell_ms=[*summary.dwell_ms],
        dims=[*summary.dims],
        rules=[*summary.rules],
        cues=[*summary.cues],
    )


def settled_ms(final: Final, patience: Patience) -> int:
    """The time (ms) of the last event that may still change it: its closing, but of a purchase the end of the
    join window, in which a truth may tell its money.
    """
    if isinstance(final, JourneySummary) and final.outcome == CONVERTED:
        return final.closed_ms + patience.join
    return happened_ms(final)


def happened_ms(final: Final) -> int:
    """When the journey was closed, or the refund made."""
    return final.closed_ms if isinstance(final, JourneySummary) else final.step.at_ms
