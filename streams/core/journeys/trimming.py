"""Trimming a profile: folding signals that nothing can change any more, and dropping ids that no copy can
match any more.
"""

from collections.abc import Iterator
from itertools import pairwise

from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.folded import Folded, drop_first, fold_in
from streams.core.journeys.folding import replay, states_of_base
from streams.core.journeys.journal import facts_of, time_at, until
from streams.core.journeys.journey_step import ABANDONED, CONVERTED, REFUNDS, WITHDRAWN, JourneyStep
from streams.core.journeys.machine import settle
from streams.core.journeys.order_facts import NO_FACTS
from streams.core.journeys.origins import only_origins, origin_count
from streams.core.journeys.profile import (
    MAX_FOLDED_IDS,
    MAX_LIVE_SIGNALS,
    SEGMENT,
    SEGMENT_BYTES,
    Profile,
    TimeBounds,
)
from streams.core.journeys.signal import EVERY_NEED, ORDERED, RECORD, SIZE, TIME
from streams.core.journeys.state import Patience
from streams.core.journeys.summary import Final, JourneySummary, happened_ms, retell, settled_ms, summarize

# Origins that nothing names, before they are looked for: that costs as much as a profile has of all.
SPARE_ORIGINS = 64
CLOSING = (CONVERTED, ABANDONED, *REFUNDS)  # kinds of step that a final record is about


def trim(p: Profile, bounds: TimeBounds, patience: Patience) -> tuple[list[Final], list[int]]:
    """Folds the segments that no accepted event can change any more, and drops those whose ids are too old.

    Nothing that is published changes. Returns what became final (the journeys closed and the refunds made in
    what was folded), and the numbers of the segments dropped.
    """
    folded = fold_segments(p, bounds, patience)
    done: list[Final] = []
    if folded:
        done, begun = summarize(p.begun or (), folded)
        p.begun = begun or None
        if stating := signals_that_state_money(p, done, patience):
            later: list[JourneyStep] = []
            replay(states_of_base(p), stating, p.facts, patience, later)
            retell(done, later)
    return done, drop_segments(p, bounds.ids_from_ms)


def signals_that_state_money(p: Profile, done: list[Final], patience: Patience) -> bytes:
    """The live signals in the join window of purchases that were just folded, if one of them may state the
    money of one; else none.

    Of a person over the cap a segment is folded with every eighth event, and 256 signals are live.
    """
    purchases = [f for f in done if isinstance(f, JourneySummary) and f.outcome == CONVERTED]
    if not purchases:
        return b""
    newest = [c for s in p.base or () for c in s.conversions[-len(purchases) :]]
    journeys = {f.journey for f in purchases}
    untold = [c for c in newest if c.step is not None and c.journey in journeys]
    orders = {c.order for c in untold}
    signals = until(p.journal, max(f.closed_ms for f in purchases) + patience.join)
    stated = facts_of(signals, p.facts or NO_FACTS) if untold else NO_FACTS
    is_stated = any(
        facts.money is not None
        and facts.money.amount is not None
        and (facts.order is None or None in orders or facts.order in orders)
        for facts in stated.values()
    )
    return signals if is_stated else b""


