"""A loop whose time passes when there is nothing else to do: an hour of a worker's life takes as long as what happens in it."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, lets the time pass that would be waited."""

    now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for ever"
        self.now_s += max(timeout, 0)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, but for its clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


def run(work: Coroutine[Any, Any, T], limit_s: float = 3_600) -> T:
    """Runs it to its end, which it must come to within that virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(asyncio.wait_for(work, limit_s))


def now_s() -> float:
    return asyncio.get_running_loop().time()
