"""One profile: its journal, where it stands, and how one more event changes what has been said about it.

In order (all but a few per cent): append and step; nothing is looked up or compared. Anything else: put the event where it belongs,
fold the part of the journal after it with and without it, and say the difference. What was said is not stored: it is
fold(base, journal, timer position), always.

    journal   | folded: ids only, for two horizons | live: from `folded` on |        in segments of 8 records
                                             base ^                   states ^
"""

from copy import copy

import msgspec

from streams.core.journeys.finals import FinalRefund, JourneySummary, tell_all
from streams.core.journeys.machine import (
    Patience,
    State,
    Transition,
    deadline,
    refund,
    settle,
    step,
    unmatched,
)
from streams.core.journeys.signal import (
    ALL,
    DIMS,
    MARK,
    MAX_NEEDS,
    NAMELESS,
    ORDERED,
    PACK,
    RECORD,
    REF_AT,
    SIZE,
    SURE,
    TIME,
    find,
    order_key,
    position,
    time_of,
)
from streams.core.moments.verdict import TRUTH

SEGMENT = (
    8  # signals per sealed state record: a changed profile rewrites its head and the segments that changed
)
CHUNK = SEGMENT * SIZE
CAP = 256  # live signals; a profile busier than that within a horizon (a robot) shortens its own horizon: over_cap
IDS_CAP = 2_048  # folded records whose ids are still known, of a profile over its cap; others keep theirs for two horizons

APPLIED, DUPLICATE, OVER_CAP = range(3)

Orders = dict[bytes, bytes]
NO_ORDERS: Orders = {}


class Profile(msgspec.Struct, gc=False):
    """All that is kept of one person."""

    key: str
    states: list[State]  # one per need, by the need's number
    needs: tuple[str, ...] = NAMELESS  # their names; 0 is the nameless need
    journal: bytes = b""
    newest: int = -1  # head of the newest signal
    settled_ms: int = (
        -1
    )  # latest deadline that timers have fired on it: a signal before it undoes what they said
    folded: int = 0  # records at the front of the journal that are in the base already
    base: list[State] | None = None  # after those
    begun: list[JourneySummary] | None = None  # of the journeys that are open where the base ends
    orders: Orders | None = None  # order_key of a truth or refund -> its order
    first: int = 0  # number of the journal's first segment
    saved: int = 0  # records at the front of the journal that the state topic has just so
    sealed: int = 0  # segment records that the state topic has, from `first` on
    final_ms: int = 0  # journeys closed before this have had their final record
    armed_ms: int = -1  # when its timer goes off; -1: none
    tidy_ms: int = -1  # when it is next tidied


def need_number(p: Profile, name: str) -> int:
    """The number of a need by its name; a new one gets the next. -1: the profile is full."""
    try:
        return p.needs.index(name)
    except ValueError:
        if len(p.needs) >= MAX_NEEDS:
            return -1
        p.needs = (*p.needs, name)
        p.states.append(State(need=len(p.states)))
        return len(p.needs) - 1


def append(
    p: Profile,
    head: int,
    ref: bytes,
    rule: int,
    needs: tuple[int, ...],
    offset: int,
    order: bytes | None,
    patience: Patience,
    out: list[Transition],
) -> bool:
    """The common case: newer than all that is known of the profile, and not seen before. False: it is not, use `insert`."""
    journal = p.journal
    if (
        head <= p.newest or head >> TIME <= p.settled_ms or journal.rfind(ref) >= 0
    ):  # (from its end: half the time of `in`)
        return False
    p.newest = head
    if order is not None:
        if p.orders is None:
            p.orders = {}
        p.orders[order_key(head, ref)] = order
    for need in needs:
        journal += PACK(head, ref, rule, need, offset)
        if need == ALL:
            everywhere(p.states, head, ref, rule, offset, order, patience, out)
        else:
            step(p.states[need], head, ref, rule, offset, order, patience, out)
    p.journal = journal
    return True


def insert(
    p: Profile, head: int, ref: bytes, rule: int, needs: tuple[int, ...], offset: int, order: bytes | None, ids_from_ms: int, timer: int,
    patience: Patience, asserts: list[Transition], retracts: list[Transition],
) -> int:  # fmt: skip
    """An event that may fall anywhere. The caller has judged the horizon; the profile's own floor is judged here.

    `ids_from_ms`: a copy older than this is no longer known, so that what counts again does not depend on when it was tidied away.
    """
    journal = p.journal
    records = [PACK(head, ref, rule, need, offset) for need in needs]
    if p.folded and records[0][:ORDERED] < journal[(p.folded - 1) * SIZE : p.folded * SIZE - SIZE + ORDERED]:
        return OVER_CAP
    orders = dict(p.orders or NO_ORDERS)
    known = position(journal, (max(ids_from_ms, 0) << TIME).to_bytes(REF_AT, "big"))
    twin = find(journal, ref, known)
    if twin >= 0:
        if not smaller(p, twin, head, ref, rule, needs, offset, order):
            return DUPLICATE
        if twin < p.folded:  # at the very edge of the base, where the other copy can't be taken back any more
            return OVER_CAP
        orders.pop(journal[twin * SIZE :][:ORDERED], None)
        journal, first = without(journal, ref, twin)
    else:
        first = len(journal) // SIZE
    for record in sorted(records):
        at = position(journal, record)
        journal = journal[: at * SIZE] + record + journal[at * SIZE :]
        first = min(first, at)
    if order is not None:
        orders[order_key(head, ref)] = order
    rewrite(p, first, journal, orders or None, timer, patience, asserts, retracts)
    return APPLIED


