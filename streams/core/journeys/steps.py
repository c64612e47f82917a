"""How a step of a journey is written down: one function for each sort of cause.

Nothing here decides anything. The machine decides, and calls one of these while the state is still in the
moment that the step leaves.

Kind and need are given by place: for more than 14 names after them, CPython would make a dict at each call.
"""

from streams.core.journeys.journey_step import CUE, NO_MOMENT, JourneyStep
from streams.core.journeys.signal import DIMS, TIME, Signal
from streams.core.journeys.state import Conversion, State
from streams.core.moments.verdict import NO_CUE, TRUTH


def step_of_signal(
    s: State, signal: Signal, kind: int, to_moment: int, furthest_before: int, dwell_ms: int = -1
) -> JourneyStep:
    """A step of the open journey that a signal causes, from the moment of the state to `to_moment`."""
    return JourneyStep(
        kind,
        s.need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=s.journey,
        opened_ms=s.opened_ms,
        from_moment=s.moment,
        to_moment=to_moment,
        dwell_ms=dwell_ms,
        furthest_before=furthest_before,
        furthest=s.furthest,
        first_entry=not s.been_in >> to_moment & 1,
        dims=signal.head & DIMS,
        opened_dims=s.opened_dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
    )


def step_of_silence(
    s: State, kind: int, due_ms: int, caused_by: bytes, *, to_moment: int, dwell_ms: int = -1
) -> JourneyStep:
    """A step that no event causes, because a deadline has passed.

    `caused_by`: the event that the step is named after: the last sign of life, or the opening event.
    """
    return JourneyStep(
        kind,
        s.need,
        at_ms=due_ms,
        caused_by=caused_by,
        journey=s.journey,
        opened_ms=s.opened_ms,
        from_moment=s.moment,
        to_moment=to_moment,
        dwell_ms=dwell_ms,
        furthest_before=s.furthest,
        furthest=s.furthest,
        first_entry=False,
        dims=s.opened_dims,
        opened_dims=s.opened_dims,
        utc_offset_quarters=s.opened_utc_offset_quarters,
        rule=-1,
    )


def step_of_refund(
    need: int, signal: Signal, conversion: Conversion, kind: int, amount: int | None
) -> JourneyStep:
    """A refund of a remembered purchase, or of a part of it. `amount`: what it gives back, if known."""
    currency = conversion.money.currency if conversion.money is not None and amount is not None else -1
    return JourneyStep(
        kind,
        need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=conversion.journey,
        opened_ms=conversion.opened_ms,
        from_moment=TRUTH,
        to_moment=NO_MOMENT,
        dwell_ms=-1,
        furthest_before=TRUTH,
        furthest=TRUTH,
        first_entry=False,
        dims=signal.head & DIMS,
        opened_dims=conversion.opened_dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
        amount=amount,
        currency=currency,
    )


def step_of_cue(s: State, signal: Signal, moment: int) -> JourneyStep:
    """A cue that is matched with the journey: it stays in this moment."""
    return JourneyStep(
        CUE,
        s.need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=s.journey,
        opened_ms=s.opened_ms,
        from_moment=moment,
        to_moment=moment,
        dwell_ms=-1,
        furthest_before=s.furthest,
        furthest=s.furthest,
        first_entry=False,
        dims=signal.head & DIMS,
        opened_dims=s.opened_dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
        cue=signal.cue,
    )


def unmatched_signal(need: int, signal: Signal, kind: int) -> JourneyStep:
    """A refund that found no conversion, an update of an order that is not known, or a cue without a journey.

    It is counted in the tallies, as this kind, and published nowhere else.
    """
    dims = signal.head & DIMS
    return JourneyStep(
        kind,
        need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=b"",
        opened_ms=0,
        from_moment=NO_MOMENT,
        to_moment=NO_MOMENT,
        dwell_ms=-1,
        furthest_before=NO_MOMENT,
        furthest=NO_MOMENT,
        first_entry=False,
        dims=dims,
        opened_dims=dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
        cue=signal.cue if kind == CUE else NO_CUE,
    )
