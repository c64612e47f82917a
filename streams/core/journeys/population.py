"""All profiles of one partition, with their timers. Pure: signals and time come in, changes of what is
published come out.

Time is measured thrice (docs/journeys.md, Time). The watermark decides what is late, and the settled mark
what is final. Silence has been judged up to the time up to which timers have fired. A heap of timers holds at
most one live entry per profile. An entry may go off too early, when signals have moved the deadline since; it
is then set again. A second heap is for the housekeeping that follows the settled mark: final records,
trimming, forgetting.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from streams.core.journeys.finality import (
    CopyTimes,
    FinalityDelay,
    bounds_of,
    is_published,
    time_bounds,
)
from streams.core.journeys.folding import (
    APPLIED,
    OVER_CAP,
    Change,
    append_signal,
    difference,
    fire,
    insert_signal,
    judge_event,
)
from streams.core.journeys.journey_step import ABANDONED, CONVERTED, JourneyStep, withdraws
from streams.core.journeys.needs import LeftOut, need_numbers, release_needs
from streams.core.journeys.placing import place_event
from streams.core.journeys.profile import (
    SEGMENT_BYTES,
    Profile,
    TimeBounds,
    deadline_of,
    is_vacated,
)
from streams.core.journeys.profile_changes import ProfileChange, ProfileFinal
from streams.core.journeys.profiles import Profiles
from streams.core.journeys.signal import (
    EVERY_NEED,
    INTENT,
    NAMELESS,
    REFUND_EVERYWHERE,
    SIZE,
    TIME,
    Signal,
)
from streams.core.journeys.state import Patience, State
from streams.core.journeys.store import ProfilePart, load_profile, save_profile, tombstones
from streams.core.journeys.summary import settled_ms
from streams.core.journeys.trimming import CLOSING, closings, forget_after_ms, trim, trim_origins
from streams.core.journeys.updates import lateness_time_ms
from streams.core.moments.verdict import TRUTH
from streams.records import Record

NAMELESS_ONLY = (0,)  # the numbers of the needs of a signal that names none
EVERY_NEED_ONLY = (EVERY_NEED,)
SPARE_TIMERS = 100  # so many stale timers are not worth a clean-up
NO_LIMIT_MS = 1 << 62  # beyond every watermark


class Population:
    """All that a partition agent keeps in memory about people."""

    def __init__(self, patience: Patience, delay: FinalityDelay) -> None:
        self.patience, self.finality = patience, delay
        self.watermark_ms, self.timers_fired_ms = -1, -1
        # What the other partitions allow the settled mark to be. With identity on it is at most the watermark
        # of the last time at which everything that had to move was sent to its users.
        self.settled_limit_ms = NO_LIMIT_MS
        self.profiles = Profiles()
        # Forgotten people who never had a journey: no published transition counts them.
        self.forgotten_without_journey = 0
        # What has come about in the open batch, in order.
        self.changes: list[ProfileChange] = []
        self.finals: list[ProfileFinal] = []
        self.forgotten: list[Profile] = []
        self.done = (
            0  # profiles whose timers have fired, and those and devices that were tidied, since the start
        )
        self._timers: list[tuple[int, str]] = []
        self._chores: list[tuple[int, str]] = []
        self._touched: dict[str, Profile] = {}
        # Keys of the profiles that batches have touched since somebody emptied this: see `UnderWay.look`.
        self.unlooked: set[str] = set()
        self._dropped: list[ProfilePart] = []  # tombstones of state records
        self._asserted: list[JourneyStep] = []  # steps that follow from the event that `take` is reading

    def take(self, key: str, signal: Signal, source: Record | None = None) -> int | LeftOut:
        """Takes one event that is not late, or is redriven: APPLIED, DUPLICATE or OVER_CAP. LeftOut: applied,
        but not in all of its needs.

        `source`: the item that was read as this event.
        """
        p = self.profiles.get(key)
        if p is None:
            p = self.begin(key, signal)
        names, known = signal.needs, (p.needs, p.states)
        ending: int | LeftOut = APPLIED
        if names is NAMELESS:
            needs: tuple[int, ...] = NAMELESS_ONLY
        elif names is REFUND_EVERYWHERE:
            needs = EVERY_NEED_ONLY
        else:
            numbers = need_numbers(p, names)
            if numbers is None:
                judged = judge_event(p, signal, self.copies(signal)).outcome
                if judged != APPLIED:
                    return judged
                placed = place_event(p, signal, self.bounds.oldest_ms, self.patience, self.changes)
                if placed is None:
                    return OVER_CAP
                signal, numbers, ending = placed.signal, placed.numbers, placed.ending
                if placed.is_crowded:
                    self.tidy_soon(p)
            needs = numbers
        patience, asserted = self.patience, self._asserted
        retracted: Sequence[JourneyStep] = ()
        if append_signal(p, signal, needs, patience, asserted):
            if asserted and signal.head >> INTENT & 7 == TRUTH and withdraws(asserted):
                # A truth that joined has stated a conversion's money.
                change = Change()
                difference([], asserted, change)
                asserted, retracted, self._asserted = change.asserted, change.retracted, []
            # Timers may have fired beyond the new deadlines already.
            if (
                asserted
                and signal.head >> TIME <= self.timers_fired_ms
                and deadline_of(p, patience) <= self.timers_fired_ms
            ):
                fire(p, self.timers_fired_ms, patience, asserted)
        else:
            judgement = judge_event(p, signal, self.copies(signal))
            if judgement.outcome != APPLIED:
                p.needs, p.states = known  # an event that was not applied leaves no need behind
                return judgement.outcome
            change = insert_signal(p, signal, needs, judgement.twin, self.timers_fired_ms, patience)
            asserted, retracted = change.asserted, change.retracted
            # The timer is set even if nothing is published: a smaller copy may have moved the last sign of
            # life back.
            self._arm(p)
        self._touched[key] = p
        if asserted or retracted:
            self.note_change(ProfileChange(p, retracted, asserted, signal.ref, source))
            self._asserted = []
        # Trimmed once for each segment that has filled.
        live = len(p.journal)
        if live > SEGMENT_BYTES and live % SEGMENT_BYTES < SIZE * len(needs):
            self.trim_profile(p)
        return ending

    def note_change(self, change: ProfileChange) -> None:
        """Takes a change in, to be published, and sets when to look at its profile next."""
        p = change.profile
        self._touched[p.key] = p
        self.changes.append(change)
        self._arm(p)
        for t in change.asserted:
            if t.kind in CLOSING:
                open_ms = self.patience.join if t.kind == CONVERTED else 0
                self._tidy_by(p, t.at_ms + open_ms + self.finality.change_ms)

    def judged_ms(self, key: str, signal: Signal) -> int:
        """The time by which it is judged whether an update of an order is late."""
        return lateness_time_ms(self.profiles.get(key), signal, self.patience)

    @property
    def bounds(self) -> TimeBounds:
        """How far time has come for every profile."""
        return time_bounds(self.settled_mark_ms, self.timers_fired_ms, self.finality)

    @property
    def settled_mark_ms(self) -> int:
        """The least watermark that any partition has reported: what is final goes by it."""
        return min(self.watermark_ms, self.settled_limit_ms)

    def copies(self, signal: Signal) -> CopyTimes:
        """Between which times copies of an event lie."""
        return self.finality.copies(signal.head >> TIME)

    def begin(self, key: str, signal: Signal) -> Profile:
        """The profile of somebody of whom nothing is held, with this signal to come."""
        p = Profile(key, [State()])
        self.profiles.put(p)
        p.tidy_ms = (signal.head >> TIME) + self.finality.known_ms
        heappush(self._chores, (p.tidy_ms, key))
        return p

    def _arm(self, p: Profile) -> None:
        """Sets the timer for the profile's next deadline, unless one is set that goes off before it."""
        due_ms = deadline_of(p, self.patience)
        if due_ms >= 0 and (p.armed_ms < 0 or due_ms < p.armed_ms):
            p.armed_ms = due_ms
            heappush(self._timers, (due_ms, p.key))
            if len(self._timers) > self.profiles.count() * 3 // 2 + SPARE_TIMERS:
                # Most entries are stale: an earlier deadline has overtaken them.
                self._timers = self.profiles.armed()
                heapify(self._timers)

    def tidy_soon(self, p: Profile) -> None:
        """Has the profile tidied as soon as housekeeping comes."""
        self._tidy_by(p, max(self.settled_mark_ms - 1, 0))

    def _tidy_by(self, p: Profile, due_ms: int) -> None:
        """Has the profile tidied once the settled mark is beyond `due_ms`, or earlier."""
        if p.tidy_ms < 0 or due_ms < p.tidy_ms:
            p.tidy_ms = due_ms
            heappush(self._chores, (due_ms, p.key))

    def advance(self, until_ms: int, limit: int) -> bool:
        """Fires the timers up to this time, but stops after about `limit` of them. False: more are due.

        Timers of one deadline fire together, so there can be more than `limit`.
        """
        fired = 0
        while self._timers and self._timers[0][0] <= until_ms:
            due_ms = self._timers[0][0]
            if fired >= limit and due_ms > self.timers_fired_ms:
                return False
            self.timers_fired_ms = max(self.timers_fired_ms, due_ms)
            _, key = heappop(self._timers)
            p = self.profiles.get(key)
            if p is None or p.armed_ms != due_ms:
                continue
            p.armed_ms = -1
            asserted: list[JourneyStep] = []
            fire(p, self.timers_fired_ms, self.patience, asserted)
            if asserted:
                fired += 1
                self.done += 1
                self.changes.append(ProfileChange(p, (), asserted))
                for t in asserted:
                    if t.kind == ABANDONED:
                        self._tidy_by(p, t.at_ms + self.finality.change_ms)
            self._arm(p)
        self.timers_fired_ms = max(self.timers_fired_ms, until_ms)
        return True

    def housekeep(self, limit: int) -> bool:
        """Tidies profiles that the settled mark has made due, at most `limit`. False: more are due."""
        while self._chores and self._chores[0][0] < self.settled_mark_ms:
            if limit <= 0:
                return False
            due_ms, key = heappop(self._chores)
            p = self.profiles.get(key)
            if p is None or p.tidy_ms != due_ms:
                continue
            limit -= 1
            self.done += 1
            p.tidy_ms = -1
            self._tidy(p)
        return True

    def _tidy(self, p: Profile) -> None:
        """Makes final, trims or forgets what the settled mark now allows, and sets when to look again."""
        delay, time = self.finality, self.bounds
        bounds, oldest_ms = bounds_of(p, time), time.oldest_ms
        if p.redriving is not None and bounds is not time:
            self._tidy_by(p, max(p.redriving.watermark_ms, 0) + delay.change_ms)
            return
        done, next_closing_ms = closings(p, bounds, self.patience)
        settled = [f for f in done if settled_ms(f, self.patience) < oldest_ms]
        final = [f for f in settled if not is_published(p, f, self.patience)]
        if final or p.redriving is not None:
            self.finals += [ProfileFinal(p, f) for f in final]
            p.final_ms, p.redriving = oldest_ms, None
            self._touched[p.key] = p
        self.trim_profile(p)
        if release_needs(p, oldest_ms, self.patience):
            self._touched[p.key] = p
        if next_closing_ms is not None:
            due_ms = next_closing_ms + delay.change_ms
        else:
            due_ms = forget_after_ms(p, delay, self.patience)
        if next_closing_ms is None and due_ms < self.settled_mark_ms:
            self._forget(p)
        else:
            # Not before now: timers may be behind the settled mark.
            self._tidy_by(p, max(due_ms, self.settled_mark_ms))

    def trim_profile(self, p: Profile) -> None:
        """Folds and drops what time allows of a profile, and publishes what that makes final."""
        done, dropped = trim(p, bounds_of(p, self.bounds), self.patience)
        final = [f for f in done if not is_published(p, f, self.patience)]
        self.finals += [ProfileFinal(p, f) for f in final]
        if dropped or final:
            self._touched[p.key] = p
            p.origins_changed |= p.origins is not None  # some may have gone
            self._dropped += [ProfilePart(p.key, n, None) for n in dropped]

    def _forget(self, p: Profile) -> None:
        """Drops a profile that nothing to come can refer to: its state, and its `current` record."""
        self.profiles.drop(p.key)
        self._touched.pop(p.key, None)
        self._dropped += tombstones(p)
        self.forgotten.append(p)
        if not is_vacated(p):
            self.forgotten_without_journey += not p.released and not any(s.journey for s in p.states)

    def commit(self) -> list[ProfilePart]:
        """Returns the state records of the open batch, and begins the next one.

        `changes`, `finals` and `forgotten` are empty afterwards: take them before.
        """
        parts = self._dropped
        for p in self._touched.values():
            if p.origins_changed:  # not before: what was retracted has been published by now
                trim_origins(p)
            save_profile(p, parts)
        self.unlooked.update(self._touched)
        self._touched, self._dropped = {}, []
        self.changes, self.finals, self.forgotten = [], [], []
        return parts

    def restore(
        self, parts: Mapping[str, Mapping[int, bytes]], watermark_ms: int, timers_fired_ms: int
    ) -> None:
        """Begins from the state records of each profile, by their number, and from how far time had come."""
        self.watermark_ms, self.timers_fired_ms = watermark_ms, timers_fired_ms
        # Each profile is looked at once, at the next step: what was due before may not have been done yet.
        look_ms = max(self.settled_mark_ms - 1, 0)  # a time below 0 would mean never
        for key, values in parts.items():
            p = load_profile(key, values, timers_fired_ms, self.patience)
            p.tidy_ms = look_ms
            self.profiles.put(p)
        self._timers = self.profiles.armed()
        heapify(self._timers)
        self._chores = [(look_ms, p.key) for p in self.profiles]
        heapify(self._chores)
