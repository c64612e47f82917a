"""All profiles of one partition, with their timers. Pure: signals and time come in, changes of what is said come out.

Two marks (docs/journeys.md, Time): the horizon mark decides what is late and what is final; the timer position is how far silence has
been judged. A timer heap holds at most one live entry per profile and may go off early (signals have moved the deadline on since); it is then
set again. A second heap does the housekeeping that goes by the horizon mark: final records, trimming, forgetting.
"""

from heapq import heapify, heappop, heappush

from streams.core.journeys.finals import FinalRefund, JourneySummary, happened_ms, tell_all
from streams.core.journeys.machine import ABANDONED, CONVERTED, REFUNDED, Patience, State, Transition
from streams.core.journeys.profile import (
    APPLIED,
    CHUNK,
    OVER_CAP,
    Profile,
    append,
    fire,
    forget_after,
    insert,
    need_number,
    next_deadline,
    replay,
    start_states,
    trim,
)
from streams.core.journeys.signal import ALL, NAMELESS, SIZE, TIME
from streams.core.journeys.store import HEAD, records, restore, segments

Change = tuple[Profile, list[Transition], list[Transition]]  # retracted, asserted


class Population:
    """What a partition agent keeps in memory of people."""

    def __init__(self, patience: Patience, allowed_lateness_ms: int) -> None:
        self.patience, self.allowed_lateness_ms = patience, allowed_lateness_ms
        self.mark, self.timer = -1, -1
        self.profiles: dict[str, Profile] = {}
        self.timers: list[tuple[int, str]] = []
        self.chores: list[tuple[int, str]] = []
        self.touched: dict[str, Profile] = {}
        self.changes: list[Change] = []  # of the open batch, in order
        self.finals: list[tuple[Profile, JourneySummary | FinalRefund]] = []
        self.dropped: list[tuple[str, int]] = []  # state records to take away
        self.forgotten: list[Profile] = []
        self.done = 0  # profiles whose timers have fired or that were tidied, since the start
        self._asserts: list[Transition] = []
        self._retracts: list[Transition] = []

    def take(
        self,
        key: str,
        head: int,
        ref: bytes,
        rule: int,
        needs: tuple[str, ...],
        offset: int,
        order: bytes | None,
        everywhere: bool = False,
    ) -> int:
        """One event of a profile that is not beyond the horizon: APPLIED, DUPLICATE or OVER_CAP. `everywhere`: a refund of an order."""
        p = self.profiles.get(key)
        if p is None:
            p = self.profiles[key] = Profile(key, [State()])
            p.tidy_ms = (head >> TIME) + 2 * self.allowed_lateness_ms
            heappush(self.chores, (p.tidy_ms, key))
        if everywhere:
            numbers: tuple[int, ...] = (ALL,)
        elif needs is NAMELESS:
            numbers = ZERO
        else:
            numbers = tuple([need_number(p, name) for name in needs])
            if -1 in numbers:
                return OVER_CAP
        asserts, retracts = self._asserts, self._retracts
        if append(p, head, ref, rule, numbers, offset, order, self.patience, asserts):
            if (
                asserts and head >> TIME <= self.timer and next_deadline(p, self.patience) <= self.timer
            ):  # timers have passed that already
                fire(p, self.timer, self.patience, asserts)
        else:
            ids_from = self.mark - 2 * self.allowed_lateness_ms
            outcome = insert(
                p,
                head,
                ref,
                rule,
                numbers,
                offset,
                order,
                ids_from,
                self.timer,
                self.patience,
                asserts,
                retracts,
            )
            if outcome != APPLIED:
                return outcome
            self.arm(p)  # even if nothing is said: a smaller copy may have moved the last sign of life back
        self.touched[key] = p
        if asserts or retracts:
            self.changes.append((p, retracts, asserts))
            self.arm(p)
            for t in asserts:
                if t.kind in CLOSING:
                    self.tidy_by(p, t.at_ms + self.allowed_lateness_ms)
            self._asserts, self._retracts = [], []
        length = len(p.journal) - p.folded * SIZE
        if length > CHUNK and length % CHUNK < SIZE * len(numbers):
            self.trim(p)
        return APPLIED

    def arm(self, p: Profile) -> None:
        """Sets the timer for the profile's next deadline, unless an earlier one will look at it anyway."""
        due = next_deadline(p, self.patience)
        if due >= 0 and (p.armed_ms < 0 or due < p.armed_ms):
            p.armed_ms = due
            heappush(self.timers, (due, p.key))
            if (
                len(self.timers) > len(self.profiles) * 3 // 2 + SPARE
            ):  # most of it stale: entries that an earlier deadline has overtaken
                self.timers = [(q.armed_ms, q.key) for q in self.profiles.values() if q.armed_ms >= 0]
                heapify(self.timers)

    def tidy_by(self, p: Profile, due_ms: int) -> None:
        """Sees to it that the profile is tidied once the horizon mark is beyond this."""
        if p.tidy_ms < 0 or due_ms < p.tidy_ms:
            p.tidy_ms = due_ms
            heappush(self.chores, (due_ms, p.key))

    def advance(self, timer: int, limit: int) -> bool:
        """Fires the timers up to this position, all of one deadline together, about `limit` of them. False: there are more to fire."""
        fired = 0
        while self.timers and self.timers[0][0] <= timer:
            due = self.timers[0][0]
            if fired >= limit and due > self.timer:
                return False
            self.timer = max(self.timer, due)
            _, key = heappop(self.timers)
            p = self.profiles.get(key)
            if p is None or p.armed_ms != due:
                continue
            p.armed_ms = -1
            asserts: list[Transition] = []
            fire(p, self.timer, self.patience, asserts)
            if asserts:
                fired += 1
                self.done += 1
                self.changes.append((p, [], asserts))
                for t in asserts:
                    if t.kind == ABANDONED:
                        self.tidy_by(p, t.at_ms + self.allowed_lateness_ms)
            self.arm(p)
        self.timer = max(self.timer, timer)
        return True

    def housekeep(self, limit: int) -> bool:
        """Final records, trimming and forgetting of what the horizon mark has passed, about `limit` profiles. False: there is more to do."""
        while self.chores and self.chores[0][0] < self.mark:
            if limit <= 0:
                return False
            due, key = heappop(self.chores)
            p = self.profiles.get(key)
            if p is None or p.tidy_ms != due:
                continue
            limit -= 1
            self.done += 1
            p.tidy_ms = -1
            self.tidy(p)
        return True

    def tidy(self, p: Profile) -> None:
        """Everything that the horizon mark now allows for this profile; and when to look again."""
        oldest = self.mark - self.allowed_lateness_ms
        said: list[Transition] = []
        replay(start_states(p), p.journal[p.folded * SIZE :], p.orders, self.patience, said, self.timer)
        done, _ = tell_all(p.begun or (), said)
        final = [f for f in done if p.final_ms <= happened_ms(f) < oldest]
        if final:
            self.finals += [(p, f) for f in final]
            p.final_ms = oldest
            self.touched[p.key] = p
        self.trim(p)
        ahead = [happened_ms(f) + self.allowed_lateness_ms for f in done if happened_ms(f) >= oldest]
        ahead += [
            s.last_ms + self.patience.abandon + self.allowed_lateness_ms for s in p.states if s.moment >= 0
        ]
        due = min(ahead) if ahead else forget_after(p, self.allowed_lateness_ms, self.patience)
        if not ahead and due < self.mark:
            self.forget(p)
        else:
            self.tidy_by(p, max(due, self.mark))  # not before now: timers may be behind the mark

    def trim(self, p: Profile) -> None:
        done, dropped = trim(
            p,
            self.mark - self.allowed_lateness_ms,
            self.mark - 2 * self.allowed_lateness_ms,
            self.timer,
            self.patience,
        )
        final = [f for f in done if happened_ms(f) >= p.final_ms]
        self.finals += [(p, f) for f in final]
        if dropped or final:
            self.touched[p.key] = p
            self.dropped += [(p.key, n) for n in dropped]

    def forget(self, p: Profile) -> None:
        """Nothing that may still come can refer to it: its state goes, and where it stood."""
        del self.profiles[p.key]
        self.touched.pop(p.key, None)
        self.dropped += [(p.key, n) for n in (HEAD, *segments(p))]
        self.forgotten.append(p)

    def commit(self) -> list[tuple[str, int, bytes | None]]:
        """State records of the open batch (None: a tombstone), and begins the next one. Take `changes`, `finals` and `forgotten` before."""
        state: list[tuple[str, int, bytes | None]] = [(key, n, None) for key, n in self.dropped]
        for p in self.touched.values():
            records(p, state)
        self.touched, self.changes, self.finals, self.dropped, self.forgotten = {}, [], [], [], []
        return state

    def restore(self, parts: dict[str, dict[int, bytes]], mark: int, timer: int) -> None:
        """From the state records of each profile, by number, and the two marks of the checkpoint."""
        self.mark, self.timer = mark, timer
        self.profiles = {key: restore(key, values, timer, self.patience) for key, values in parts.items()}
        self.timers = [(p.armed_ms, p.key) for p in self.profiles.values() if p.armed_ms >= 0]
        heapify(self.timers)
        for p in self.profiles.values():
            p.tidy_ms = max(
                mark - 1, 0
            )  # looked at once, at the next step: what was due before may not have been done yet (below 0 is never)
        self.chores = [(p.tidy_ms, p.key) for p in self.profiles.values()]
        heapify(self.chores)


ZERO = (0,)
SPARE = 100  # stale timers that are not worth a look
CLOSING = (CONVERTED, ABANDONED, REFUNDED)  # what a final record tells of
