"""The program without a broker: files in, one process, everything in one data directory.

A finite input is *replayed*. No wall clock takes part in it, and time goes as far as the whole input says
(`end_of_input`), in every partition. Each row is appended once, however often the command is started or
killed: how many there are is committed together with them (`replaying`).

An endless input is *run*. What comes is appended and processed at once; when nothing comes, the wall clock
moves the timers.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import Rules
from streams.core.processing.committed import Committed, Observer
from streams.core.processing.owners import key_reader
from streams.core.processing.watermark import UNBOUNDED_MS, UNKNOWN_MS
from streams.log.sqlite.log import SqliteLog
from streams.records import Headers, NewRecord, Source
from streams.runtime import collector
from streams.runtime.following import Follower
from streams.runtime.pace import CHECKPOINT_EVERY_S
from streams.runtime.parameters import record_reader
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.replaying import Replay, RowOrder, ignore_rows, look_at, plan_of, row_reader
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput, OnRows, Survey
from streams.sources.input_file import InputFormat

_LOOK_S = 0.2  # between looks at sources that had nothing new


class Progress(NamedTuple):
    """How far a replay or a run has come."""

    records: int  # appended and processed, by this call
    bytes_read: int  # of all rows, those included that were appended before
    total_bytes: int
    held: int = 0  # rows that were appended before this call


class Replayed(NamedTuple):
    """What a replay did."""

    records: int  # appended by this call
    skipped: int  # had been appended by an earlier replay of the same rows, interrupted or complete
    is_sorted: bool
    # How far time was before, if events of the input can be late by that: None if they cannot.
    held_to_ms: int | None


class Embedded:
    """All partitions of a data directory, in this process."""

    def __init__(
        self, log: SqliteLog, agents: list[PartitionAgent], settings: Settings, clock: Clock | None = None
    ) -> None:
        self.log, self.agents, self.settings = log, agents, settings
        for agent in agents:
            agent.exclude_after_s = None
        self._clock = clock or Clock()
        self._reader = record_reader(settings)
        self._record_key_of = key_reader(self._reader, settings.tenant)

    @classmethod
    async def open(
        cls,
        settings: Settings,
        rules: Rules,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> "Embedded":
        """Takes the data directory over, making it if need be, and restores every partition.

        `observers` are called after each step of a partition. Raises StreamsErrors that say what to do.
        """
        log = SqliteLog(settings.data_dir, settings.partitions)
        try:
            agents = [
                await PartitionAgent.restored(
                    session, log.partitions, settings, rules, observers=observers, clock=clock
                )
                for session in await log.open_all()
            ]
        except BaseException:
            await log.close()
            raise
        collector.after_restore()
        return cls(log, agents, settings, clock)

    async def close(self) -> None:
        for agent in self.agents:
            await agent.close()
        await self.log.close()

    def look(self, given: FiniteInput, on_rows: OnRows = ignore_rows) -> Survey:
        """Looks at a finite input as this directory would read it."""
        return look_at(given, self.settings, self._clock, on_rows)

    async def replay(
        self,
        given: FiniteInput,
        on_progress: Callable[[Progress], None],
        on_sorted: OnRows = ignore_rows,
    ) -> Replayed:
        """Processes a whole input. Raises InputError when it cannot be read on, Unavailable when it must be
        sorted and there is no room on disk.

        `on_sorted` is called with the rows that were read to be sorted.
        """
        for agent in self.agents:
            agent.report_every_s = None
        survey = given.survey or self.look(given)
        end_ms, held_to_ms = survey.end_ms, self._watermark_ms()
        # What an interrupted replay has appended and not processed is older than what comes now.
        self._set_bounds(end_ms, UNKNOWN_MS)
        await self._catch_up()
        plan = plan_of(survey, await self.log.positions(survey.name), self.settings.allowed_lateness)
        records = 0
        with closing(Replay(given, plan, row_reader(self._reader), self.settings.data_dir)) as replay:
            await replay.sort(self.log, on_sorted)
            for chunk in replay.chunks(self.settings.batch * len(self.agents)):
                await self.append(chunk.rows, chunk.source)
                records += len(chunk.rows)
                # Time stands still within a chunk, so no event is late by others of its chunk, nor by the way
                # that it takes to the partition that owns its person.
                start_ms = self._reached_ms() if chunk.start_ms is None else chunk.start_ms
                self._set_bounds(end_ms, min(end_ms, start_ms))
                await self._catch_up()
                on_progress(Progress(records, replay.bytes_read, replay.total_bytes, plan.held))
        await self.finish(end_ms)
        skipped = survey.rows - records
        is_judged = not skipped and 0 <= survey.start_ms < held_to_ms - self.settings.allowed_lateness
        is_sorted = plan.order is not RowOrder.AS_GIVEN
        return Replayed(records, skipped, is_sorted, held_to_ms if is_judged else None)

    async def append(self, records: list[tuple[bytes, Headers]], source: Source | None = None) -> None:
        """Puts records into the partitions that own the people they are about."""
        now_ms, count = self._clock.wall_ms(), len(self.agents)
        if count == 1:
            placed = [NewRecord(0, None, value, now_ms, headers) for value, headers in records]
            await self.log.append(placed, source)
            return
        routed: list[NewRecord] = []
        for value, headers in records:
            key = self._record_key_of(value, headers)
            routed.append(NewRecord(partition_of(key, count), key or None, value, now_ms, headers))
        await self.log.append(routed, source)

    async def finish(self, end_ms: int = UNKNOWN_MS) -> None:
        """The input has ended: time goes to its end in every partition, or as far as it is in one that is
        beyond it, and all that moves between people has moved. So the result does not depend on the number
        of partitions.
        """
        await self._catch_up()
        watermark_ms = max(end_ms, self._watermark_ms())
        # Partitions that send to each other take some steps to agree that nothing is left to read.
        while True:
            for agent in self.agents:
                agent.processor.tracker.request_report()
                await agent.catch_up(watermark_ms)
            if all(agent.processor.population.settled_mark_ms >= watermark_ms for agent in self.agents):
                break
        for agent in self.agents:
            await agent.show_progress()
        self._set_bounds(UNBOUNDED_MS, UNBOUNDED_MS)

    def _watermark_ms(self) -> int:
        """How far time has come in the partition that is furthest."""
        return max(agent.processor.population.watermark_ms for agent in self.agents)

    def _set_bounds(self, end_ms: int, limit_ms: int) -> None:
        for agent in self.agents:
            tracker = agent.processor.tracker
            tracker.end_ms, tracker.limit_ms = end_ms, limit_ms

    def _reached_ms(self) -> int:
        """The newest event time that any partition has read."""
        return max(agent.processor.tracker.inputs_ms for agent in self.agents)

    async def _catch_up(self) -> None:
        """Processes all that was appended, and what partitions have sent to each other meanwhile."""
        for _ in range(min(len(self.agents), 2)):
            for agent in self.agents:
                agent.processor.tracker.request_report()
                await agent.catch_up()

    async def run(
        self,
        sources: Sequence[Path],
        format: InputFormat,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None],
        stdin: BinaryIO | None = None,
    ) -> None:
        """Follows files and directories (new files in them are found), and standard input if it is given.

        Ends when `stop` is set, or when standard input was the only source and has ended. Goes on where an
        earlier run of the same files stopped. Raises InputError for a path that is not there.
        """
        follower = Follower(sources, stdin, format, append=self.append, position=self.log.position)
        records, record_s = 0, self._clock.monotonic_s()
        try:
            while not stop.is_set():
                if taken := await follower.take():
                    records, record_s = records + taken, self._clock.monotonic_s()
                    on_progress(Progress(records, 0, 0))
                elif follower.ended:
                    return
                await self.step(idle_s=self._clock.monotonic_s() - record_s)
                if not taken:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), _LOOK_S)
        finally:
            follower.close()

    async def step(self, *, idle_s: float) -> None:
        """Processes what was appended. After a long enough idle time, the wall clock moves the timers."""
        clock_ms = self._clock.wall_ms() if idle_s * 1000 >= self.settings.idle_after else None
        for agent in self.agents:
            while (step := await self._step(agent, clock_ms)).records or step.more:
                await asyncio.sleep(0)

    async def _step(self, agent: PartitionAgent, clock_ms: int | None) -> Committed:
        """A step that also commits when there is progress to show, and now and then when there is none: so
        who reads the log sees that this process lives.
        """
        due = self._clock.monotonic_s() - agent.committed_s >= CHECKPOINT_EVERY_S
        return await agent.step(clock_ms, checkpoint=due or agent.has_progress_to_show)
