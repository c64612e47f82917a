"""How it grows: two workers instead of one, more people, more partitions, and an input without
keys, most of whose events take another hop.
"""

from pathlib import Path

from benchmarks.common import common
from benchmarks.kafka.ground import Ground
from benchmarks.kafka.measure import line
from benchmarks.kafka.throughput import Speed, ours


async def growth(bootstrap: str, logs: Path, events: int, people: list[int], partitions: list[int]) -> None:
    """Prints."""
    print(f"\na backlog of {events:,} events, worked off by our worker")
    for workers in (1, 2):
        found = await _one(bootstrap, logs, events, 20_000, 4, workers)
        line(f"{workers} worker{'s' * (workers > 1)}, 4 partitions, 20,000 people", _said(found))
    for count in people:
        line(
            f"1 worker, 4 partitions, {count:,} people",
            _said(await _one(bootstrap, logs, max(events, count), count, 4)),
        )
    for count in partitions:
        line(
            f"1 worker, {count} partitions, 20,000 people",
            _said(await _one(bootstrap, logs, events, 20_000, count)),
        )
    line(
        "1 worker, 4 partitions, input without keys",
        _said(await _one(bootstrap, logs, events, 20_000, 4, keyed=False)),
    )


def _said(speed: Speed) -> str:
    return f"{speed.per_s:,.0f}/s, {speed.cpu_us:.1f} us, {speed.mib:,.0f} MiB"


async def _one(
    bootstrap: str,
    logs: Path,
    events: int,
    people: int,
    partitions: int,
    workers: int = 1,
    keyed: bool = True,
) -> Speed:
    ground = Ground(bootstrap, logs, partitions)
    await ground.make()
    speed = await ours(ground, events, workers, common(events, people), keyed)
    await ground.drop()
    return speed
