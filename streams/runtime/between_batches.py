"""Questions about what a partition holds in memory are answered between two batches, from what is committed.

While a batch folds, memory is ahead of the log: it may be lost, and done again otherwise. While the batch is
being committed, that is true of the people whom it has changed. The others are as they were committed, so
whoever asks about them does not wait: a worker that keeps up spends most of its time waiting for commits.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar

from streams.core.processing.held_profile import changed_people
from streams.errors import Unavailable
from streams.records import Batch

_Found = TypeVar("_Found")


class _Waiting(NamedTuple):
    about: Collection[str]
    answer: Callable[[], None]


class BetweenBatches:
    """The questions of one partition agent."""

    def __init__(self) -> None:
        self._is_between, self._is_closed = True, False
        # The batch that is being committed, and whom it changes, once somebody has asked.
        self._batch: Batch | None = None
        self._changed: frozenset[bytes] | None = None
        self._waiting: list[_Waiting] = []

    def begin(self) -> None:
        """Notes that memory is about to change."""
        self._is_between = False

    def commit(self, batch: Batch) -> None:
        """Notes that memory stays as it is until this is committed, and answers whoever has waited and asks
        about nobody whom it changes.
        """
        self._is_between, self._batch, self._changed = False, batch, None
        self._answer()

    def end(self) -> None:
        """Notes that what is in memory is committed, and answers whoever has waited."""
        self._is_between, self._batch, self._changed = True, None, None
        self._answer()

    def close(self) -> None:
        """Notes that nothing is known here any more: whoever waits gets Unavailable."""
        self._is_closed = True
        self._answer()

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if self._is_closed or self._is_committed(one.about):
                one.answer()
            else:
                self._waiting.append(one)

    def _is_committed(self, about: Collection[str]) -> bool:
        """True if what is in memory of these is committed. Of nobody: of all."""
        if self._is_between or self._batch is None or not about:
            return self._is_between
        if self._changed is None:
            self._changed = changed_people(self._batch)
        return self._changed.isdisjoint([name[2:].encode() for name in about])

    async def ask(self, look: Callable[[], _Found], about: Collection[str] = ()) -> _Found:
        """Returns what `look` finds, at once or after the commit. Raises Unavailable if the agent ends before
        that, and what `look` raises.

        `about`: the names of all profiles that it looks at, without tenants; nobody: it may look at all.
        """
        if not self._is_closed and self._is_committed(about):
            return look()
        found: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(about, lambda: self._settle(found, look)))
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
