"""A loop whose time passes when there is nothing else to do: an hour of a worker's life takes as long as what
happens in it."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

from streams.clock import Clock

T = TypeVar("T")

SLACK_S = 1.0  # of a few steps of a few tasks


class _Selector(selectors.DefaultSelector):
    """Lets the time pass instead of waiting for it."""

    now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task waits for ever"
        self.now_s += max(timeout, 0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop with another clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


class VirtualClock(Clock):
    """The clock of the virtual loop that runs. Its wall time begins at a given moment."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms

    def monotonic_s(self) -> float:
        return now_s()

    def processor_s(self) -> float:
        return now_s()

    def wall_ms(self) -> int:
        return self._start_ms + int(now_s() * 1000)


def run(work: Coroutine[Any, Any, T], limit_s: float = 3_600) -> T:
    """Runs the work to its end, which must come within that virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(asyncio.wait_for(work, limit_s))


def now_s() -> float:
    return asyncio.get_running_loop().time()


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test in virtual time."""

    @wraps(test)
    def ran(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return ran
