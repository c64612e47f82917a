"""One profile: all that is kept of one person.

    | folded: kept for the ids only | journal: the live signals |
                               base ^                    states ^

Signals lie in segments of 8 records, folded ones and live ones alike; folding takes whole segments. `base` is
where the person stands after the folded signals, and `states` after all of them. What is published of a
profile is not stored, since it always is fold(base, journal, timers fired up to): see `folding.py`.
"""

import msgspec

from streams.core.journeys.folded import Folded
from streams.core.journeys.machine import next_deadline
from streams.core.journeys.order_facts import Facts
from streams.core.journeys.origins import EventOrigins
from streams.core.journeys.signal import NAMELESS, SIZE
from streams.core.journeys.state import Patience, State
from streams.core.journeys.summary import JourneySummary

# Signals per sealed state record: a changed profile rewrites its head and the segments that changed.
SEGMENT = 8
SEGMENT_BYTES = SEGMENT * SIZE
# Signals that stay live. A busier profile (a robot) folds its oldest ones early, and an event before its base
# is then late (`over_cap`).
MAX_LIVE_SIGNALS = 256
MAX_FOLDED_IDS = 2_048  # folded signals whose ids are still known, of a profile over its cap


class Redriving(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Items were redriven into a profile: nothing more of it becomes final for a while (`finality.py`)."""

    watermark_ms: int  # of the partition as the last item came: events before it must have become late
    # By number of the need: when its last final journey was closed or refunded, as the first item came.
    final_ms: dict[int, int]


class Profile(msgspec.Struct, gc=False):
    """All that is kept of one person."""

    key: str
    states: list[State]  # one per need, by the need's number
    needs: tuple[str, ...] = NAMELESS  # the names of the needs; number 0 is the nameless need: `needs.py`
    journal: bytes = b""  # the live signals
    newest_head: int = -1  # of the newest signal
    # The latest deadline that a timer fired on: a signal at or before it may undo what the
    # timer published.
    settled_ms: int = -1
    folded: Folded | None = None  # signals that are in the base already; None: none are kept
    base: list[State] | None = None  # the states after those; None: nothing is folded
    base_end: bytes = b""  # order key of the last signal that was folded; b"": none was
    begun: list[JourneySummary] | None = None  # summaries so far of the journeys that are open in the base
    facts: Facts | None = None
    origins: EventOrigins | None = None  # of the events that devices gave; None: none did
    origins_stored: bool = False  # the state topic holds a record of them
    origins_changed: bool = False  # since then
    first_segment: int = 0  # the number of the first segment, folded or live
    saved: int = 0  # records from there on that the state topic holds unchanged
    sealed: int = 0  # segment records that the state topic holds, from `first_segment` on
    released: bool = False  # it had journeys in more needs than it has places; some are forgotten: `needs.py`
    base_stored: bool = False  # the state topic holds a record of needs and base
    base_changed: bool = False  # since then
    final_ms: int = 0  # what was settled before this has had its final record: `summary.settled_ms`
    redriving: Redriving | None = None  # None: no item was redriven of late
    armed_ms: int = -1  # when its timer goes off; -1: it has none
    tidy_ms: int = -1  # the watermark beyond which it is tidied next; -1: not due


class TimeBounds(msgspec.Struct, frozen=True, gc=False):
    """How far time has come for the profiles of a partition."""

    oldest_ms: int  # what is older than this is final
    ids_from_ms: int  # no event to come is a copy of one before this
    timers_fired_ms: int


def folded_count(p: Profile) -> int:
    """How many signals are folded and still known."""
    return SEGMENT * len(p.folded.segments) if p.folded is not None else 0


def folded_journal(p: Profile) -> bytes:
    """The folded signals that are still known, in order."""
    return b"".join(p.folded.segments) if p.folded is not None else b""


def is_vacated(p: Profile) -> bool:
    """True if all that was ever known of the profile was given away: it is nobody."""
    return not p.journal and p.folded is None and p.base is None


def deadline_of(p: Profile, patience: Patience) -> int:
    """When the timer of a profile must go off, in ms; -1: no journey is open."""
    if len(p.states) == 1:
        return next_deadline(p.states[0], patience)
    due_ms = -1
    for s in p.states:
        deadline_ms = next_deadline(s, patience)
        if deadline_ms >= 0 and (due_ms < 0 or deadline_ms < due_ms):
            due_ms = deadline_ms
    return due_ms
