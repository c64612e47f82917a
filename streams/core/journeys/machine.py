"""The journey machine: first the theory, then the table, then the short interpreter that reads it.

Theory
======

A *signal* is what one event says about a person's intent. The intent is one of the five *moments* (know, go,
do, buy, truth, in this order; truth is the purchase) or a *refund*. A signal is sure or unsure: a sure one
says what the person wants, an unsure one says only that the person is there.

A *need* is what a signal is about, such as coffee or a car. The machine reads one need of one person. It
takes the signals in the order of their times, and it knows no clock and no order of arrival. So one set of
signals always gives one list of steps. It looks at other needs for one thing only, the grace of a purchase.

A *journey* is one search for what the need is about. Either one journey is open or none is. An open journey
is in one moment: know, go, do or buy. It is never in truth, because a purchase closes it.

The state of a need is three small machines that work together.

1. The moment: none, know, go, do or buy. Sure signals move it, as the table says. With no journey open, a
   signal *opens* one. In an open journey, a signal for a further moment *advances* it, one for a nearer
   moment *returns* it, and one for its own moment only confirms it. A truth *converts* it. A truth with no
   journey open does both: it opens a journey and converts it at once.

2. Silence: the time since the last *sign of life*. Each signal that the table reads while a journey is open
   is a sign of life, even an unsure one. Silence as long as the patience of the moment *stalls* the
   journey: it stays open, in its moment. The next sign of life *resumes* it, before its row of the table is
   read. Silence as long as the one long patience *abandons* the journey, which closes it.

3. The *conversions*: the purchases so far, each of them refunded or not. Some signals are about a
   conversion, and never come to the table; they are no signs of life and touch no open journey.
   - A truth can repeat a purchase (a thank-you page, a reload, the server's own event): it *joins* the
     conversion, and at most states its money anew.
   - A truth can be an *update*: somebody has edited an order. It joins where its order is known, and converts
     a journey that is in buy. It never opens one, since the order may be months old: it is then unmatched.
   - A buy signal with no journey open, in the *grace* after a purchase, is the rest of that purchase: the
     browser's last word from the till, which comes after the server's order. It says nothing. If it names no
     need, it may be about a purchase of any need.
   - A sure refund makes a conversion *refunded*, or *partially refunded* where it gives back a part of the
     money. That is a new fact about it and rewrites nothing: the journey stays converted. A refund that
     finds no conversion is unmatched.
   What is unmatched is counted, and that is all.

A signal may have a *cue* besides: something that happened inside the moment, such as a denied coupon. It is
matched with the journey whose sign of life the signal is, in the moment in which the signal leaves it (truth,
if it converts it). A cue changes nothing.

Time passes in two ways, and both give the same steps. Any signal of the need, a refund too, shows that time
has come so far: the silence before it is judged first. Where no signal comes, a timer judges the silence.
A signal that comes exactly at a deadline is still in time.

Every journey is opened once and closed at most once, so opened - converted - abandoned = open, in every
window.

Implementation
==============

`step` reads one signal: it judges the silence before it, sets aside what is about a conversion, and looks up
the rest in the table. `settle` judges silence. `convert` and `join_conversion` change the conversions, with
`conversions.py`, and so does `refunds.py`; `in_grace` looks at them. `match_cue` comes after
`step`, if there is a cue. A refund that is about every need of the person is offered to all of them:
`folding.refund_everywhere` does that.

docs/journeys.md is the specification. `diagram.py` draws its picture from TABLE and KIND_OF_MOVE, and
silence, resuming and refunds by hand: whoever changes `step`, `settle` or `give_back` changes the picture,
too.
"""

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from streams.core.journeys.conversions import adopt_money, own_money, replace_conversion, with_money
from streams.core.journeys.journey_step import (
    ABANDONED,
    ADVANCED,
    CONVERTED,
    CUE,
    NO_MOMENT,
    OPENED,
    REFUND_UNMATCHED,
    RESUMED,
    RETURNED,
    STALLED,
    UPDATE_UNMATCHED,
    JourneyStep,
)
from streams.core.journeys.order_facts import Update
from streams.core.journeys.refunds import refund
from streams.core.journeys.signal import (
    DIMS,
    GIVEN_FORM,
    INTENT,
    NAMELESS_NUMBER,
    SURE,
    TIME,
    Signal,
    order_of,
)
from streams.core.journeys.state import Conversion, Patience, State
from streams.core.journeys.steps import step_of_cue, step_of_signal, step_of_silence, unmatched_signal
from streams.core.moments.verdict import BUY, REFUND, TRUTH


class Action(IntEnum):
    """What the table can say about a signal."""

    IGNORE = 0
    CONFIRM = 1  # a sign of life, and nothing to publish
    OPEN = 2
    ADVANCE = 3
    RETURN = 4
    CONVERT = 5
    PURCHASE = 6  # opens and converts at once


