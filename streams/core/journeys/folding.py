"""The fold: what is true of a profile, given its journal, and how one more event changes that.

Nearly every event is newer than all that is known of its person. It is appended to the journal and read by
the machine, and nothing is compared (`append_signal`). Any other event is put where it belongs in the
journal. The journal is folded from there on with the event and without it, and the difference is published
(`insert_signal`).
"""

from collections.abc import Iterable
from copy import copy

import msgspec

from streams.core.journeys.folded import knows_id
from streams.core.journeys.journal import (
    find_event,
    head_at,
    position_of,
    records_of_event,
    time_at,
    without_event,
)
from streams.core.journeys.journey_step import REFUND_UNMATCHED, WITHDRAWN, JourneyStep, net_steps, withdrawn
from streams.core.journeys.machine import match_cue, settle, step
from streams.core.journeys.order_facts import NO_FACTS, Facts, facts_order
from streams.core.journeys.profile import Profile, folded_count, folded_journal
from streams.core.journeys.refunds import find_refundable, give_back
from streams.core.journeys.signal import (
    EVERY_NEED,
    INTENT,
    NAMELESS_NUMBER,
    ORDERED,
    PACK,
    RECORD,
    REF_AT,
    SIZE,
    SURE,
    TIME,
    Signal,
    facts_key,
    money_of,
)
from streams.core.journeys.state import Patience, State
from streams.core.journeys.steps import unmatched_signal
from streams.core.moments.verdict import BUY

# How an event ends in its profile. FINAL: a redriven one that would change what is final.
APPLIED, DUPLICATE, OVER_CAP, FINAL = range(4)


class Change(msgspec.Struct, gc=False):
    """How an event changes what is published of a profile: first the retractions, then the assertions."""

    retracted: list[JourneyStep] = []
    asserted: list[JourneyStep] = []


class Rewrite(msgspec.Struct, frozen=True, gc=False):
    """A new journal for a profile. Before record number `first` it equals the old one."""

    first: int
    journal: bytes
    facts: Facts | None


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """How an event ends in its profile: APPLIED, DUPLICATE or OVER_CAP."""

    outcome: int
    twin: int = -1  # number of the first live record of the copy that gives way to it; -1: there is none


def append_signal(
    p: Profile, signal: Signal, needs: tuple[int, ...], patience: Patience, asserted: list[JourneyStep]
) -> bool:
    """Takes an event if it is newer than all that is known of the profile. False: use `insert_signal`.

    `needs`: the signal's needs, by number.
    """
    head, ref, journal, folded = signal.head, signal.ref, p.journal, p.folded
    # (Searched from its end, the journal answers in half the time of `in`.)
    if head <= p.newest_head or head >> TIME <= p.settled_ms or journal.rfind(ref) >= 0:
        return False
    if folded is not None and knows_id(folded, ref):
        return False
    p.newest_head = head
    if signal.facts is not None:
        if p.facts is None:
            p.facts = {}
        p.facts[facts_key(head, ref)] = signal.facts
    for need in needs:
        journal += PACK(head, ref, signal.rule, need, signal.utc_offset_quarters, signal.cue) + signal.place
        if need == EVERY_NEED:
            refund_everywhere(p.states, signal, patience, asserted)
        else:
            step(p.states, need, signal, patience, asserted)
            if signal.cue:
                match_cue(p.states[need], signal, asserted)
    p.journal = journal
    return True


def insert_signal(
    p: Profile, signal: Signal, needs: tuple[int, ...], twin: int, timers_fired_ms: int, patience: Patience
) -> Change:
    """Takes an event that may fall anywhere in the journal.

    The caller has judged that it is not late, and that it is to be applied. `twin`: see `Judgement`.
    """
    change = Change()
    head, ref, journal, facts = signal.head, signal.ref, p.journal, dict(p.facts or NO_FACTS)
    records = [
        PACK(head, ref, signal.rule, need, signal.utc_offset_quarters, signal.cue) + signal.place
        for need in needs
    ]
    first = twin
    if first >= 0:
        facts.pop(journal[first * SIZE :][:ORDERED], None)
        journal = without_event(journal, first)
    else:
        first = len(journal) // SIZE
    for record in sorted(records):
        at = position_of(journal, record)
        journal = journal[: at * SIZE] + record + journal[at * SIZE :]
        first = min(first, at)
    if signal.facts is not None:
        facts[facts_key(head, ref)] = signal.facts
    rewrite(p, Rewrite(first, journal, facts or None), timers_fired_ms, patience, change)
    return change


