"""The journey machine: what each signal does, as a table, and the short interpreter that reads it.

A person, about one need, is in one moment or in none. A sure signal opens a journey, moves it or confirms it; an unsure one only
shows that the person is still there. Silence longer than the patience of their moment *stalls* the journey, which stays open and is
*resumed* by whatever comes next; one long silence *abandons* it. The moment of truth *converts* it. Repeats of one purchase
(thank-you page, reload, the server's own event) join its conversion. A refund rewrites nothing: it is a new fact about a conversion.

Every journey is opened once and closed at most once, so opened - converted - abandoned = open, in every window.
docs/journeys.md has the rules in full; its diagram is drawn from the table below.
"""

import msgspec

from streams.core.journeys.signal import DIMS, MARK, SURE, TIME
from streams.core.moments.verdict import REFUND, TRUTH

(
    IGNORED,
    CONFIRMED,
    OPENED,
    ADVANCED,
    RETURNED,
    CONVERTED,
    BOUGHT,
    STALLED,
    RESUMED,
    ABANDONED,
    REFUNDED,
    UNMATCHED,
) = range(12)
KINDS = (
    "",
    "",
    "opened",
    "advanced",
    "returned",
    "converted",
    "",
    "stalled",
    "resumed",
    "abandoned",
    "refunded",
    "refund_unmatched",
)

NONE = -1  # in no moment: the last row
UNSURE = 5  # the last column: a signal too weak to mean anything but presence

TABLE = (
    # know      go         do         buy        truth      unsure        <- the signal
    (CONFIRMED, ADVANCED,  ADVANCED,  ADVANCED,  CONVERTED, CONFIRMED),  # in know
    (RETURNED,  CONFIRMED, ADVANCED,  ADVANCED,  CONVERTED, CONFIRMED),  # in go
    (RETURNED,  RETURNED,  CONFIRMED, ADVANCED,  CONVERTED, CONFIRMED),  # in do
    (RETURNED,  RETURNED,  RETURNED,  CONFIRMED, CONVERTED, CONFIRMED),  # in buy
    (OPENED,    OPENED,    OPENED,    OPENED,    BOUGHT,    IGNORED),    # in none; BOUGHT: opened and converted at once
)  # fmt: skip

# A stalled journey is resumed before its row is read. Refunds, and truths that join an earlier conversion, do not come to the table.
TIMERS = ((STALLED, "silent for the moment's patience"), (ABANDONED, "silent for the long patience"))

MAX_CONVERSIONS = 64  # remembered per need, for refunds and repeats to come; older than the refund window they are dropped anyway


class Patience(msgspec.Struct, frozen=True):
    """The fold settings that the machine needs, all in milliseconds. Defaults: docs/journeys.md."""

    stall: tuple[int, int, int, int] = (
        259_200_000,
        14_400_000,
        86_400_000,
        3_600_000,
    )  # in know, go, do, buy
    abandon: int = 2_592_000_000
    refund: int = 7_776_000_000  # refunds and repeated order ids find a purchase this far back
    join: int = 1_800_000  # a repeat of a purchase without an order id


