"""Finality: what of a profile no event can change any more.

Trimming, final records and redriven items ask here, and nothing else judges it. As time goes on, what was
closed becomes final once it is older than the finality delay. Items that are redriven are older than that:
they are taken where nothing final lies behind them. From then on nothing more of their profile becomes final,
until time has gone on by the finality delay: so the items of one redrive are all judged alike, whatever their
order, and however they are cut into batches.

With identity on, what was done on a device may yet be given to a user, or taken back: `FinalityDelay` says
for how long.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.core.journeys.folding import find_copy, sorts_before
from streams.core.journeys.journal import records_of_event
from streams.core.journeys.order_facts import NO_FACTS, Update
from streams.core.journeys.profile import Profile, TimeBounds
from streams.core.journeys.signal import (
    EVERY_NEED,
    INTENT,
    MAX_NEEDS,
    NAMELESS_NUMBER,
    RECORD,
    REF_AT,
    REFUND_EVERYWHERE,
    SURE,
    TIME,
    Signal,
)
from streams.core.journeys.state import Patience, State
from streams.core.journeys.summary import Final, FinalRefund, settled_ms
from streams.core.moments.verdict import BUY, REFUND, TRUTH

BEFORE_ALL_MS = -1  # before any time


class CopyTimes(NamedTuple):
    """Between which times the copies of an event lie, both included. Milliseconds."""

    from_ms: int
    to_ms: int


class FinalityDelay(msgspec.Struct, frozen=True):
    """How long what has happened can still change: docs/journeys.md, Time. Milliseconds."""

    allowed_lateness_ms: int
    # How far back before a link events move (`identity.back`). 0: identity is off.
    back_ms: int = 0

    @property
    def change_ms(self) -> int:
        """What is older than this is final. A link that is not late moves nothing that is older."""
        return self.allowed_lateness_ms + self.back_ms

    @property
    def known_ms(self) -> int:
        """For so long the ids of events are kept, and a profile is held. Whatever comes is at most the
        allowed lateness behind, so every copy of it is there.
        """
        return self.change_ms + self.allowed_lateness_ms

    def copies(self, at_ms: int) -> CopyTimes:
        """Between which times copies of an event of this time lie, both included. What has its id and lies
        beyond is another event.

        By the times of events alone: how far time had come where a copy was read does not matter.
        """
        return CopyTimes(at_ms - self.change_ms, at_ms + self.change_ms)


def time_bounds(settled_mark_ms: int, timers_fired_ms: int, delay: FinalityDelay) -> TimeBounds:
    """How far things are final, and known, where the settled mark has come so far."""
    return TimeBounds(settled_mark_ms - delay.change_ms, settled_mark_ms - delay.known_ms, timers_fired_ms)


def bounds_of(p: Profile, time: TimeBounds) -> TimeBounds:
    """How far things are final in this profile. `time`: how far they are in one without redriven items."""
    if p.redriving is None or time.oldest_ms > p.redriving.watermark_ms:
        return time
    return TimeBounds(BEFORE_ALL_MS, BEFORE_ALL_MS, time.timers_fired_ms)


def is_published(p: Profile, final: Final, patience: Patience) -> bool:
    """True if the final record of this journey or refund was written before."""
    if p.redriving is None:
        return settled_ms(final, patience) < p.final_ms
    need = final.step.need if isinstance(final, FinalRefund) else final.need
    return settled_ms(final, patience) <= p.redriving.final_ms.get(need, BEFORE_ALL_MS)


def final_times(p: Profile, done: Sequence[Final], time: TimeBounds, patience: Patience) -> dict[int, int]:
    """By number of the need: the last time (ms) at which an event could change what is final.

    That is when a journey was closed or refunded; of a purchase, the end of its join window.

    `done`: at least the journeys and refunds of the live journal that are final.
    """
    final_ms: dict[int, int] = {}
    for s in p.base or ():
        _note(final_ms, s.need, _settled_ms(s, patience))
        for c in s.conversions[-1:]:
            _note(final_ms, s.need, min(c.at_ms + patience.join, time.oldest_ms - 1))
    for final in done:
        if settled_ms(final, patience) < time.oldest_ms:
            need = final.step.need if isinstance(final, FinalRefund) else final.need
            _note(final_ms, need, settled_ms(final, patience))
    return final_ms


def is_behind_final(
    p: Profile,
    signal: Signal,
    copies: CopyTimes,
    final_ms: Mapping[int, int],
    time: TimeBounds,
    patience: Patience,
) -> bool:
    """True if a redriven event would change what is final: it is not later than the base of its profile,
    which may end with a refund; or than the closing or the refund of a final journey of one of its needs; or
    it reaches into another need.

    `copies`: see `FinalityDelay.copies`; `final_ms`: see `final_times`.
    """
    at_ms = signal.head >> TIME
    if p.base_end and at_ms <= int.from_bytes(p.base_end[:REF_AT], "big") >> TIME:
        return True
    if len(p.needs) > MAX_NEEDS and at_ms < time.oldest_ms:  # what it has forgotten may be final
        return True
    if signal.needs is REFUND_EVERYWHERE:
        return at_ms <= max(final_ms.values(), default=BEFORE_ALL_MS)
    if any(
        at_ms <= final_ms.get(p.needs.index(name), BEFORE_ALL_MS) for name in signal.needs if name in p.needs
    ):
        return True
    return _replaces_final(p, signal, copies, final_ms) or _reaches_final(p, signal, final_ms, patience)


def _replaces_final(p: Profile, signal: Signal, copies: CopyTimes, final_ms: Mapping[int, int]) -> bool:
    """True if an event takes the place of a copy that something final was made of: in another need."""
    first = find_copy(p.journal, signal, copies)
    if first < 0:
        return False
    known, every_ms = records_of_event(p.journal, first), max(final_ms.values(), default=BEFORE_ALL_MS)
    return sorts_before(p, known, signal) and any(
        head >> TIME <= (every_ms if need == EVERY_NEED else final_ms.get(need, BEFORE_ALL_MS))
        for head, _, _, need, *_ in RECORD.iter_unpack(known)
    )


def _reaches_final(p: Profile, signal: Signal, final_ms: Mapping[int, int], patience: Patience) -> bool:
    """True if an event may make a purchase that changes what is final in another need: a buy signal that
    names no need would be the rest of that purchase, or a refund in every need would be about it, too.
    """
    if not final_ms:
        return False
    at_ms = signal.head >> TIME
    bought_ms = [at_ms] if signal.head >> INTENT & 7 == TRUTH and signal.head & SURE else []
    # With the event before it, an untimed update may be read as a purchase.
    for key, facts in (p.facts or NO_FACTS).items():
        if facts.update == Update.UNTIMED:
            head = int.from_bytes(key[:REF_AT], "big")
            if head & SURE and head >> TIME >= at_ms:
                bought_ms.append(head >> TIME)
    nameless_ms, every_ms = final_ms.get(NAMELESS_NUMBER, BEFORE_ALL_MS), max(final_ms.values())
    for head, _, _, need, *_ in RECORD.iter_unpack(p.journal) if bought_ms else ():
        then_ms, intent = head >> TIME, head >> INTENT & 7
        if need == NAMELESS_NUMBER and intent == BUY and then_ms <= nameless_ms:
            if any(ms < then_ms <= ms + patience.grace for ms in bought_ms):
                return True
        elif need == EVERY_NEED and intent == REFUND and min(bought_ms) <= then_ms <= every_ms:
            return True
    return False


def _settled_ms(s: State, patience: Patience) -> int:
    """Up to when the base says something about a need that an event could still change."""
    if not s.journey:
        return BEFORE_ALL_MS
    if s.moment < 0:
        return s.entered_ms
    return s.last_sign_ms + patience.stall[s.moment] if s.stalled else BEFORE_ALL_MS


def _note(final_ms: dict[int, int], need: int, at_ms: int) -> None:
    if at_ms > final_ms.get(need, BEFORE_ALL_MS):
        final_ms[need] = at_ms
