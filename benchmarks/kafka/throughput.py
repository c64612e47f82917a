"""A backlog worked off: our worker beside a bare loop that only decodes, and beside the same
job written in Faust. In turn, in one run.
"""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import common
from benchmarks.kafka.ground import Ground
from benchmarks.kafka.measure import line, median
from benchmarks.sampling import sampled
from streams.records import Record

EVENTS_PER_S, CPU_US = 65_000, 15.0  # the goals, of one process


class Speed(NamedTuple):
    """How a backlog was worked off."""

    per_s: float
    cpu_us: float  # per event
    mib: float  # at most


async def throughput(
    bootstrap: str, logs: Path, events: int, faust_events: int, people: int, runs: int, profile: bool = False
) -> None:
    """Prints. `profile`: only how our worker spends its time, which costs a part of it."""
    print(
        f"\na backlog of {events:,} events, 4 partitions, {people:,} people; {runs} runs in turn, "
        f"medians; Faust: {faust_events:,} events"
    )
    records = common(events, people)
    if profile:
        ground = Ground(bootstrap, logs)
        await ground.make()
        await ground.fill(records)
        watched = ground.worker(profile=True)
        await ground.done(events, watched)
        await watched.end()
        await ground.drop()
        print("\n".join(sampled(watched.log.read_text())))
        return
    found: dict[str, list[Speed]] = {"ours": [], "bare": [], "faust": []}
    for run in range(runs):
        ground = Ground(bootstrap, logs)
        await ground.make(
            [f"{ground.app}-moves", f"f{ground.app}-journeys-changelog", f"f{ground.app}-counters-changelog"]
        )
        await ground.fill(records)
        found["ours"].append(await ours(ground, events))
        found["bare"].append(await beside(ground, "bare", events))
        if run == 0:
            few = Ground(bootstrap, logs)
            await few.make([f"f{few.app}-moves"])
            await few.fill(islice(records, faust_events))
            found["faust"].append(await beside(few, "faust_job", faust_events))
            await few.drop()
        await ground.drop()
    whats = {
        "ours": "streams run: exactly once",
        "bare": "bare loop: reads and decodes",
        "faust": "Faust, idiomatic: at least once",
    }
    for name, speeds in found.items():
        what = whats[name]
        per_s, cpu_us, mib = (median([speed[n] for speed in speeds]) for n in range(3))
        if name == "ours":
            line(f"{what}, events/s", f"{per_s:,.0f}", f">= {EVENTS_PER_S:,}", per_s >= EVENTS_PER_S)
            line("  processor time per event, us", f"{cpu_us:.1f}", f"<= {CPU_US:g}", cpu_us <= CPU_US)
            line("  most memory, MiB", f"{mib:,.0f}")
        else:
            line(what, f"{per_s:,.0f}/s, {cpu_us:.1f} us, {mib:,.0f} MiB")


async def ours(
    ground: Ground, events: int, workers: int = 1, fill: Sequence[Record] = (), keyed: bool = True
) -> Speed:
    """From when all partitions are at work to the last commit, so without starting up.

    `fill`: with these, once that is so; else they are there.
    """
    watched = [ground.worker() for _ in range(workers)]
    begin_s = 0.0
    if fill:
        await ground.ready(*watched)
        await ground.fill(fill, keyed)
        begin_s = time.time()
    await ground.done(events, *watched)
    mib = sum(worker.peak_mib() for worker in watched)
    busy = [partition for partition in await ground.commits() if partition and partition[-1].received]
    begin_s = begin_s or max(next(c.at_s for c in partition if c.received) for partition in busy)
    end_s = max(next(c.at_s for c in partition if c.received == partition[-1].received) for partition in busy)
    counted = sum(
        partition[-1].received - max((c.received for c in partition if c.at_s <= begin_s), default=0)
        for partition in busy
    )
    cpu_s = sum(worker.cpu_s(begin_s, end_s) for worker in watched)
    for worker in watched:
        await worker.end()
    if not counted or end_s <= begin_s:  # so few that all were done by then
        return Speed(math.nan, math.nan, mib)
    return Speed(counted / (end_s - begin_s), cpu_s / counted * 1e6, mib)


async def beside(ground: Ground, program: str, events: int) -> Speed:
    """Another program, which tells itself what it took."""
    app = [f"f{ground.app}"] if program == "faust_job" else []
    watched = ground.start(
        program, ["-m", f"benchmarks.kafka.{program}", ground.bootstrap, *app, ground.input, "4", str(events)]
    )
    while watched.process.poll() is None:
        await asyncio.sleep(0.2)
    said = next(
        (text for text in reversed(watched.log.read_text().splitlines()) if text.startswith("{")), None
    )
    assert said is not None, f"it said nothing: {watched.log}"
    found = json.loads(said)
    return Speed(found["events"] / found["seconds"], found["cpu_s"] / found["events"] * 1e6, found["mib"])
