"""How long to wait before trying again, for everything that tries again.

One rule for all of them: the delay doubles with each failure, a part of it is random, and it has a bound.
"""

import random
from collections.abc import Callable


class Backoff:
    """The delays between attempts: each is twice the one before, until `reset`."""

    def __init__(
        self, *, first_s: float, longest_s: float, draw: Callable[[], float] = random.random
    ) -> None:
        """`draw` gives a number from 0 to 1: clients that failed together must not come back together."""
        assert 0 < first_s <= longest_s, "a delay is positive, and the first one is the shortest"
        self._first_s, self._longest_s, self._draw = first_s, longest_s, draw
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait after another failure: between half of the delay and all of it."""
        delay_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return delay_s * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """An attempt succeeded: the next failure waits for the first delay again."""
        self._next_s = self._first_s
