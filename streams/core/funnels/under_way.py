"""Which journeys of a partition are under way: by moment and opened dimensions, how many are open, how many
of them have stalled, and how many had a sign of life in the last minutes.

The first two are sums over transitions, as all counters are: a retraction takes back what its assertion
added. So they cost an addition per transition. A sign of life that moves nobody is no transition, so who is
*active* is looked up: of each profile that was touched since the last look, once, however many events it had.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streams.core.funnels.cells import A_SHIFT, B_SHIFT, C_SHIFT, MOVE_CODES
from streams.core.ingest.times import MINUTE_MS
from streams.core.journeys.journey_step import ABANDONED, RESUMED, STALLED, JourneyStep
from streams.core.journeys.profile import Profile
from streams.core.journeys.profiles import Profiles
from streams.core.journeys.signal import DIMS, TIME
from streams.core.moments.verdict import TRUTH

# The lengths, in minutes, in which a sign of life makes a journey active.
SHORT_MIN, LONG_MIN = 5, 30

Opening = tuple[int, int]  # the moment that journeys are in now, and the code of their opened dimensions


class OpeningCounts(NamedTuple):
    """Journeys in one moment, of one kind of opening."""

    open: int
    stalled: int
    active_short: int  # with a sign of life in the last SHORT_MIN minutes
    active_long: int


class _Sign(NamedTuple):
    """The last sign of life of a journey under way."""

    minute: int
    opening: Opening


class UnderWay:
    """The journeys under way in one partition."""

    def __init__(self) -> None:
        self.delta: dict[int, int] = {}  # moves by their code, not added to the sums yet
        self._open: dict[Opening, int] = {}
        self._stalled: dict[Opening, int] = {}
        self._signs: dict[int, dict[Opening, int]] = {}  # journeys by the minute of their last sign
        self._recent: dict[str, tuple[_Sign, ...]] = {}  # by profile: what `_signs` counts of it
        self._oldest_min = 0  # signs before this minute do not count any more

    def restore(self, profiles: Profiles, now_ms: int) -> None:
        """Begins from the profiles of a partition. `now_ms`: up to when timers have fired."""
        for p in profiles:
            for s in p.states:
                if s.moment >= 0:
                    opening = s.moment, s.opened_dims
                    _add(self._open, opening, 1)
                    _add(self._stalled, opening, int(s.stalled))
        self.look(profiles, [p.key for p in profiles], now_ms)

    def look(self, profiles: Profiles, touched: Iterable[str], now_ms: int) -> None:
        """Looks anew for the last signs of these profiles, and lets those that have become old go."""
        now_min = now_ms // MINUTE_MS
        oldest = self._oldest_min = max(now_min - LONG_MIN + 1, self._oldest_min)
        for key in touched:
            for sign in self._recent.pop(key, ()):
                if sign.minute >= oldest:
                    _add(self._signs[sign.minute], sign.opening, -1)
            p = profiles.get(key)
            if p is not None and p.newest_head >> TIME >= oldest * MINUTE_MS and (signs := _signs(p, oldest)):
                self._recent[key] = signs
                for sign in signs:
                    _add(self._signs.setdefault(sign.minute, {}), sign.opening, 1)
        if gone := [minute for minute in self._signs if minute < oldest]:
            for minute in gone:
                del self._signs[minute]
            old = [k for k, signs in self._recent.items() if all(sign.minute < oldest for sign in signs)]
            for key in old:
                del self._recent[key]

    def counts(self, now_ms: int) -> dict[Opening, OpeningCounts]:
        """Journeys by moment and opening, as of this time, without zeros."""
        self._add_up()
        from_min = now_ms // MINUTE_MS - SHORT_MIN + 1
        short, long = dict[Opening, int](), dict[Opening, int]()
        for minute, openings in self._signs.items():
            for opening, n in openings.items():
                _add(long, opening, n)
                if minute >= from_min:
                    _add(short, opening, n)
        return {
            opening: OpeningCounts(
                n, self._stalled.get(opening, 0), short.get(opening, 0), long.get(opening, 0)
            )
            for opening, n in sorted(self._open.items())
        }

    def _add_up(self) -> None:
        """Adds the moves to the sums."""
        for code, n in self.delta.items():
            kind, dims = code >> A_SHIFT & 15, code & DIMS
            left, entered = (code >> B_SHIFT & 7) - 1, (code >> C_SHIFT & 511) - 1
            if kind in (STALLED, RESUMED):
                _add(self._stalled, (left, dims), n if kind == STALLED else -n)
                continue
            # Nobody is under way in none, out of which a journey opens, and in truth, into which it converts.
            if 0 <= left < TRUTH:
                _add(self._open, (left, dims), -n)
            if 0 <= entered < TRUTH:
                _add(self._open, (entered, dims), n)
            if kind == ABANDONED:  # it had stalled before
                _add(self._stalled, (left, dims), -n)
        self.delta = {}


def count_move(t: JourneyStep, sign: int, delta: dict[int, int]) -> None:
    """Adds what a transition moves to `delta`, the moves of `UnderWay`. `sign`: 1 for an assertion and -1 for
    a retraction.
    """
    code = MOVE_CODES[t.kind][t.from_moment + 1][t.to_moment + 1] + t.opened_dims
    delta[code] = delta.get(code, 0) + sign


def _signs(p: Profile, oldest_min: int) -> tuple[_Sign, ...]:
    """The last signs of a profile's journeys under way, without those from before a minute."""
    return tuple(
        [
            _Sign(s.last_sign_ms // MINUTE_MS, (s.moment, s.opened_dims))
            for s in p.states
            if s.moment >= 0 and s.last_sign_ms >= oldest_min * MINUTE_MS
        ]
    )


def _add(counts: dict[Opening, int], opening: Opening, n: int) -> None:
    """Adds, and keeps no zero."""
    if total := counts.get(opening, 0) + n:
        counts[opening] = total
    else:
        counts.pop(opening, None)
