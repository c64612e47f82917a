"""The program without a broker: files in, one process, everything in one data directory.

A finite input is *replayed*. No wall clock takes part in it, and time goes as far as the whole input says
(`end_of_input`), in every partition. A file is appended once, however often the command is started or
killed: how far it was read is committed together with its records.

An endless input is *run*. What comes is appended and processed at once; when nothing comes, the wall clock
moves the timers.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from streams.clock import Clock
from streams.core.ingest.event import events_in
from streams.core.ingest.partition import partition_of
from streams.core.ingest.reading import RecordReader
from streams.core.moments.rules import Rules
from streams.core.processing.committed import Observer
from streams.core.processing.end_of_input import EndOfInput
from streams.core.processing.owners import key_reader
from streams.core.processing.watermark import UNBOUNDED_MS, UNKNOWN_MS
from streams.log.sqlite.log import SqliteLog
from streams.records import Headers, NewRecord, Source
from streams.runtime import collector
from streams.runtime.following import Follower
from streams.runtime.parameters import door_of_settings
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.input_file import InputFile, InputFormat
from streams.topology import EVENTS

_LOOKED_AT = 1_000  # records of a file that are looked at before others get their turn: some milliseconds
_LOOK_S = 0.2  # between looks at sources that had nothing new
# Records that are appended at once have about so many bytes at most: they are in memory several times over.
_APPEND_BYTES = 16 << 20


class Progress(NamedTuple):
    """How far a replay or a run has come."""

    records: int  # appended and processed, by this call
    bytes_read: int  # of the file as it is stored
    total_bytes: int


class Replayed(NamedTuple):
    """What a replay did."""

    records: int  # appended by this call
    skipped: int  # had been appended by an earlier replay of the same content, interrupted or complete


class Embedded:
    """All partitions of a data directory, in this process."""

    def __init__(
        self, log: SqliteLog, agents: list[PartitionAgent], settings: Settings, clock: Clock | None = None
    ) -> None:
        self.log, self.agents, self.settings = log, agents, settings
        self._clock = clock or Clock()
        self._reader = RecordReader(door_of_settings(settings), EVENTS.name)
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

    async def replay(self, file: InputFile, on_progress: Callable[[Progress], None]) -> Replayed:
        """Processes a whole file. Raises InputError when it cannot be read on."""
        end_ms = await self._end_of(file)
        # What an interrupted replay has appended and not processed is older than what comes now.
        self._set_bounds(end_ms, UNKNOWN_MS)
        await self._catch_up()
        skipped = await self.log.position(file.name)
        with file.lines:
            read = sum(1 for _ in islice(file.records, skipped))
            while chunk := _some(file.records, self.settings.batch * len(self.agents)):
                await self.append(chunk, Source(file.name, read, read + len(chunk)))
                read += len(chunk)
                # Time stands still within a chunk, so no event is late by others of its chunk, nor by the way
                # that it takes to the partition that owns its person.
                self._set_bounds(end_ms, min(end_ms, self._reached_ms()))
                await self._catch_up()
                on_progress(Progress(read - skipped, file.lines.read_bytes, file.lines.total_bytes))
        await self.finish(end_ms)
        return Replayed(read - skipped, skipped)

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

    async def _end_of(self, file: InputFile) -> int:
        """How far time goes at the end of this file (ms since 1970 UTC); -1 if it has no event."""
        end, now_ms = EndOfInput(self.settings.tenant), self._clock.wall_ms()
        for number, (value, headers) in enumerate(file.again()):
            for event in events_in(self._reader.read(value, headers, now_ms, now_ms + self._reader.skew_ms)):
                end.note(event)
            if not number % _LOOKED_AT:
                await asyncio.sleep(0)
        return end.at_ms

    async def finish(self, end_ms: int = UNKNOWN_MS) -> None:
        """The input has ended: time goes to its end in every partition, or as far as it is in one that is
        beyond it, so that the result does not depend on the number of partitions.
        """
        await self._catch_up()
        watermark_ms = max(end_ms, *(agent.processor.population.watermark_ms for agent in self.agents))
        # Partitions that forward to each other take some steps to agree that nothing is left to read.
        while True:
            for agent in self.agents:
                await agent.catch_up(watermark_ms)
            if all(agent.processor.population.watermark_ms >= watermark_ms for agent in self.agents):
                break
        self._set_bounds(UNBOUNDED_MS, UNBOUNDED_MS)

    def _set_bounds(self, end_ms: int, limit_ms: int) -> None:
        for agent in self.agents:
            tracker = agent.processor.tracker
            tracker.end_ms, tracker.limit_ms = end_ms, limit_ms

    def _reached_ms(self) -> int:
        """The newest event time that any partition has read."""
        return max(agent.processor.tracker.inputs_ms for agent in self.agents)

    async def _catch_up(self) -> None:
        """Processes all that was appended, and what partitions have forwarded meanwhile."""
        for _ in range(min(len(self.agents), 2)):
            for agent in self.agents:
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
            while (step := await agent.step(clock_ms)).records or step.more:
                await asyncio.sleep(0)


def _some(records: Iterator[tuple[bytes, Headers]], most: int) -> list[tuple[bytes, Headers]]:
    """The next records, at most so many and of about so many bytes as are appended at once."""
    found, size = [], 0
    for record in islice(records, most):
        found.append(record)
        size += len(record[0])
        if size >= _APPEND_BYTES:
            break
    return found