# Plain numbers for the hot loop (as in journey_step.py).
IGNORE, CONFIRM, OPEN, ADVANCE, RETURN, CONVERT, PURCHASE = (action.value for action in Action)

UNSURE = 5  # the last column: an unsure signal of any moment (an unsure refund does nothing)

TABLE = (
    # know    go       do       buy      truth     unsure       <- the signal
    (CONFIRM, ADVANCE, ADVANCE, ADVANCE, CONVERT,  CONFIRM),  # in know
    (RETURN,  CONFIRM, ADVANCE, ADVANCE, CONVERT,  CONFIRM),  # in go
    (RETURN,  RETURN,  CONFIRM, ADVANCE, CONVERT,  CONFIRM),  # in do
    (RETURN,  RETURN,  RETURN,  CONFIRM, CONVERT,  CONFIRM),  # in buy
    (OPEN,    OPEN,    OPEN,    OPEN,    PURCHASE, IGNORE),   # in none: row -1 (NO_MOMENT), so the last
)  # fmt: skip
# The kind of step that each of these actions publishes.
KIND_OF_MOVE = {ADVANCE: ADVANCED, RETURN: RETURNED, CONVERT: CONVERTED}

# Conversions that a need remembers, for refunds and repeats to come. A need with more purchases than this
# within the refund window forgets the oldest.
MAX_CONVERSIONS = 64
# Cues that are matched with a journey, the first ones. Whoever meets more trouble is a robot, or the page is
# broken: the counters say so, and a journey's final record stays small.
MAX_CUES = 64


def step(states: list[State], need: int, signal: Signal, patience: Patience, out: list[JourneyStep]) -> None:
    """Reads the next signal of this need: changes its state, and appends the steps that follow to `out`.

    `states`: where the person stands in each need, by its number.
    """
    s, head = states[need], signal.head
    at_ms, intent, moment = head >> TIME, head >> INTENT & 7, s.moment
    # The silence before the signal.
    if moment >= 0 and at_ms - s.last_sign_ms > patience.stall[moment]:
        settle(s, at_ms - 1, patience, out)
        moment = s.moment
    # Which column, or none: what is about a conversion does not come to the table.
    if not head & SURE:
        if intent == REFUND:
            return
        intent = UNSURE
    elif intent >= TRUTH:
        if intent == REFUND:
            if not refund(s, signal, patience, out):
                out.append(unmatched_signal(need, signal, REFUND_UNMATCHED))
            return
        if s.conversions and (joined := find_joined(s, signal, patience)) >= 0:
            join_conversion(s, joined, signal, patience, out)
            return
        if (update := update_of(signal)) and (update == Update.OLD or moment != BUY):
            out.append(unmatched_signal(need, signal, UPDATE_UNMATCHED))
            return
    # What the table says.
    action = TABLE[moment][intent]
    if action == IGNORE:
        return
    if moment < 0:
        if intent == BUY and any(in_grace(signal, other, patience) for other in grace_states(states, need)):
            return
        open_journey(s, signal, intent)
        out.append(step_of_signal(s, signal, OPENED, intent, NO_MOMENT))
        s.been_in = 1 << intent
        if action == PURCHASE:
            out.append(step_of_signal(s, signal, CONVERTED, intent, intent))
            convert(s, signal, patience, out)
        else:
            s.moment = intent
        return
    if s.stalled:
        s.stalled = False
        out.append(step_of_signal(s, signal, RESUMED, moment, s.furthest))
    s.last_sign_ms, s.last_sign = at_ms, signal.ref
    if signal.ref[0] == GIVEN_FORM:
        s.has_given = True
    if action == CONFIRM:
        return
    furthest_before = s.furthest
    if intent > furthest_before:
        s.furthest = intent
    out.append(step_of_signal(s, signal, KIND_OF_MOVE[action], intent, furthest_before, at_ms - s.entered_ms))
    s.moment, s.entered_ms = intent, at_ms
    s.been_in |= 1 << intent
    if action == CONVERT:
        convert(s, signal, patience, out)


def match_cue(s: State, signal: Signal, out: list[JourneyStep]) -> None:
    """Matches the cue of the signal that was just read with the journey whose sign of life it is, if any."""
    if s.last_sign_ms != signal.head >> TIME or s.last_sign != signal.ref or s.cues >= MAX_CUES:
        out.append(unmatched_signal(s.need, signal, CUE))
        return
    s.cues += 1
    out.append(step_of_cue(s, signal, s.moment if s.moment >= 0 else TRUTH))


