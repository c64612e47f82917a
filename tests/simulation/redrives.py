"""What must become of redriven items: each receipt is judged by the oracle, by what the partition had read.

Taken over from a receipt is what depends on how a profile is kept: from when on its events were known one by
one, and that an event lies before the base. Both are looked at as far as the page says when that can be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tests import oracle

Key = tuple[str | None, str]  # tenant, profile
# after the id of an event that came again when it was no longer known: another event with the same name
AGAIN = "#"
Said = Mapping[str, Any]
"""A receipt, decoded."""


class Frozen(NamedTuple):
    """Since when nothing becomes final of a person, and until when."""

    past: list[oracle.Signal]  # their events as the first item was redriven
    before: int  # what was closed before this time was final then
    until: int  # the watermark of the last item: nothing becomes final before it is late


class Limits(NamedTuple):
    """What a profile holds, and for how long."""

    patience: oracle.Patience
    lateness: int
    cap: int  # signals
    needs: int  # places
    back: int = 0  # how far before a link events move; 0 with identity off

    @property
    def finality(self) -> int:
        """How long what has happened can still change."""
        return self.lateness + self.back


class Moved(NamedTuple):
    """The history of a person before and after a redriven event, the watermark then, and how far timers had
    fired.
    """

    before: list[oracle.Signal]
    after: list[oracle.Signal]
    mark: int
    timers: int


class Judged(NamedTuple):
    """How a redriven event ended, and what of its person it is read with."""

    outcome: str
    held: list[oracle.Signal]
    known_from: int = -1  # events before this are not known one by one
    new: bool = False
    left_out: tuple[str, ...] = ()


@dataclass
class RedrivenPeople:
    """The people to whom items were redriven, and what is wrong with what receipts say of them."""

    limits: Limits
    frozen: dict[Key, Frozen] = field(default_factory=dict)
    former: dict[Key, list[list[oracle.Signal]]] = field(default_factory=dict)  # lives that were forgotten
    untrue: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def judge(
        self,
        key: Key,
        mine: list[oracle.Signal],
        s: oracle.Signal,
        said: Said,
        time: tuple[int, int],
        no_place: tuple[str, ...],
    ) -> Judged:
        """How the event of an item ends that counts for nothing yet, at its owner.

        `mine`: the person's events; `said`: its receipt; `time`: the watermark and how far timers have fired;
        `no_place`: the needs of it for which there is none.
        """
        mark, oldest, outcome = time[0], time[0] - self.limits.finality, said["outcome"]
        frozen = self.frozen.get(key)
        if not self.is_frozen(key, mark):
            frozen = None
        copies = self._copies(mine, s)
        stay = [e for e in copies if oracle.history([e, s._replace(event=e.event)])[0] == e]
        is_new = frozen is None and self.is_forgotten(mine, *time)
        if outcome == "duplicate":
            if not stay:
                self.wrong(said, f"called a duplicate, and {copies} are known of {s}")
            return Judged(outcome, mine)
        if outcome == "late":
            self._look_at_refusal(key, mine, s, said, time, frozen, stay, no_place)
            return Judged(outcome, mine)
        if outcome != "applied":
            self.wrong(said, f"{s} ended as {outcome}")
            return Judged(outcome, mine)
        held, known_from = self.part(key, mine, said)
        if len(held) < len(mine) and not self.is_forgotten(self.former[key][-1], *time):
            self.wrong(said, f"parted from events that are held: {self.former[key][-1]}")
        past, before = (held, oldest) if frozen is None else (frozen.past, frozen.before)
        named = s if not copies else s._replace(event=min(copies).event)
        if not is_new and oracle.changes_final(named, held, past, before, self.limits.patience):
            self.wrong(said, f"applied, and it changes what is final: {s}")
        if any(e.at >= known_from for e in stay):
            self.wrong(said, f"applied, and it is a copy: {s}, {stay}")
        left_out = tuple(said["left_out"])
        if left_out != no_place:
            self.wrong(said, f"left out {left_out}, and there was no place for {no_place}")
        if s.at < oldest:
            self.frozen[key] = Frozen([*past], before, mark)
        return Judged(outcome, held, known_from, is_new, left_out)

    def _copies(self, mine: Sequence[oracle.Signal], s: oracle.Signal) -> list[oracle.Signal]:
        """The copies of an event among a person's events."""
        apart = self.limits.lateness
        return [e for e in mine if e.event.partition(AGAIN)[0] == s.event and abs(e.at - s.at) <= apart]

    def part(self, key: Key, mine: list[oracle.Signal], said: Said) -> tuple[list[oracle.Signal], int]:
        """The events of a person that are read together with an item, and from when on they are known one by
        one. The others are put into a life of their own.
        """
        known_from = -1 if said["held_from"] is None else _ms(said["held_from"])
        past = [e for e in mine if e.at < known_from] if said["parted"] else []
        if not past:
            return mine, known_from
        self.former.setdefault(key, []).append(past)
        self.met["redriven to somebody who was forgotten"] += 1
        return [e for e in mine if e.at >= known_from], known_from

    def _look_at_refusal(
        self,
        key: Key,
        mine: list[oracle.Signal],
        s: oracle.Signal,
        said: Said,
        time: tuple[int, int],
        frozen: Frozen | None,
        stay: Sequence[oracle.Signal],
        no_place: tuple[str, ...],
    ) -> None:
        """Something final lies behind it, or what is kept of the person is not whole there."""
        limits, (mark, timers) = self.limits, time
        oldest = mark - limits.finality
        if any(e.at >= oldest - limits.lateness for e in stay):
            self.wrong(said, f"it is a copy, and changes nothing: {s}, {stay}")
        if frozen is None and self.is_forgotten(mine, mark, timers):
            self.wrong(said, f"nothing is held of {key}")
        past, before = (mine, oldest) if frozen is None else (frozen.past, frozen.before)
        copies = self._copies(mine, s)
        named = s if not copies else s._replace(event=min(copies).event)
        behind = oracle.changes_final(named, mine, past, before, limits.patience)
        many = len({name for e in mine for name in e.needs} | {""}) > limits.needs
        # Only what is late or over the cap is folded.
        busy = sum(len(e.needs) for e in mine) >= limits.cap
        folded = [e for e in mine if busy or e.at < oldest]
        in_base = any(e[0:1] + e[2:5] >= s[0:1] + s[2:5] or e in copies for e in folded)
        self.met["redriven, and behind what is final"] += behind
        if not (behind or many or in_base or len(no_place) == len(s.needs)):
            self.wrong(said, f"nothing final lies behind {s}")

    def is_forgotten(self, mine: Sequence[oracle.Signal], mark: int, timers: int) -> bool:
        """Whether these events alone are not held any more: everything is over, final, and long ago."""
        if not mine:
            return True
        limits, oldest = self.limits, mark - self.limits.finality
        if max(e.at for e in mine) >= oldest - limits.lateness:
            return False
        patience = limits.patience
        for j in oracle.journeys(mine, timers, patience):
            if j.closed_at is None or j.closed_at >= oldest:
                return False
            if j.outcome == "converted":
                since = j.closed_at + max(patience.join, patience.refund + limits.finality)
                if since >= mark or j.closed_at + patience.join >= oldest:
                    return False
        return True

    def lives(self, signals: Mapping[Key, list[oracle.Signal]]) -> dict[Key, list[list[oracle.Signal]]]:
        """Everybody's lives: those that were forgotten before an item was redriven, and the last."""
        return {key: [*self.former.get(key, ()), mine] for key, mine in signals.items()}

    def is_frozen(self, key: Key, mark: int) -> bool:
        """Whether nothing of a person becomes final while the watermark is there."""
        frozen = self.frozen.get(key)
        return frozen is not None and mark - self.limits.finality <= frozen.until

    def wrong(self, said: Said, how: str) -> None:
        """Notes what is wrong with a receipt."""
        origin = f"{said['topic']}:{said['partition']}:{said['offset']}"
        self.untrue.append(f"{origin} by {said['command']}: {how}")


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
