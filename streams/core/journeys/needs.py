"""Which needs of a profile have a place, and which numbers stand for them.

A need holds one of MAX_NEEDS places while something of it is open or a refund can still find a purchase of
it. That follows from its state and the watermark alone, so it does not matter when the profile was tidied, or
whether it was restored. A place is not a number: a number stands for its need in the journal, and is given to
another need only once no signal that is kept bears it. So there may be more numbers than places, for a while.
"""

from collections.abc import Collection

import msgspec

from streams.core.journeys.journey_step import ABANDONED
from streams.core.journeys.profile import Profile, folded_journal
from streams.core.journeys.signal import EVERY_NEED, MAX_NEEDS, RECORD
from streams.core.journeys.state import Patience, State


class LeftOut(msgspec.Struct, frozen=True, gc=False):
    """An event was applied, but not in these needs: there was no place for them."""

    needs: tuple[str, ...]


def need_numbers(p: Profile, names: tuple[str, ...]) -> tuple[int, ...] | None:
    """The numbers of needs by their names; new needs get the next numbers. None: they may be more than there
    are places, so `placed_needs` must tell, and the profile is unchanged.
    """
    known = p.needs
    new = [name for name in names if name not in known]
    if len(known) + len(new) > MAX_NEEDS:
        return None
    if new:
        _add(p, new)
        known = p.needs
    return tuple([known.index(name) for name in names])


def placed_needs(p: Profile, names: tuple[str, ...], oldest_ms: int, patience: Patience) -> tuple[str, ...]:
    """Those of an event's needs that have a place or get one. Free places go by the order of the names.

    `oldest_ms`: events before this are late.
    """
    waiting = [name for name in names if not _has_place(p, name, oldest_ms, patience)]
    if not waiting:
        return names
    taken = 1 + sum(holds_place(s, oldest_ms, patience) for s in p.states[1:])  # 1: of the nameless need
    free = max(0, min(MAX_NEEDS - taken, EVERY_NEED - len(p.needs)))
    left_out = sorted(waiting)[free:]
    return tuple([name for name in names if name not in left_out])


def number_needs(p: Profile, names: tuple[str, ...], pending: Collection[int]) -> tuple[int, ...]:
    """The numbers of needs that have places; a new need gets a number that nothing bears, or the next one.

    `pending`: numbers that steps bear which are not published yet.
    """
    if new := [name for name in names if name not in p.needs]:
        kept = borne_numbers(p)
        spare = [
            s.need
            for s in p.states[1:]
            if not s.journey and s.need not in kept and s.need not in pending and p.needs[s.need] not in names
        ]
        again = dict(zip(spare, new, strict=False))
        p.needs = tuple([again.get(number, name) for number, name in enumerate(p.needs)])
        p.states = [State(need=s.need, name=again[s.need]) if s.need in again else s for s in p.states]
        if p.base is not None:
            p.base = [State(need=s.need, name=again[s.need]) if s.need in again else s for s in p.base]
        p.base_changed = True
        _add(p, new[len(again) :])
    return tuple([p.needs.index(name) for name in names])


def shown_states(p: Profile) -> list[State]:
    """The states that the `current` record of a profile shows: all, or, where it had journeys in more than
    MAX_NEEDS needs, those with an open one.
    """
    if len(p.needs) <= MAX_NEEDS:
        return p.states
    had = [s for s in p.states if s.journey]
    if not p.released and len(had) <= MAX_NEEDS:
        return had
    # Open journeys hold places. Where timers are behind there may be more: a record must not grow by that.
    return [s for s in had if s.moment >= 0][:MAX_NEEDS]


def release_needs(p: Profile, oldest_ms: int, patience: Patience) -> bool:
    """Forgets where the profile stands about needs without a place, so that their numbers can be given again.

    Nothing that is published changes: the caller has published all that is final by `oldest_ms`, and nothing
    is released before it is certain that `current` shows open journeys only: the profile had journeys in so
    many needs that no event to come can undo. True: the profile has changed. Few profiles have so many needs.
    """
    if len(p.needs) <= MAX_NEEDS:
        return False
    if not p.released and sum(s.journey != b"" and s.opened_ms < oldest_ms for s in p.states) <= MAX_NEEDS:
        return False
    kept = borne_numbers(p)
    over = {
        s.need
        for s in p.states[1:]
        if s.journey and s.moment < 0 and s.need not in kept and not holds_place(s, oldest_ms, patience)
    }
    if not over:
        return False
    p.states = [State(need=s.need, name=s.name) if s.need in over else s for s in p.states]
    p.base = [State(need=s.need, name=s.name) if s.need in over else s for s in p.base or ()] or None
    p.begun = [summary for summary in p.begun or () if summary.need not in over] or None
    p.released = p.base_changed = True
    return True


def holds_place(s: State, oldest_ms: int, patience: Patience) -> bool:
    """True if a need holds a place: an event that is not late may still add to its journey, change how it
    ended, or find its last purchase.
    """
    if (s.moment >= 0 or s.outcome == ABANDONED) and s.last_sign_ms + patience.abandon >= oldest_ms:
        return True
    if not s.conversions:
        return False
    return s.conversions[-1].at_ms + max(patience.refund, patience.join) >= oldest_ms


def borne_numbers(p: Profile) -> set[int]:
    """The numbers that the signals that are kept bear."""
    return {need for _, _, _, need, *_ in RECORD.iter_unpack(folded_journal(p) + p.journal)}


def _has_place(p: Profile, name: str, oldest_ms: int, patience: Patience) -> bool:
    if name not in p.needs:
        return False
    number = p.needs.index(name)
    return not number or holds_place(p.states[number], oldest_ms, patience)


def _add(p: Profile, names: list[str]) -> None:
    p.needs = (*p.needs, *names)
    added = range(len(p.states), len(p.needs))
    p.states = [*p.states, *(State(need=number, name=p.needs[number]) for number in added)]
    p.base_changed = True