class Transition(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One step of a journey. Two are the same when all of this is the same; (kind, need, cause) names it in its profile."""

    kind: int
    need: int
    at_ms: int
    cause: bytes  # ref of the event; stalled: of the last sign of life; abandoned: of the event that opened the journey
    journey: bytes  # ref of the event that opened it
    opened_ms: int
    frm: int
    to: int
    dwell_ms: int  # in the moment left; -1: none was left
    was: int  # furthest before
    furthest: int
    dims: int  # of the cause; of the opening, where silence is the cause
    home: int  # of the opening
    offset: int  # from UTC, of the same signal as dims
    rule: int  # -1: silence


class Conversion(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A purchase, as later signals may refer to it."""

    journey: bytes
    opened_ms: int
    at_ms: int  # of its first truth
    home: int
    order: bytes | None  # its order id, its own or lent by a repeat
    refunded: bool = False


class State(msgspec.Struct, gc=False, array_like=True):
    """Where a profile is, about one need, after some prefix of its journal. A function of that prefix (and of the timers fired) alone."""

    need: int = 0
    moment: int = NONE
    furthest: int = NONE
    stalled: bool = False
    outcome: int = 0  # of the last journey, once closed: CONVERTED, ABANDONED or REFUNDED
    opened_ms: int = 0
    entered_ms: int = 0  # of the moment; when closed: when that was
    last_ms: int = 0  # last sign of life
    last: bytes = b""
    home: int = 0  # dimensions and offset of the opening
    home_offset: int = 0
    journey: bytes = b""
    conversions: tuple[Conversion, ...] = ()


def step(
    s: State,
    head: int,
    ref: bytes,
    rule: int,
    offset: int,
    order: bytes | None,
    patience: Patience,
    out: list[Transition],
) -> None:
    """One signal of this need, in order. Changes s; appends what is now true to out."""
    at, mark, moment = head >> TIME, head >> MARK & 7, s.moment
    if moment >= 0 and at - s.last_ms > patience.stall[moment]:
        settle(s, at - 1, patience, out)
        moment = s.moment
    if not head & SURE:
        if mark == REFUND:
            return
        mark = UNSURE
    elif mark >= TRUTH:
        if mark == REFUND:
            if not refund(s, at, head & DIMS, ref, rule, offset, order, patience, out):
                out.append(unmatched(s.need, at, ref, head & DIMS, offset, rule))
            return
        if s.conversions and joins(s, at, order, patience):
            return
    action = TABLE[moment][mark]
    if action == IGNORED:
        return
    dims = head & DIMS
    if moment < 0:
        s.outcome, s.stalled, s.opened_ms, s.entered_ms, s.last_ms, s.last = 0, False, at, at, at, ref
        s.home, s.home_offset, s.journey, s.moment, s.furthest = dims, offset, ref, mark, mark
        out.append(
            Transition(OPENED, s.need, at, ref, ref, at, NONE, mark, -1, NONE, mark, dims, dims, offset, rule)
        )
        if action == BOUGHT:
            out.append(
                Transition(
                    CONVERTED, s.need, at, ref, ref, at, NONE, mark, -1, mark, mark, dims, dims, offset, rule
                )
            )
            convert(s, at, order, patience)
        return
    if s.stalled:
        s.stalled = False
        out.append(
            Transition(
                RESUMED,
                s.need,
                at,
                ref,
                s.journey,
                s.opened_ms,
                moment,
                moment,
                -1,
                s.furthest,
                s.furthest,
                dims,
                s.home,
                offset,
                rule,
            )
        )
    s.last_ms, s.last = at, ref
    if action == CONFIRMED:
        return
    was = s.furthest
    if mark > was:
        s.furthest = mark
    out.append(
        Transition(
            action,
            s.need,
            at,
            ref,
            s.journey,
            s.opened_ms,
            moment,
            mark,
            at - s.entered_ms,
            was,
            s.furthest,
            dims,
            s.home,
            offset,
            rule,
        )
    )
    s.moment, s.entered_ms = mark, at
    if action == CONVERTED:
        convert(s, at, order, patience)


def convert(s: State, at: int, order: bytes | None, patience: Patience) -> None:
    """The journey is closed by a purchase, which is remembered as long as a later signal may refer to it."""
    kept = [c for c in s.conversions[1 - MAX_CONVERSIONS :] if at - c.at_ms <= patience.refund]
    s.conversions = (*kept, Conversion(s.journey, s.opened_ms, at, s.home, order))
    s.moment, s.outcome = NONE, CONVERTED


def joins(s: State, at: int, order: bytes | None, patience: Patience) -> bool:
    """Whether a truth repeats an earlier purchase: by its order id, else by being close to one when either has none. Lends its id."""
    found = -1
    for n, c in enumerate(s.conversions):
        if order is not None and c.order == order and at - c.at_ms <= patience.refund:
            found = n
    if found >= 0:
        return True
    for n, c in enumerate(s.conversions):
        if (order is None or c.order is None) and at - c.at_ms <= patience.join:
            found = n
    if found < 0:
        return False
    if order is not None:
        change(s, found, msgspec.structs.replace(s.conversions[found], order=order))
    return True


def refund(
    s: State,
    at: int,
    dims: int,
    ref: bytes,
    rule: int,
    offset: int,
    order: bytes | None,
    patience: Patience,
    out: list[Transition],
) -> bool:
    """Finds the purchase that a refund is about and says so; False when there is none in this need."""
    for n in range(len(s.conversions) - 1, -1, -1):
        c = s.conversions[n]
        if not c.refunded and at - c.at_ms <= patience.refund and (order is None or c.order == order):
            out.append(
                Transition(
                    REFUNDED,
                    s.need,
                    at,
                    ref,
                    c.journey,
                    c.opened_ms,
                    TRUTH,
                    NONE,
                    -1,
                    TRUTH,
                    TRUTH,
                    dims,
                    c.home,
                    offset,
                    rule,
                )
            )
            change(s, n, msgspec.structs.replace(c, refunded=True))
            if s.moment < 0 and c.journey == s.journey:
                s.outcome = REFUNDED
            return True
    return False


def change(s: State, n: int, conversion: Conversion) -> None:
    """Puts another conversion in the place of number n."""
    s.conversions = (*s.conversions[:n], conversion, *s.conversions[n + 1 :])


def unmatched(need: int, at: int, ref: bytes, dims: int, offset: int, rule: int) -> Transition:
    """A refund that found no purchase: counted by the tallies, published nowhere."""
    return Transition(UNMATCHED, need, at, ref, b"", 0, NONE, NONE, -1, NONE, NONE, dims, dims, offset, rule)


def settle(s: State, upto: int, patience: Patience, out: list[Transition]) -> None:
    """Says of the silence after the last sign of life what is true once every deadline up to and including `upto` has passed."""
    moment = s.moment
    if moment < 0:
        return
    if not s.stalled:
        due = s.last_ms + patience.stall[moment]
        if due > upto:
            return
        s.stalled = True
        out.append(silence(s, STALLED, due, s.last, moment, -1))
    due = s.last_ms + patience.abandon
    if due <= upto:
        out.append(silence(s, ABANDONED, due, s.journey, NONE, s.last_ms - s.entered_ms))
        s.moment, s.stalled, s.outcome, s.entered_ms = NONE, False, ABANDONED, due


def silence(s: State, kind: int, due: int, cause: bytes, to: int, dwell_ms: int) -> Transition:
    return Transition(
        kind,
        s.need,
        due,
        cause,
        s.journey,
        s.opened_ms,
        s.moment,
        to,
        dwell_ms,
        s.furthest,
        s.furthest,
        s.home,
        s.home,
        s.home_offset,
        -1,
    )


def deadline(s: State, patience: Patience) -> int:
    """When the silence that has begun will next say something; -1: never."""
    if s.moment < 0:
        return -1
    return s.last_ms + (patience.abandon if s.stalled else patience.stall[s.moment])