def open_journey(s: State, signal: Signal, intent: int) -> None:
    """Opens a journey. The caller sets what the opening step changes: the moment, and the moments entered."""
    at_ms = signal.head >> TIME
    s.outcome, s.stalled, s.opened_ms, s.entered_ms = 0, False, at_ms, at_ms
    s.last_sign_ms, s.last_sign, s.journey = at_ms, signal.ref, signal.ref
    s.opened_dims, s.opened_utc_offset_quarters = signal.head & DIMS, signal.utc_offset_quarters
    s.furthest, s.been_in, s.cues = intent, 0, 0
    s.has_given = signal.ref[0] == GIVEN_FORM


def convert(s: State, signal: Signal, patience: Patience, out: list[JourneyStep]) -> None:
    """Closes the journey by a purchase, and remembers the purchase while a signal may refer to it.

    The last step of `out` is that it converted: it gets what is known of its money, and whether it is
    stitched.
    """
    at_ms, money = signal.head >> TIME, own_money(s, signal)
    if s.has_given:
        out[-1] = msgspec.structs.replace(out[-1], stitched=True)
    if money is not None:
        out[-1] = with_money(out[-1], money)
    is_stated = money is not None and money.amount is not None and money.by_server
    kept, expired = s.conversions[1 - MAX_CONVERSIONS :], 0
    while expired < len(kept) and at_ms - kept[expired].at_ms > patience.refund:
        expired += 1
    s.conversions = (
        *kept[expired:],
        Conversion(
            s.journey,
            s.opened_ms,
            at_ms,
            s.opened_dims,
            order_of(signal),
            money=money,
            step=None if is_stated else out[-1],
        ),
    )
    s.moment, s.outcome = NO_MOMENT, CONVERTED


def find_joined(s: State, signal: Signal, patience: Patience) -> int:
    """The number of the remembered purchase that a truth repeats; -1: it repeats none.

    It does when both have the same order id. Failing that, it does when one of them has no order id and they
    are close in time.
    """
    at_ms, order = signal.head >> TIME, order_of(signal)
    if order is not None:
        for n, c in enumerate(s.conversions):
            if c.order == order and at_ms - c.at_ms <= patience.refund:
                return n
    # The latest first: those before the first one that is too old are older still.
    for n in range(len(s.conversions) - 1, -1, -1):
        c = s.conversions[n]
        if at_ms - c.at_ms > patience.join:
            return -1
        if order is None or c.order is None:
            return n
    return -1


def join_conversion(s: State, n: int, signal: Signal, patience: Patience, out: list[JourneyStep]) -> None:
    """A truth joins conversion number n: it may give it an order id if it has none, and tell its money."""
    c, order = s.conversions[n], order_of(signal)
    if order is not None and c.order is None:
        replace_conversion(s, n, msgspec.structs.replace(c, order=order))
    adopt_money(s, n, signal, patience, out)


def knows_order(s: State, order: bytes, at_ms: int, patience: Patience) -> bool:
    """True if an order is that of a purchase before this time, but not too long before."""
    return any(c.order == order and 0 <= at_ms - c.at_ms <= patience.refund for c in s.conversions)


def grace_states(states: list[State], need: int) -> Iterable[State]:
    """The needs whose purchases give grace to a buy signal: its own; all of them where it names none."""
    return states if need == NAMELESS_NUMBER else (states[need],)


def in_grace(signal: Signal, s: State, patience: Patience) -> bool:
    """True if a buy signal can be the rest of a purchase of this need: not of another order."""
    at_ms, order = signal.head >> TIME, order_of(signal)
    for c in reversed(s.conversions):
        if at_ms - c.at_ms > patience.grace:
            return False
        if order is None or c.order is None or order == c.order:
            return True
    return False


def update_of(signal: Signal) -> int:
    """The `Update` that a signal is."""
    return signal.facts.update if signal.facts is not None else Update.NONE


def settle(s: State, until_ms: int, patience: Patience, out: list[JourneyStep]) -> None:
    """Judges the silence since the last sign of life: deadlines at or before `until_ms` have passed."""
    moment = s.moment
    if moment < 0:
        return
    if not s.stalled:
        due_ms = s.last_sign_ms + patience.stall[moment]
        if due_ms > until_ms:
            return
        s.stalled = True
        out.append(step_of_silence(s, STALLED, due_ms, s.last_sign, to_moment=moment))
    due_ms = s.last_sign_ms + patience.abandon
    if due_ms <= until_ms:
        dwell_ms = s.last_sign_ms - s.entered_ms
        out.append(step_of_silence(s, ABANDONED, due_ms, s.journey, to_moment=NO_MOMENT, dwell_ms=dwell_ms))
        s.moment, s.stalled, s.outcome, s.entered_ms = NO_MOMENT, False, ABANDONED, due_ms


def next_deadline(s: State, patience: Patience) -> int:
    """When silence will next stall or abandon the journey, in ms; -1: no journey is open."""
    if s.moment < 0:
        return -1
    return s.last_sign_ms + (patience.abandon if s.stalled else patience.stall[s.moment])