def closings(p: Profile, bounds: TimeBounds, patience: Patience) -> tuple[list[Final], int | None]:
    """What has become final in the live journal, and possibly more; and when to look for more.

    That is the earliest time (ms), not before `bounds.oldest_ms`, at which a journey of this person was
    closed or refunded, or may yet be closed by silence; None: no such time. The journal is read up to there
    and no further: of a busy person that is a small part of it.
    """
    steps: list[JourneyStep] = []
    states, journal, at = states_of_base(p), p.journal, 0
    while at < len(journal):
        begin = len(steps)
        replay(states, journal[at : at + SEGMENT_BYTES], p.facts, patience, steps)
        at += SEGMENT_BYTES
        if any(t.at_ms >= bounds.oldest_ms for t in closing_steps(steps[begin:])):
            break
    # The silence behind what was read: up to the next signal of a need, or for as long as timers have judged.
    open_needs = {s.need for s in states if s.moment >= 0}
    next_signal_ms = first_times(open_needs, journal, at // SIZE)
    for n in open_needs:
        until_ms = next_signal_ms[n] - 1 if n in next_signal_ms else bounds.timers_fired_ms
        settle(states[n], until_ms, patience, steps)
    done, _ = summarize(p.begun or (), steps)
    # (What lies behind has not been read. It may be settled sooner than a purchase that was read.)
    times_ms = [t for f in done for t in (happened_ms(f), settled_ms(f, patience))]
    ahead = [t for t in times_ms if t >= bounds.oldest_ms]
    ahead += [
        s.last_sign_ms + patience.abandon for s in states if s.moment >= 0 and s.need not in next_signal_ms
    ]
    return done, min(ahead) if ahead else None


def closing_steps(steps: list[JourneyStep]) -> Iterator[JourneyStep]:
    """The steps that a final record is about: not a purchase whose money is only stated anew."""
    for before, t in pairwise([None, *steps]):
        if t is not None and t.kind in CLOSING and not (before is not None and before.kind == WITHDRAWN):
            yield t


def fold_segments(p: Profile, bounds: TimeBounds, patience: Patience) -> list[JourneyStep]:
    """Moves the front of the live journal into the base. Returns the steps that lie in it."""
    steps: list[JourneyStep] = []
    while len(p.journal) > SEGMENT_BYTES:
        over_cap = len(p.journal) > MAX_LIVE_SIGNALS * SIZE
        if not over_cap and time_at(p.journal, SEGMENT - 1) >= bounds.oldest_ms:
            break
        states = states_of_base(p)
        found: list[JourneyStep] = []
        segment = p.journal[:SEGMENT_BYTES]
        replay(states, segment, p.facts, patience, found)
        open_needs = {s.need for s in states if s.moment >= 0}
        next_signal_ms = first_times(open_needs, p.journal, SEGMENT)
        for n in open_needs:
            silent_until_ms = next_signal_ms.get(n, bounds.oldest_ms)
            until_ms = min(bounds.oldest_ms, bounds.timers_fired_ms + 1, silent_until_ms) - 1
            settle(states[n], until_ms, patience, found)
        if not over_cap and any(
            s.moment >= 0
            or (s.outcome and s.entered_ms >= bounds.oldest_ms)
            or any(c.at_ms + patience.join >= bounds.oldest_ms for c in s.conversions[-1:])
            for s in states
        ):
            break
        if p.folded is None:
            p.folded = Folded(p.first_segment, [])
        fold_in(p.folded, segment)
        p.journal = p.journal[SEGMENT_BYTES:]
        p.base, p.base_changed = states, True
        p.base_end = segment[-SIZE : ORDERED - SIZE]
        steps += found
    return steps


def drop_segments(p: Profile, ids_from_ms: int) -> list[int]:
    """Drops folded segments whose ids are too old, or too many. Returns the numbers of those that the state
    topic holds.
    """
    dropped: list[int] = []
    folded = p.folded
    if folded is None:
        return dropped
    segments = folded.segments
    while segments and (
        time_at(segments[0], SEGMENT - 1) < ids_from_ms or len(segments) * SEGMENT > MAX_FOLDED_IDS
    ):
        gone = drop_first(folded)
        p.saved = max(0, p.saved - SEGMENT)
        if p.sealed:
            p.sealed -= 1
            dropped.append(p.first_segment)
        p.first_segment += 1
        if p.facts:
            # An event about several needs may reach into the next segment.
            kept = (segments[0] if segments else p.journal)[:ORDERED]
            for at in range(0, SEGMENT_BYTES, SIZE):
                if gone[at : at + ORDERED] != kept:
                    p.facts.pop(gone[at : at + ORDERED], None)
            p.facts = p.facts or None
    if not segments:
        p.folded = None
    return dropped


def trim_origins(p: Profile) -> None:
    """Drops the origins of given events that nothing to come can name: of folded ones no step can change."""
    if p.origins is None:
        return
    if SPARE_ORIGINS < origin_count(p.origins) <= len(p.journal) // SIZE + SPARE_ORIGINS:
        return
    named = {ref for _, ref, *_ in RECORD.iter_unpack(p.journal)}
    for s in (*p.states, *(p.base or ())):
        named |= {s.journey, s.last_sign, *(c.journey for c in s.conversions)}
        named |= {c.step.caused_by for c in s.conversions if c.step is not None}
    named |= {summary.journey for summary in p.begun or ()}
    p.origins = only_origins(p.origins, named)


def first_times(needs: set[int], journal: bytes, start: int) -> dict[int, int]:
    """Per need the time (ms) of its first signal from record `start` on; a need without one is not in it."""
    times: dict[int, int] = {}
    for head, _, _, need, *_ in RECORD.iter_unpack(journal[start * SIZE :]):
        for n in (needs - times.keys()) if need == EVERY_NEED else (need,):
            if n in needs and n not in times:
                times[n] = head >> TIME
        if len(times) == len(needs):
            break
    return times


def forget_after_ms(p: Profile, delay: FinalityDelay, patience: Patience) -> int:
    """The settled mark beyond which nothing of this profile can matter any more, if no journey is open."""
    due_ms = (p.newest_head >> TIME) + delay.known_ms
    for s in p.states:
        if s.conversions:  # a refund within its window may still come, or be given, that late
            due_ms = max(due_ms, s.conversions[-1].at_ms + patience.refund + delay.change_ms)
    return due_ms
