"""Events per second from a file to what is safe on the disk: the embedded log, one process, synchronous=FULL.

Once by the stages that touch the log, batch by batch; and once whole, as `streams replay` does it. Wall
time counts here, the disk's part included.
"""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time

import msgspec

from streams.core.moments.rules import Rules
from streams.records import Headers, Record
from streams.runtime.embedded import Embedded
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat


class Durable(msgspec.Struct):
    """Per event."""

    stage_us: dict[str, float]  # processor time
    wall_us: dict[str, float]
    replay_us: float  # wall time of a whole replay, opening and closing included
    replay_cpu_us: float
    disk_bytes: float


async def by_stage(
    records: list[Record], rules: Rules, data_dir: Path, batch: int
) -> tuple[dict[str, float], dict[str, float]]:
    """us per event of append, read, step and commit: (processor time, wall time)."""
    cpu: defaultdict[str, float] = defaultdict(float)
    wall: defaultdict[str, float] = defaultdict(float)
    embedded = await Embedded.open(Settings(data_dir=data_dir, partitions=1), rules)
    session, p = embedded.agents[0].session, embedded.agents[0].processor

    for at in range(0, len(records), batch):
        chunk: list[tuple[bytes, Headers]] = [
            (record.value or b"", ()) for record in records[at : at + batch]
        ]
        marks = [("", process_time(), perf_counter())]
        await embedded.append(chunk)
        marks.append(("append", process_time(), perf_counter()))
        found = await session.read(p.tracker.offsets, batch)
        marks.append(("read", process_time(), perf_counter()))
        p.take(found)
        p.advance()
        made = p.batch()
        marks.append(("step", process_time(), perf_counter()))
        await session.commit(made)
        marks.append(("commit", process_time(), perf_counter()))
        for (_, cpu_before, wall_before), (stage, cpu_after, wall_after) in pairwise(marks):
            cpu[stage] += cpu_after - cpu_before
            wall[stage] += wall_after - wall_before
    await embedded.close()
    return {stage: s / len(records) * 1e6 for stage, s in cpu.items()}, {
        stage: s / len(records) * 1e6 for stage, s in wall.items()
    }


async def whole(records: list[Record], rules: Rules, directory: Path) -> tuple[float, float]:
    """us per event of a replay of a file: (wall time, processor time)."""
    file = directory / "events.jsonl"
    file.write_bytes(b"\n".join(record.value or b"" for record in records))
    began, began_cpu = perf_counter(), process_time()
    embedded = await Embedded.open(Settings(data_dir=directory / "replayed", partitions=1), rules)
    replayed = await embedded.replay(FiniteInput([file], InputFormat()), lambda _: None)
    await embedded.close()
    seconds, cpu_seconds = perf_counter() - began, process_time() - began_cpu
    assert replayed.records == len(records)
    return seconds / len(records) * 1e6, cpu_seconds / len(records) * 1e6


async def durable(records: list[Record], rules: Rules, directory: Path, batch: int) -> Durable:
    """Measures both in a directory that is empty."""
    cpu, wall = await by_stage(records, rules, directory / "staged", batch)
    replay_us, replay_cpu_us = await whole(records, rules, directory)
    size = sum(file.stat().st_size for file in (directory / "replayed").iterdir())
    return Durable(cpu, wall, replay_us, replay_cpu_us, size / len(records))
