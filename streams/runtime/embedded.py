"""The program without a broker: files in, one process, everything in one data directory.

A finite input is *replayed*: no wall clock has a say in it, and at its end every partition takes the whole input's greatest time. A file is
appended once, however often the command is started or killed: how far it was read is committed together with its records.
An endless one is *run*: what comes is appended and processed at once, and when nothing comes the wall clock moves the timers.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from streams.core.ingest.partition import key_of, partition_of
from streams.core.moments.rules import Rules
from streams.errors import InputError
from streams.log.sqlite.log import SqliteLog
from streams.records import Headers, Source
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.csv import csv_rows
from streams.sources.files import Lines, file_records
from streams.sources.follow import GrowingFile, Stdin, files_of
from streams.sources.jsonl import jsonl_rows

Format = Literal["segment", "csv"]
Rows = Callable[[Iterable[bytes]], Iterator[tuple[bytes, Headers]]]

POLL_S = 0.2  # between looks at files that had nothing new
HASHED_BYTES = 1 << 20  # read at once to name a file by its content
GC_THRESHOLD = 50_000  # the state is long-lived and has no cycles: looking through it every 700 objects is a tenth of the time


class Progress(NamedTuple):
    """How far a replay has come."""

    records: int  # appended and processed, by this call
    bytes_read: int  # of the file as it is stored
    total_bytes: int


class Replayed(NamedTuple):
    """What a replay did."""

    records: int  # appended by this call
    skipped: (
        int  # were in the data directory from an earlier, interrupted or complete, replay of the same content
    )


class File:
    """A finite input, opened: its name, which stands for its content, and its records. Made before a data directory is touched: it may be wrong."""

    def __init__(self, path: Path, format: Format, mapping: Mapping[str, str]) -> None:
        """Raises InputError when the file cannot be read or lacks a mapped column, ConfigError for a mapping that names no field."""
        self.name = content_name(path, format, mapping)
        self.lines = Lines(path)
        try:
            rows = rows_of(format, mapping)(self.lines)
        except BaseException:
            self.lines.close()
            raise
        self.records = file_records(self.lines, lambda lines: rows)


class Embedded:
    """All partitions of a data directory, in this process."""

    def __init__(self, log: SqliteLog, agents: list[PartitionAgent], settings: Settings) -> None:
        self.log, self.agents, self.settings = log, agents, settings

    @classmethod
    async def open(cls, settings: Settings, rules: Rules) -> "Embedded":
        """Takes the data directory over, making it if need be, and restores every partition. Raises StreamsErrors that say what to do."""
        log = SqliteLog(settings.data_dir, settings.partitions)
        try:
            agents = [
                await PartitionAgent.restored(session, log.partitions, settings, rules)
                for session in await log.open_all()
            ]
        except BaseException:
            await log.close()
            raise
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 100)
        return cls(log, agents, settings)

    async def close(self) -> None:
        for agent in self.agents:
            await agent.close()
        await self.log.close()

    async def replay(self, file: "File", on_progress: Callable[[Progress], None]) -> Replayed:
        """A whole file. It is read once; raises InputError when it cannot be read on."""
        skipped = await self.log.position(file.name)
        with file.lines:
            read = sum(1 for _ in islice(file.records, skipped))
            while chunk := list(islice(file.records, self.settings.batch * len(self.agents))):
                await self.append(chunk, Source(file.name, read, read + len(chunk)))
                read += len(chunk)
                for agent in self.agents:
                    await agent.catch_up()
                on_progress(Progress(read - skipped, file.lines.read_bytes, file.lines.total_bytes))
        await self.finish()
        return Replayed(read - skipped, skipped)

    async def append(self, records: list[tuple[bytes, Headers]], source: Source | None = None) -> None:
        """Puts records into the partitions of the people they are about."""
        now, count = time.time_ns() // 1_000_000, len(self.agents)
        if count == 1:
            placed = [(0, None, value, now, headers) for value, headers in records]
            await self.log.append(placed, source)
            return
        routed: list[tuple[int, bytes | None, bytes, int, Headers]] = []
        for value, headers in records:
            key = key_of(value)
            routed.append((partition_of(key, count) if key else 0, key or None, value, now, headers))
        await self.log.append(routed, source)

    async def finish(self) -> None:
        """The input has ended: every partition comes as far in time as the whole of it, so that the result does not depend on how many there are."""
        for agent in self.agents:
            await agent.catch_up()
        mark = max(agent.processor.population.mark for agent in self.agents)
        for agent in self.agents:
            await agent.catch_up(mark)

    async def run(
        self,
        sources: list[Path],
        format: Format,
        mapping: Mapping[str, str],
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None],
        stdin: BinaryIO | None = None,
    ) -> None:
        """Follows files and directories (new files in them are found), and standard input if given.

        Ends when `stop` is set, or when standard input was all there was and has ended. Goes on where an earlier run of the same files
        stopped. What is read is processed at once. Raises InputError for a path that is not there.
        """
        growing: dict[Path, GrowingFile] = {}
        positions: dict[str, int] = {}
        headers: dict[str, bytes] = {}
        piped = Stdin(stdin) if stdin is not None else None
        piped_header = b""
        records, quiet_since = 0, time.monotonic()
        try:
            while not stop.is_set():
                taken = 0
                for path in files_of(sources):
                    if path not in growing:
                        growing[path] = file = GrowingFile(path)
                        positions[file.name] = await self.log.position(file.name)
                    file = growing[path]
                    if file.replaced() and not file.take(positions[file.name]).lines:
                        growing.pop(
                            path
                        ).close()  # rotated, and read to its end: the new one is met at the next look
                        continue
                    if file.is_gzip:
                        taken += await self._whole(file, positions, format, mapping)
                        continue
                    lines, start, end = file.take(positions[file.name])
                    if not lines:
                        continue
                    if format == "csv":
                        headers.setdefault(file.name, file.header())
                    taken += await self._lines(
                        lines,
                        headers.get(file.name, b""),
                        start == 0,
                        format,
                        mapping,
                        Source(file.name, start, end),
                    )
                    positions[file.name] = end
                if piped is not None and (lines := piped.take()):
                    first = not piped_header
                    piped_header = piped_header or lines[0]
                    taken += await self._lines(lines, piped_header, first, format, mapping, None)
                if taken:
                    records, quiet_since = records + taken, time.monotonic()
                    on_progress(Progress(records, 0, 0))
                elif piped is not None and piped.ended and not sources:
                    return
                await self.idle(time.monotonic() - quiet_since)
                if not taken:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), POLL_S)
        finally:
            for file in growing.values():
                file.close()

    async def _lines(
        self,
        lines: list[bytes],
        header: bytes,
        first: bool,
        format: Format,
        mapping: Mapping[str, str],
        source: Source | None,
    ) -> int:
        """Appends the records of some lines; a table's header is put before those that do not begin with it."""
        if format == "csv" and not first:
            lines = [header, *lines]
        records = list(rows_of(format, mapping)(lines))
        await self.append(records, source)
        return len(records)

    async def _whole(
        self, file: GrowingFile, positions: dict[str, int], format: Format, mapping: Mapping[str, str]
    ) -> int:
        """A compressed file does not grow: it is taken once, whole."""
        if positions[file.name]:
            return 0
        records = list(file_records(Lines(file.path), rows_of(format, mapping)))
        await self.append(records, Source(file.name, 0, 1))
        positions[file.name] = 1
        return len(records)

    async def idle(self, quiet_s: float) -> None:
        """One look at every partition; once nothing has come for long enough they follow the wall clock."""
        clock = time.time_ns() // 1_000_000 if quiet_s * 1000 >= self.settings.idle_after else None
        for agent in self.agents:
            while await agent.step(clock) or agent.busy:
                await asyncio.sleep(0)


def rows_of(format: Format, mapping: Mapping[str, str]) -> Rows:
    """Reads records out of lines."""
    return partial(csv_rows, mapping=mapping) if format == "csv" else jsonl_rows


def content_name(path: Path, format: Format, mapping: Mapping[str, str]) -> str:
    """A name for a file that only depends on its content and on how it is read. Raises InputError when it cannot be read."""
    digest = blake2b(repr((format, sorted(mapping.items()))).encode(), digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(HASHED_BYTES):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return f"replay:{digest.hexdigest()}"