def judge_event(p: Profile, signal: Signal, copies: tuple[int, int]) -> Judgement:
    """How an event ends in its profile, provided that its needs have places: nothing is changed.

    `copies`: between which times (ms) copies of it lie (`FinalityDelay.copies`). Others that have its id are
    passed over even where they are still in the journal. So it does not matter when the profile was tidied.
    """
    head, ref, folded = signal.head, signal.ref, p.folded
    if folded is not None and facts_key(head, ref) < folded.segments[-1][-SIZE : ORDERED - SIZE]:
        return Judgement(OVER_CAP)
    # Folded signals are looked through only where they may hold a copy: that is rare, and they are many.
    past = folded_journal(p) if folded is not None and knows_id(folded, ref) else b""
    whole = past + p.journal
    twin = find_copy(whole, signal, copies)
    if twin < 0:
        return Judgement(APPLIED)
    if not sorts_before(p, records_of_event(whole, twin), signal):
        return Judgement(DUPLICATE)
    if twin * SIZE < len(past):  # the stored copy is in the base, and can't be taken back any more
        return Judgement(OVER_CAP)
    return Judgement(APPLIED, twin - len(past) // SIZE)


def find_copy(journal: bytes, signal: Signal, copies: tuple[int, int]) -> int:
    """The number of the first record of the copy of an event; -1: there is none. `copies`: see
    `judge_event`.
    """
    from_ms, to_ms = copies
    start = position_of(journal, (max(from_ms, 0) << TIME).to_bytes(REF_AT, "big"))
    found = find_event(journal, signal.ref, start)
    return found if found >= 0 and time_at(journal, found) <= to_ms else -1


def is_copy(p: Profile, signal: Signal, copies: tuple[int, int]) -> bool:
    """True if the profile still holds a copy of this event that does not give way to it. `copies`: see
    `judge_event`.
    """
    whole = folded_journal(p) + p.journal
    twin = find_copy(whole, signal, copies)
    return twin >= 0 and not sorts_before(p, records_of_event(whole, twin), signal)


def sorts_before(p: Profile, records: bytes, signal: Signal) -> bool:
    """True if this copy of an event sorts before the stored one, which has these records.

    The smaller copy stays, so the result does not depend on which one arrived first. Of two sets of needs the
    one with fewer is the smaller: so a copy that comes again is a duplicate of itself, even if some of its
    needs were left out when it came first.
    """
    stored = list(RECORD.iter_unpack(records))
    head, ref, rule, _, utc_offset, cue = stored[0]
    facts = facts_order((p.facts or NO_FACTS).get(facts_key(head, ref)))
    needs = needs_order(need_name(p, record[3]) for record in stored)
    kept = (head, utc_offset, rule, cue, facts, needs)
    given = facts_order(signal.facts)
    names = needs_order(signal.needs)
    return (signal.head, signal.utc_offset_quarters, signal.rule, signal.cue, given, names) < kept


def needs_order(names: Iterable[str]) -> tuple[int, list[str]]:
    """What the needs of two copies of an event are compared by."""
    ordered = sorted(names)
    return len(ordered), ordered


def need_name(p: Profile, need: int) -> str:
    """The name of a need by its number; `*` stands for every need."""
    return p.needs[need] if need != EVERY_NEED else "*"


def rewrite(p: Profile, new: Rewrite, timers_fired_ms: int, patience: Patience, change: Change) -> None:
    """Gives the profile its new journal, and adds to `change` how that changes what is published."""
    cut = new.first * SIZE
    reached = states_of_base(p)
    replay(reached, new.journal[:cut], new.facts, patience, [])
    before: list[JourneyStep] = []
    replay(copies(reached), p.journal[cut:], p.facts, patience, before, timers_fired_ms)
    after: list[JourneyStep] = []
    p.settled_ms = replay(reached, new.journal[cut:], new.facts, patience, after, timers_fired_ms)
    p.states = reached
    p.journal, p.facts = new.journal, new.facts
    p.newest_head = newest_head_of(new.journal, p.base_end)
    p.saved = min(p.saved, folded_count(p) + new.first)
    difference(before, after, change)


def newest_head_of(journal: bytes, base_end: bytes) -> int:
    """The head of the newest signal of a profile. `base_end`: the key of the last one that was folded."""
    if journal:
        return head_at(journal, len(journal) // SIZE - 1)
    return int.from_bytes(base_end[:REF_AT], "big") if base_end else -1


def difference(before: list[JourneyStep], after: list[JourneyStep], change: Change) -> None:
    """Adds to `change` the steps that are no longer true, the newest first, and those that now are.

    Most steps are equal: those at both ends are passed over.
    """
    before, after = net_steps(before), net_steps(after)
    low, high = 0, 0  # how many are equal from the front, and from the back
    shorter = min(len(before), len(after))
    while low < shorter and before[low] == after[low]:
        low += 1
    while high < shorter - low and before[-1 - high] == after[-1 - high]:
        high += 1
    gone, come = before[low : len(before) - high], after[low : len(after) - high]
    no_longer, now = [t for t in gone if t not in come], [t for t in come if t not in gone]
    change.retracted += [t for t in reversed(no_longer) if t.kind != WITHDRAWN]
    change.asserted += [t for t in now if t.kind != WITHDRAWN]
    # An entry withdraws a step from before the cut: one that goes brings its step back.
    change.retracted += [withdrawn(t) for t in now if t.kind == WITHDRAWN]
    change.asserted += [withdrawn(t) for t in no_longer if t.kind == WITHDRAWN]


def copies(states: list[State]) -> list[State]:
    """Copies of the states, for a fold that must leave these as they are."""
    return [copy(s) for s in states]


def states_of_base(p: Profile) -> list[State]:
    """The states where the live part of the journal begins, for every need known by now."""
    states = copies(p.base) if p.base else []
    states += [State(need=n, name=p.needs[n]) for n in range(len(states), len(p.needs))]
    return states


def replay(
    states: list[State],
    journal: bytes,
    facts: Facts | None,
    patience: Patience,
    out: list[JourneyStep],
    timers_fired_ms: int = -1,
) -> int:
    """Reads a journal in order, which changes `states`; then settles the silence that timers have judged.

    Returns the latest deadline (ms) that a timer fired on; -1: none did.
    """
    for head, ref, rule, need, utc_offset, cue in RECORD.iter_unpack(journal):
        stated = facts.get(facts_key(head, ref)) if facts and head >> INTENT & 7 >= BUY else None
        signal = Signal(head, ref, rule, utc_offset, stated, cue=cue)
        if need == EVERY_NEED:
            refund_everywhere(states, signal, patience, out)
        else:
            step(states, need, signal, patience, out)
            if cue:
                match_cue(states[need], signal, out)
    return settle_all(states, timers_fired_ms, patience, out) if timers_fired_ms >= 0 else -1


def settle_all(states: list[State], timers_fired_ms: int, patience: Patience, out: list[JourneyStep]) -> int:
    """Judges the silence in every need. Returns the latest deadline (ms) that has passed; -1: none has."""
    settled_ms = -1
    for s in states:
        begin = len(out)
        settle(s, timers_fired_ms, patience, out)
        for t in out[begin:]:
            settled_ms = max(settled_ms, t.at_ms)
    return settled_ms


def refund_everywhere(
    states: list[State], signal: Signal, patience: Patience, out: list[JourneyStep]
) -> None:
    """Takes a refund of an order in every need: together they give back what it says."""
    for s in states:
        settle(s, (signal.head >> TIME) - 1, patience, out)
    if not signal.head & SURE:
        return
    found = [one for s in states if (one := find_refundable(s, signal, patience)) is not None]
    if found:
        give_back(found, signal, money_of(signal), out)
    else:
        out.append(unmatched_signal(NAMELESS_NUMBER, signal, REFUND_UNMATCHED))


def fold(
    journal: bytes, needs: tuple[str, ...], facts: Facts | None, timers_fired_ms: int, patience: Patience
) -> tuple[list[State], list[JourneyStep]]:
    """What is true of a profile, given all its signals in order and how far timers have fired.

    This is the law: all other ways to the steps of a profile must give what this gives.
    """
    states = [State(need=n, name=name) for n, name in enumerate(needs)]
    out: list[JourneyStep] = []
    replay(states, journal, facts, patience, out, timers_fired_ms)
    return states, net_steps(out)


def fire(p: Profile, timers_fired_ms: int, patience: Patience, out: list[JourneyStep]) -> None:
    """Appends what silence means in each need, now that timers have fired up to `timers_fired_ms`."""
    p.settled_ms = max(p.settled_ms, settle_all(p.states, timers_fired_ms, patience, out))
