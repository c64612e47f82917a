"""The journey machine: what each signal does, as a table, and the short interpreter that reads it.

A person, about one need, is in one moment or in none. A sure signal opens a journey, moves it or confirms it.
An unsure signal only shows that the person is still there. Silence longer than the patience of the moment
*stalls* the journey: it stays open, and the next signal *resumes* it. One long silence *abandons* it. The
moment of truth *converts* it. Repeats of one purchase (a thank-you page, a reload, the server's own event)
join its conversion. A refund rewrites nothing: it is a new fact about a conversion.

Every journey is opened once and closed at most once, so opened - converted - abandoned = open, in every
window. docs/journeys.md has the rules in full; its diagram is drawn from the table below.
"""

from enum import IntEnum

import msgspec

from streams.core.journeys.journey_step import (
    ABANDONED,
    ADVANCED,
    CONVERTED,
    NO_MOMENT,
    OPENED,
    REFUND_UNMATCHED,
    REFUNDED,
    RESUMED,
    RETURNED,
    STALLED,
    JourneyStep,
)
from streams.core.journeys.signal import DIMS, INTENT, SURE, TIME, Signal
from streams.core.journeys.state import Conversion, Patience, State
from streams.core.moments.verdict import REFUND, TRUTH


class Action(IntEnum):
    """What a signal does to a journey in the moment that it is in."""

    IGNORE = 0
    CONFIRM = 1  # a sign of life, and nothing to publish
    OPEN = 2
    ADVANCE = 3
    RETURN = 4
    CONVERT = 5
    PURCHASE = 6  # opens and converts at once


IGNORE, CONFIRM, OPEN, ADVANCE, RETURN, CONVERT, PURCHASE = (action.value for action in Action)

UNSURE = 5  # the last column: a signal too weak to mean anything but presence

TABLE = (
    # know    go       do       buy      truth    unsure        <- the signal
    (CONFIRM, ADVANCE, ADVANCE, ADVANCE, CONVERT, CONFIRM),  # in know
    (RETURN,  CONFIRM, ADVANCE, ADVANCE, CONVERT, CONFIRM),  # in go
    (RETURN,  RETURN,  CONFIRM, ADVANCE, CONVERT, CONFIRM),  # in do
    (RETURN,  RETURN,  RETURN,  CONFIRM, CONVERT, CONFIRM),  # in buy
    (OPEN,    OPEN,    OPEN,    OPEN,    PURCHASE,     IGNORE),   # in none: row NO_MOMENT, the last
)  # fmt: skip
KIND_OF_MOVE = {ADVANCE: ADVANCED, RETURN: RETURNED, CONVERT: CONVERTED}

# A stalled journey is resumed before its row is read. Refunds, and truths that join a conversion, do not
# come to the table.
TIMERS = ((STALLED, "silent for the moment's patience"), (ABANDONED, "silent for the long patience"))

MAX_CONVERSIONS = (
    64  # remembered per need, for refunds and repeats to come; most are older than the refund window by then
)


def step(s: State, signal: Signal, patience: Patience, out: list[JourneyStep]) -> None:
    """Takes one signal of this need, in order. Changes `s` and appends what is now true to `out`."""
    head = signal.head
    at_ms, intent, moment = head >> TIME, head >> INTENT & 7, s.moment
    if moment >= 0 and at_ms - s.last_sign_ms > patience.stall[moment]:
        settle(s, at_ms - 1, patience, out)
        moment = s.moment
    if not head & SURE:
        if intent == REFUND:
            return
        intent = UNSURE
    elif intent >= TRUTH:
        if intent == REFUND:
            if not refund(s, signal, patience, out):
                out.append(unmatched_refund(s.need, signal))
            return
        if s.conversions and joins_conversion(s, signal, patience):
            return
    action = TABLE[moment][intent]
    if action == IGNORE:
        return
    if moment < 0:
        open_journey(s, signal, intent)
        out.append(caused(s, signal, OPENED, intent, NO_MOMENT))
        if action == PURCHASE:
            out.append(caused(s, signal, CONVERTED, intent, intent))
            convert(s, signal, patience)
        else:
            s.moment = intent
        return
    if s.stalled:
        s.stalled = False
        out.append(caused(s, signal, RESUMED, moment, s.furthest))
    s.last_sign_ms, s.last_sign = at_ms, signal.ref
    if action == CONFIRM:
        return
    furthest_before = s.furthest
    if intent > furthest_before:
        s.furthest = intent
    out.append(caused(s, signal, KIND_OF_MOVE[action], intent, furthest_before, at_ms - s.entered_ms))
    s.moment, s.entered_ms = intent, at_ms
    if action == CONVERT:
        convert(s, signal, patience)


def open_journey(s: State, signal: Signal, intent: int) -> None:
    """Opens a journey. The moment is left to the caller: the step that opens it comes out of none."""
    at_ms = signal.head >> TIME
    s.outcome, s.stalled, s.opened_ms, s.entered_ms = 0, False, at_ms, at_ms
    s.last_sign_ms, s.last_sign, s.journey = at_ms, signal.ref, signal.ref
    s.opened_dims, s.opened_utc_offset_quarters = signal.head & DIMS, signal.utc_offset_quarters
    s.furthest = intent


def convert(s: State, signal: Signal, patience: Patience) -> None:
    """Closes the journey by a purchase, and remembers that as long as a later signal may refer to it."""
    at_ms = signal.head >> TIME
    kept = [c for c in s.conversions[1 - MAX_CONVERSIONS :] if at_ms - c.at_ms <= patience.refund]
    s.conversions = (*kept, Conversion(s.journey, s.opened_ms, at_ms, s.opened_dims, signal.order))
    s.moment, s.outcome = NO_MOMENT, CONVERTED


