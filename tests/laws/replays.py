"""Replays files into data directories, may be killed on the way, and says what the directories hold then."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.sqlite.log import SqliteLog
from streams.queries.funnel import Funnel, read_funnel
from streams.records import Headers, Record
from streams.runtime.embedded import Embedded, Progress, Replayed
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from streams.topology import REPEATABLE


class Killed(Exception):
    """Stands for the end of the process."""


async def replay(
    paths: Sequence[Path], data_dir: Path, partitions: int = 1, killed_after: int | None = None
) -> Replayed | None:
    """Replays files, in batches of a few records; None if it was killed.

    `killed_after`: how many chunks of the input.
    """
    settings = Settings(data_dir=data_dir, partitions=partitions, batch=20)
    embedded = await Embedded.open(settings, default_rules())
    chunks = 0

    def on_progress(progress: Progress) -> None:
        nonlocal chunks
        chunks += 1
        # What is sorted on disk has no name there, so a kill leaves nothing.
        assert [] == [path.name for path in data_dir.iterdir() if not path.name.startswith("log.sqlite")]
        if chunks == killed_after:
            raise Killed

    try:
        replayed = await embedded.replay(FiniteInput(paths, InputFormat()), on_progress)
        for agent in embedded.agents:
            population = agent.processor.population
            assert population.watermark_ms - 1 == population.timers_fired_ms
    except Killed:
        return None
    finally:
        await embedded.close()
    return replayed


class Outcome(msgspec.Struct):
    """What a data directory says, less the places where it says it."""

    funnel: Funnel
    watermarks: set[int]
    standing: Counter[bytes]  # transitions
    latest: dict[tuple[str, bytes | None], object]  # by topic and key, where the last record counts
    others: Counter[tuple[str, bytes | None]]


async def outcome(data_dir: Path) -> Outcome:
    """What this directory says."""
    log = SqliteLog.read_only(data_dir)
    standing, others = Counter[bytes](), Counter[tuple[str, bytes | None]]()
    latest: dict[tuple[str, bytes | None], object] = {}
    for topic in REPEATABLE:
        if topic.name in ("tallies", "funnel"):  # each partition has its own; the funnel adds them up
            continue
        async for _, record in log.scan(topic.name):
            if topic.name == "transitions":
                op, step = _without_rev(record.value or b"")
                standing[step] += 1 if op == "assert" else -1
            elif topic.name in ("current", "current_devices", "identities"):
                latest[topic.name, record.key] = record.value and _without_rev(record.value)[1]
            else:
                others[topic.name, record.value] += 1
    funnel = await read_funnel(log)
    watermarks = {decode_checkpoint(raw).watermark_ms for raw in await log.checkpoints() if raw}
    await log.close()
    return Outcome(funnel, watermarks, +standing, latest, others)


async def published(data_dir: Path) -> list[tuple[Any, ...]]:
    """All records of all topics, byte for byte, without the times at which they were written."""
    log = SqliteLog.read_only(data_dir)
    found = [
        (topic.name, partition, record.offset, record.key, record.value, _timeless(record))
        for topic in REPEATABLE
        if topic.name != "funnel"
        async for partition, record in log.scan(topic.name)
    ]
    await log.close()
    return found


def _timeless(record: Record) -> Headers:
    """The headers of a record; those of a dead letter without when its item was appended."""
    return tuple(header for header in record.headers if header[0] != "appended")


def _without_rev(value: bytes) -> tuple[str, bytes]:
    said = msgspec.json.decode(value)
    op = said.pop("op", "")
    said.pop("rev", None)
    return op, msgspec.json.encode(said)
