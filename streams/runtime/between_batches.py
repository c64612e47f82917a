"""Questions about what a partition holds in memory are answered between two batches, when all of it is
committed. While a batch is under way, memory is ahead of the log: it may be lost, and done again otherwise.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from streams.errors import Unavailable

_Found = TypeVar("_Found")


class BetweenBatches:
    """The questions of one partition agent."""

    def __init__(self) -> None:
        self._is_between, self._is_closed = True, False
        self._waiting: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Notes that memory is about to change."""
        self._is_between = False

    def end(self) -> None:
        """Notes that what is in memory is committed, and answers whoever has waited."""
        self._is_between = True
        self._answer()

    def close(self) -> None:
        """Notes that nothing is known here any more: whoever waits gets Unavailable."""
        self._is_closed = True
        self._answer()

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer()

    async def ask(self, look: Callable[[], _Found]) -> _Found:
        """Returns what `look` finds, at once or after the commit. Raises Unavailable if the agent ends before
        that, and what `look` raises.
        """
        if self._is_between and not self._is_closed:
            return look()
        found: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(partial(self._settle, found, look))
        if self._is_closed:
            self._answer()
        return await found

    def _settle(self, found: "asyncio.Future[_Found]", look: Callable[[], _Found]) -> None:
        if found.done():  # whoever asked has gone
            return
        try:
            if self._is_closed:
                raise Unavailable("the partition was given back")
            found.set_result(look())
        except Exception as error:  # it must not end the agent
            found.set_exception(error)