def joins_conversion(s: State, signal: Signal, patience: Patience) -> bool:
    """True if a truth repeats an earlier purchase: by its order id, else by being close to one when either
    has none.

    A repeat that has an order id lends it to a conversion that has none.
    """
    at_ms, order = signal.head >> TIME, signal.order
    found = -1
    for n, c in enumerate(s.conversions):
        if order is not None and c.order == order and at_ms - c.at_ms <= patience.refund:
            found = n
    if found >= 0:
        return True
    for n, c in enumerate(s.conversions):
        if (order is None or c.order is None) and at_ms - c.at_ms <= patience.join:
            found = n
    if found < 0:
        return False
    if order is not None:
        replace_conversion(s, found, msgspec.structs.replace(s.conversions[found], order=order))
    return True


def refund(s: State, signal: Signal, patience: Patience, out: list[JourneyStep]) -> bool:
    """Finds the purchase that a refund is about and appends the step; False: this need has none."""
    at_ms, order = signal.head >> TIME, signal.order
    for n in range(len(s.conversions) - 1, -1, -1):
        c = s.conversions[n]
        if not c.refunded and at_ms - c.at_ms <= patience.refund and (order is None or c.order == order):
            out.append(
                JourneyStep(
                    kind=REFUNDED,
                    need=s.need,
                    at_ms=at_ms,
                    caused_by=signal.ref,
                    journey=c.journey,
                    opened_ms=c.opened_ms,
                    from_moment=TRUTH,
                    to_moment=NO_MOMENT,
                    dwell_ms=-1,
                    furthest_before=TRUTH,
                    furthest=TRUTH,
                    dims=signal.head & DIMS,
                    opened_dims=c.opened_dims,
                    utc_offset_quarters=signal.utc_offset_quarters,
                    rule=signal.rule,
                )
            )
            replace_conversion(s, n, msgspec.structs.replace(c, refunded=True))
            if s.moment < 0 and c.journey == s.journey:
                s.outcome = REFUNDED
            return True
    return False


def replace_conversion(s: State, n: int, conversion: Conversion) -> None:
    """Puts another conversion in the place of number n."""
    s.conversions = (*s.conversions[:n], conversion, *s.conversions[n + 1 :])


def settle(s: State, until_ms: int, patience: Patience, out: list[JourneyStep]) -> None:
    """Judges the silence after the last sign of life, once every deadline up to and including `until_ms` has
    passed.
    """
    moment = s.moment
    if moment < 0:
        return
    if not s.stalled:
        due_ms = s.last_sign_ms + patience.stall[moment]
        if due_ms > until_ms:
            return
        s.stalled = True
        out.append(silence(s, STALLED, due_ms, s.last_sign, to_moment=moment))
    due_ms = s.last_sign_ms + patience.abandon
    if due_ms <= until_ms:
        dwell_ms = s.last_sign_ms - s.entered_ms
        out.append(silence(s, ABANDONED, due_ms, s.journey, to_moment=NO_MOMENT, dwell_ms=dwell_ms))
        s.moment, s.stalled, s.outcome, s.entered_ms = NO_MOMENT, False, ABANDONED, due_ms


def next_deadline(s: State, patience: Patience) -> int:
    """When the silence that has begun will next mean something, in ms; -1: never."""
    if s.moment < 0:
        return -1
    return s.last_sign_ms + (patience.abandon if s.stalled else patience.stall[s.moment])


def caused(
    s: State, signal: Signal, kind: int, to_moment: int, furthest_before: int, dwell_ms: int = -1
) -> JourneyStep:
    """A step of the open journey that this signal causes, out of the moment that the state is still in."""
    return JourneyStep(
        kind=kind,
        need=s.need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=s.journey,
        opened_ms=s.opened_ms,
        from_moment=s.moment,
        to_moment=to_moment,
        dwell_ms=dwell_ms,
        furthest_before=furthest_before,
        furthest=s.furthest,
        dims=signal.head & DIMS,
        opened_dims=s.opened_dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
    )


def silence(
    s: State, kind: int, due_ms: int, caused_by: bytes, *, to_moment: int, dwell_ms: int = -1
) -> JourneyStep:
    """A step that no event causes: a deadline has passed."""
    return JourneyStep(
        kind=kind,
        need=s.need,
        at_ms=due_ms,
        caused_by=caused_by,
        journey=s.journey,
        opened_ms=s.opened_ms,
        from_moment=s.moment,
        to_moment=to_moment,
        dwell_ms=dwell_ms,
        furthest_before=s.furthest,
        furthest=s.furthest,
        dims=s.opened_dims,
        opened_dims=s.opened_dims,
        utc_offset_quarters=s.opened_utc_offset_quarters,
        rule=-1,
    )


def unmatched_refund(need: int, signal: Signal) -> JourneyStep:
    """A refund that found no purchase: counted by the tallies, published nowhere."""
    dims = signal.head & DIMS
    return JourneyStep(
        kind=REFUND_UNMATCHED,
        need=need,
        at_ms=signal.head >> TIME,
        caused_by=signal.ref,
        journey=b"",
        opened_ms=0,
        from_moment=NO_MOMENT,
        to_moment=NO_MOMENT,
        dwell_ms=-1,
        furthest_before=NO_MOMENT,
        furthest=NO_MOMENT,
        dims=dims,
        opened_dims=dims,
        utc_offset_quarters=signal.utc_offset_quarters,
        rule=signal.rule,
    )