def smaller(
    p: Profile,
    twin: int,
    head: int,
    ref: bytes,
    rule: int,
    needs: tuple[int, ...],
    offset: int,
    order: bytes | None,
) -> bool:
    """Whether this copy of an event comes before the one that is kept: which stays must not depend on which came first."""
    there = [
        RECORD.unpack_from(p.journal, n * SIZE)
        for n in range(twin, len(p.journal) // SIZE)
        if p.journal[n * SIZE + REF_AT :][:17] == ref
    ]
    h, _, r, _, o = there[0]
    kept = (
        h,
        o,
        r,
        (p.orders or NO_ORDERS).get(order_key(h, ref)) or b"",
        sorted(name(p, record[3]) for record in there),
    )
    return (head, offset, rule, order or b"", sorted(name(p, need) for need in needs)) < kept


def name(p: Profile, need: int) -> str:
    """A need's name, by its number."""
    return p.needs[need] if need != ALL else "*"


def without(journal: bytes, ref: bytes, twin: int) -> tuple[bytes, int]:
    """The journal less all records of an event, and where the first of them was."""
    first = twin
    while twin >= 0:
        journal = journal[: twin * SIZE] + journal[twin * SIZE + SIZE :]
        twin = find(journal, ref, twin)
    return journal, first


def rewrite(
    p: Profile, first: int, journal: bytes, orders: Orders | None, timer: int, patience: Patience,
    asserts: list[Transition], retracts: list[Transition],
) -> None:  # fmt: skip
    """Replaces the journal by one that is the same before record `first`; says what is no longer true and what now is."""
    start = p.folded * SIZE
    cut = max(first * SIZE, start)
    reached = start_states(p)
    replay(reached, journal[start:cut], orders, patience, [])
    before: list[Transition] = []
    replay(copies(reached), p.journal[cut:], p.orders, patience, before, timer)
    after: list[Transition] = []
    p.settled_ms = replay(reached, journal[cut:], orders, patience, after, timer)
    p.states = reached
    p.journal, p.orders = journal, orders
    p.newest = int.from_bytes(journal[-SIZE:][:8], "big")
    p.saved = min(p.saved, first)
    difference(before, after, asserts, retracts)


def difference(
    before: list[Transition], after: list[Transition], asserts: list[Transition], retracts: list[Transition]
) -> None:
    """What stood and no longer does, newest first, and what now stands. A late signal changes little: equal ends are passed over."""
    low, high = 0, 0
    shorter = min(len(before), len(after))
    while low < shorter and before[low] == after[low]:
        low += 1
    while high < shorter - low and before[-1 - high] == after[-1 - high]:
        high += 1
    gone, come = before[low : len(before) - high], after[low : len(after) - high]
    retracts += [t for t in reversed(gone) if t not in come]
    asserts += [t for t in come if t not in gone]


def copies(states: list[State]) -> list[State]:
    return [copy(s) for s in states]


def start_states(p: Profile) -> list[State]:
    """The states where the live part of the journal begins, for every need known by now."""
    states = copies(p.base) if p.base else []
    states += [State(need=n) for n in range(len(states), len(p.needs))]
    return states


def replay(
    states: list[State],
    journal: bytes,
    orders: Orders | None,
    patience: Patience,
    out: list[Transition],
    timer: int = -1,
) -> int:
    """The fold: steps the states through a journal in order, then settles what timers have said. Returns the latest deadline those fired on."""
    get = (orders or NO_ORDERS).get
    for head, ref, rule, need, offset in RECORD.iter_unpack(journal):
        order = get(order_key(head, ref)) if head >> MARK & 7 >= TRUTH else None
        if need == ALL:
            everywhere(states, head, ref, rule, offset, order, patience, out)
        else:
            step(states[need], head, ref, rule, offset, order, patience, out)
    settled = -1
    if timer >= 0:
        for s in states:
            said = len(out)
            settle(s, timer, patience, out)
            for t in out[said:]:
                settled = max(settled, t.at_ms)
    return settled


def everywhere(
    states: list[State],
    head: int,
    ref: bytes,
    rule: int,
    offset: int,
    order: bytes | None,
    patience: Patience,
    out: list[Transition],
) -> None:
    """A refund of an order: in every need that the order bought something for."""
    at, found = head >> TIME, not head & SURE
    for s in states:
        settle(s, at - 1, patience, out)
        if head & SURE and refund(s, at, head & DIMS, ref, rule, offset, order, patience, out):
            found = True
    if not found:
        out.append(unmatched(0, at, ref, head & DIMS, offset, rule))


def fold(
    journal: bytes, needs: tuple[str, ...], orders: Orders | None, timer: int, patience: Patience
) -> tuple[list[State], list[Transition]]:
    """The law: what is true of a profile, given all its signals in order and how far timers have come."""
    states, out = [State(need=n) for n in range(len(needs))], []  # type: tuple[list[State], list[Transition]]
    replay(states, journal, orders, patience, out, timer)
    return states, out


def next_deadline(p: Profile, patience: Patience) -> int:
    """When its timer must go off; -1: nothing is open."""
    if len(p.states) == 1:
        return deadline(p.states[0], patience)
    due = -1
    for s in p.states:
        d = deadline(s, patience)
        if d >= 0 and (due < 0 or d < due):
            due = d
    return due


def fire(p: Profile, timer: int, patience: Patience, out: list[Transition]) -> None:
    """Timers have come this far: says of every need what its silence now means."""
    for s in p.states:
        said = len(out)
        settle(s, timer, patience, out)
        for t in out[said:]:
            p.settled_ms = max(p.settled_ms, t.at_ms)


def trim(
    p: Profile, oldest_ms: int, ids_from_ms: int, timer: int, patience: Patience
) -> tuple[list[JourneySummary | FinalRefund], list[int]]:
    """Folds whole segments that no accepted event can fall into any more into the base, and drops those whose ids are old enough too.

    Nothing observable changes. Returns the journeys closed in what was folded, which nothing can change any more, and the numbers of the segments
    dropped. `oldest_ms`: events before it are late; `ids_from_ms`: ids are kept from here on.
    """
    out: list[Transition] = []
    total = len(p.journal) // SIZE
    while total - p.folded > SEGMENT:
        end = p.folded + SEGMENT
        over = total - p.folded > CAP
        if not over and time_of(p.journal, end - 1) >= oldest_ms:
            break
        states, said = start_states(p), []  # type: tuple[list[State], list[Transition]]
        replay(states, p.journal[p.folded * SIZE : end * SIZE], p.orders, patience, said)
        still = {s.need for s in states if s.moment >= 0}
        heard = next_times(still, p.journal, end)
        for n in still:
            settle(states[n], min(oldest_ms, timer + 1, heard.get(n, oldest_ms)) - 1, patience, said)
        if not over and any(s.moment >= 0 or (s.outcome and s.entered_ms >= oldest_ms) for s in states):
            break
        p.base, p.folded = states, end
        out += said
    done: list[JourneySummary | FinalRefund] = []
    if out:
        done, begun = tell_all(p.begun or (), out)
        p.begun = begun or None
    dropped = []
    while p.folded and (time_of(p.journal, SEGMENT - 1) < ids_from_ms or p.folded > IDS_CAP):
        gone = p.journal[:CHUNK]
        p.journal = p.journal[CHUNK:]
        p.folded -= SEGMENT
        p.saved = max(0, p.saved - SEGMENT)
        if p.sealed:
            p.sealed -= 1
            dropped.append(p.first)
        p.first += 1
        if p.orders:
            for at in range(0, CHUNK, SIZE):
                if (
                    gone[at : at + ORDERED] not in p.journal
                ):  # an event about several needs may reach into the next segment
                    p.orders.pop(gone[at : at + ORDERED], None)
            p.orders = p.orders or None
    return done, dropped


def next_times(needs: set[int], journal: bytes, start: int) -> dict[int, int]:
    """Per need the time (ms) of its first signal from record `start` on: up to there it was silent. A need that has none is not in it."""
    times: dict[int, int] = {}
    for head, _, _, need, _ in RECORD.iter_unpack(journal[start * SIZE :]):
        for n in (needs - times.keys()) if need == ALL else (need,):
            if n in needs and n not in times:
                times[n] = head >> TIME
        if len(times) == len(needs):
            break
    return times


def forget_after(p: Profile, allowed_lateness_ms: int, patience: Patience) -> int:
    """The horizon mark beyond which nothing of this profile can matter any more, if no journey is open then."""
    due = (p.newest >> TIME) + 2 * allowed_lateness_ms
    for s in p.states:
        if s.conversions:
            due = max(
                due, s.conversions[-1].at_ms + patience.refund + allowed_lateness_ms
            )  # a refund may be that late
    return due
