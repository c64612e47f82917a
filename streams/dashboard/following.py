"""Keeps the model up to date with what is committed to the log, for as long as the process runs."""

import asyncio
from collections.abc import Callable

from streams.backoff import Backoff
from streams.clock import Clock
from streams.core.processing.checkpoint import decode_checkpoint
from streams.dashboard.model import LiveModel
from streams.dashboard.snapshot_file import SnapshotFile
from streams.errors import Unavailable
from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.queries.views.feeding import TopicPartition, ViewFeed
from streams.queries.views.latest import LATEST_MOVES
from streams.settings.fold import FoldSettings
from streams.topology import TRANSITIONS

POLL_S = 0.2  # between two looks at a log that has nothing new
# A snapshot of ten million counters takes some seconds, in which nobody gets an answer.
KEPT_EVERY_S = 1_800.0
AGAIN_S, LONGEST_S = 0.5, 10.0  # until a log that does not answer is tried again
# Some of the newest moves may have been taken back, and the ends of transactions take offsets, too.
LATEST_OFFSETS = 20 * LATEST_MOVES


class Following:
    """Feeds the views of a model from a log."""

    def __init__(
        self,
        reader: Reader,
        model: LiveModel,
        clock: Clock,
        on_trouble: Callable[[str], None],
        snapshot: SnapshotFile | None = None,
    ) -> None:
        """`on_trouble` is called with a text when the log stops to answer, and when it answers again."""
        self._snapshot, self._kept_s = snapshot, clock.monotonic_s()
        self._reader, self._model, self._clock, self._on_trouble = reader, model, clock, on_trouble
        self._feed: ViewFeed | None = None
        self._has_learned = False
        self._state = model.state(clock.wall_ms())

    async def start(self, settings: FoldSettings) -> None:
        """Finds out where to begin. `settings`: the fold settings where nothing was processed yet.

        Raises Unavailable, Refused, InputError.
        """
        self._model.learn(settings)
        await self._learn()
        ends = await self._reader.end_positions(TRANSITIONS.name)
        begin: dict[TopicPartition, TailPosition] = {
            (TRANSITIONS.name, number): TailPosition(max(0, end.offset - LATEST_OFFSETS), end.current_ms)
            for number, end in enumerate(ends)
        }
        if self._snapshot is not None and (kept := self._snapshot.read()) is not None:
            self._model.cells = kept.cells
            begin |= kept.positions
        self._feed = ViewFeed(self._reader, self._model.views, begin)

    async def _learn(self) -> None:
        """Takes in the fold settings under which the log is written, if anything was processed."""
        for raw in await self._reader.checkpoints():
            if raw is not None:
                self._model.learn(FoldSettings.model_validate_json(decode_checkpoint(raw).fold))
                self._has_learned = True
                return

    async def turn(self) -> bool:
        """Takes in what has come. True: all of it. Raises Unavailable."""
        assert self._feed is not None, "it was started"
        before = self._feed.records
        at_end = await self._feed.read()
        came = self._feed.records - before
        if came and not self._has_learned:
            await self._learn()
        model = self._model
        is_first = at_end and not model.is_ready
        model.is_reachable, model.is_ready = True, model.is_ready or at_end
        model.records = self._feed.records
        if came or is_first:
            model.revision += 1
        self._look_at_state()
        return at_end

    def _look_at_state(self) -> None:
        """A state changes by the clock, too."""
        state = self._model.state(self._clock.wall_ms())
        if state != self._state:
            self._state = state
            self._model.revision += 1

    def keep(self) -> None:
        """Writes the snapshot, if there is to be one."""
        if self._snapshot is not None and self._feed is not None and self._model.is_ready:
            self._snapshot.write(self._model.cells, self._feed.positions)
            self._kept_s = self._clock.monotonic_s()

    async def run(self) -> None:
        """Follows until it is cancelled. Raises what is no matter of waiting: Refused, damage."""
        backoff = Backoff(first_s=AGAIN_S, longest_s=LONGEST_S)
        while True:
            was_reachable = self._model.is_reachable
            try:
                at_end = await self.turn()
            except Unavailable as error:
                self._model.is_reachable = False
                self._look_at_state()
                if was_reachable:
                    self._on_trouble(f"the log does not answer: {error}")
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if not was_reachable:
                self._on_trouble("the log answers again")
            if self._clock.monotonic_s() - self._kept_s > KEPT_EVERY_S:
                self.keep()
            if at_end:
                await asyncio.sleep(POLL_S)
