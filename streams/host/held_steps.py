"""Transitions that `announce` holds back for a while before it posts them, each with what marks it as done.

Whoever is about to be reminded of a cart may pay in this very minute, and the server's order may come a
little after the silence was judged. What such news makes untrue is dropped.
"""

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

from schemas import Transition

MAX_HELD = 10_000  # steps in memory, some 10 MB; with more, reading waits for the oldest
PURCHASES = ("converted", "partially_refunded", "refunded")  # kinds that a purchase does not make untrue
Token = TypeVar("Token")


class HeldStep(NamedTuple, Generic[Token]):
    """A step that waits. `token`: what its reader needs to mark it as done."""

    step: Transition
    due_s: float
    token: Token


class HeldSteps(Generic[Token]):
    """Steps in the order in which they came, each due `hold_s` seconds after it came."""

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._waiting: OrderedDict[tuple[str, int], HeldStep[Token]] = OrderedDict()  # by id and rev
        self._of_person: dict[tuple[str | None, str], list[tuple[str, int]]] = {}

    @property
    def is_full(self) -> bool:
        """True if nothing more should be read before the oldest is posted."""
        return len(self._waiting) >= MAX_HELD

    def add(self, step: Transition, token: Token, now_s: float) -> None:
        """Holds a step back. One that comes again is the same step."""
        key = step.id, step.rev
        if key not in self._waiting:
            self._of_person.setdefault(_person(step), []).append(key)
        self._waiting[key] = HeldStep(step, now_s + self._hold_s, token)

    def drop_untrue(self, news: Transition) -> list[Token]:
        """Drops what a transition makes untrue. Returns the tokens of what is dropped.

        A conversion makes all untrue that waits about its person, but for purchases; a retraction, what it
        takes back.
        """
        dropped = []
        for key in self._of_person.get(_person(news), ()):
            step = self._waiting[key].step
            if news.op == "retract":
                is_untrue = step.op == "assert" and step.id == news.id and step.rev < news.rev
            else:
                is_untrue = news.kind == "converted" and step.kind not in PURCHASES
            if is_untrue:
                dropped.append(key)
        return [self._take(key).token for key in dropped]

    def wait_s(self, now_s: float) -> float | None:
        """In how many seconds the next one is due, 0 for one that is; None: nothing waits."""
        return max(0.0, next(iter(self._waiting.values())).due_s - now_s) if self._waiting else None

    def pop_due(self, now_s: float) -> HeldStep[Token] | None:
        """Takes the oldest step out, if it is due."""
        return self._take(next(iter(self._waiting))) if self.wait_s(now_s) == 0 else None

    def _take(self, key: tuple[str, int]) -> HeldStep[Token]:
        held = self._waiting.pop(key)
        keys = self._of_person[_person(held.step)]
        keys.remove(key)
        if not keys:
            del self._of_person[_person(held.step)]
        return held


def _person(step: Transition) -> tuple[str | None, str]:
    return step.tenant, step.profile
