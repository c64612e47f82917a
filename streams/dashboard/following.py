"""Keeps the model up to date with what is committed to the log, for as long as the process runs.

What is wanted first is read first: how far the partitions have come and who is under way, then the counters
over all time and those of the newest windows, then all of them. The newest ones are kept up to date in a
small table beside the whole one until that has been read.
"""

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
from streams.queries.cell_table import CellTable
from streams.queries.views.feeding import Positions, TopicPartition, ViewFeed
from streams.queries.views.latest import LATEST_MOVES
from streams.queries.views.people import journeys_in_moments
from streams.queries.views.recent_cells import RecentCells
from streams.settings.durations import HOURS
from streams.settings.fold import FoldSettings
from streams.topology import FUNNEL, TALLIES, TRANSITIONS, Topic

POLL_S = 0.2  # between two looks at a log that has nothing new
# While all counters are read: between two looks at what has come meanwhile.
NEWS_EVERY_S = 0.5
# How far back the counters go that are read first: the range of a day, whose beginning moves meanwhile.
FIRST_MS = 48 * HOURS
# Journeys under way are the same in the funnel topic and in what partitions say of themselves, but for what
# happens in the second in which the funnel is written. A funnel that is further off is an old one.
FUNNEL_OFF = 50  # at most one in so many
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
        *,
        first_from: Topic = TALLIES,
    ) -> None:
        """`on_trouble` is called with a text when the log stops to answer, and when it answers again.

        `first_from`: the topic from which the newest counters come. The funnel is read sooner than the
        tallies, where there is one: it has one record of a counter, whatever the number of partitions.
        """
        self._snapshot, self._kept_s = snapshot, clock.monotonic_s()
        self._reader, self._model, self._clock, self._on_trouble = reader, model, clock, on_trouble
        self._first_from = first_from
        self.has_figures = asyncio.Event()  # set once there are some
        self._has_learned = False
        self._state = model.state(clock.wall_ms())
        self._cells = CellTable()  # all counters, once they have been read
        self._begin: Positions = {}
        self._first: ViewFeed | None = None
        self._recent: tuple[RecentCells, ViewFeed] | None = None  # until all counters have been read
        self._whole: ViewFeed | None = None  # None: how far the partitions have come is not known yet

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
            self._cells, self._begin = kept.cells, kept.positions
        self._first = ViewFeed(self._reader, self._model.first_views, begin)

    async def _learn(self) -> None:
        """Takes in the fold settings under which the log is written, if anything was processed."""
        for raw in await self._reader.checkpoints():
            if raw is not None:
                self._model.learn(FoldSettings.model_validate_json(decode_checkpoint(raw).fold))
                self._has_learned = True
                return

    @property
    def _feeds(self) -> list[ViewFeed]:
        recent = [] if self._recent is None else [self._recent[1]]
        return [feed for feed in (self._first, *recent, self._whole) if feed is not None]

    async def turn(self) -> bool:
        """Takes in what has come. True: all of it. Raises Unavailable."""
        model, feeds = self._model, self._feeds
        before = sum([feed.records for feed in feeds])
        was_ready = model.is_ready
        at_end = await self._read()
        came = sum([feed.records for feed in feeds]) - before
        if came and not self._has_learned:
            await self._learn()
        model.is_reachable, model.answered_ms = True, self._clock.wall_ms()
        model.records += came
        if model.known_from_ms is not None:
            self.has_figures.set()
        if came or not was_ready:
            model.revision += 1
        self._look_at_state()
        return at_end

    async def _read(self) -> bool:
        """Reads on in what is wanted first of all that is missing. True: nothing is."""
        model, first, whole = self._model, self._first, self._whole
        assert first is not None, "it was started"
        if whole is None:
            model.has_begun = await first.read()
            if model.has_begun:
                await self._begin_counters()
            return False
        if model.is_ready:
            return all(await asyncio.gather(first.read(), whole.read()))
        if self._recent is not None and model.known_from_ms is None and not self._recent[1].was_at_end:
            await asyncio.gather(first.read(), self._recent[1].read())
        else:
            recent = [] if self._recent is None else [self._recent[1].read()]
            *_, at_end = await asyncio.gather(first.read(), *recent, self._read_on(whole))
            if at_end:
                model.cells, model.known_from_ms, self._recent = self._cells, 0, None
        if self._recent is not None:
            self._show_recent(*self._recent)
        found = self._feeds[1:]
        model.share_read = sum([feed.passed for feed in found]) / (sum([feed.total for feed in found]) or 1)
        return False

    async def _begin_counters(self) -> None:
        """Begins to read counters. How far the partitions have come is known by now, and so which are new."""
        self._whole = ViewFeed(self._reader, [self._cells], self._begin)
        await self._whole.look_ahead()
        view = RecentCells(self._first_from, self._model.as_of_ms - FIRST_MS)
        if not self._begin and view.known_from_ms > 0:  # else there is little to read
            self._recent = view, ViewFeed(self._reader, [view])
            await self._recent[1].look_ahead()

    async def _read_on(self, whole: ViewFeed) -> bool:
        """Reads all counters for a while. True: to their end."""
        begun_s = self._clock.monotonic_s()
        while not (at_end := await whole.read()):
            if self._clock.monotonic_s() - begun_s > NEWS_EVERY_S:
                break
        return at_end

    def _show_recent(self, view: RecentCells, feed: ViewFeed) -> None:
        """Shows the newest counters once they are known."""
        model = self._model
        if model.known_from_ms is None and feed.was_at_end and self._is_right(view.cells):
            model.cells, model.known_from_ms = view.cells, view.known_from_ms

    def _is_right(self, cells: CellTable) -> bool:
        """False if the funnel topic, from which these counters come, has fallen behind."""
        if self._first_from is not FUNNEL:
            return True
        progress = self._model.health.progress.values()
        if not len(cells) and any(one.received for one in progress):
            return False
        reported = sum([found.open for one in progress for found in one.under_way])
        counted = sum([found.open for found in journeys_in_moments(cells.sums()).values()])
        return abs(reported - counted) <= max(reported, counted) // FUNNEL_OFF

    def _look_at_state(self) -> None:
        """A state changes by the clock, too."""
        state = self._model.state(self._clock.wall_ms())
        if state != self._state:
            self._state = state
            self._model.revision += 1

    def keep(self) -> None:
        """Writes the snapshot, if there is to be one."""
        if self._snapshot is not None and self._whole is not None and self._model.is_ready:
            self._snapshot.write(self._model.cells, self._whole.positions)
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
