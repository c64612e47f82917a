"""`make bench`, or `python -m benchmarks.pipeline --events 500000`: the figures
of docs/benchmarks.md, goals beside them.
"""

import argparse
import asyncio
import os
import platform
import sqlite3
import tempfile
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import msgspec

from benchmarks.durable import Durable, durable
from benchmarks.generate import events
from benchmarks.memory import SIGNALS, Footprint, footprint
from benchmarks.stages import Written, fused, quiet_collector, staged
from streams.core.moments.rules import default_rules
from streams.runtime.collector import GC_THRESHOLD

STEP_US, STATE_BYTES, PROFILE_BYTES, DURABLE_PER_S = 10.0, 150.0, 1_100.0, 40_000.0  # the goals
APART = ("classify",)  # the goal leaves it out: its cost depends on the rules


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    given = parse(arguments)
    rules = default_rules()
    memory = footprint(given.profiles, rules)  # first, while the program remembers little else
    records = events(given.events, given.people, given.hours, given.seed)
    sizes = sorted(len(record.value or b"") for record in records)
    print(machine())
    print(
        f"{given.events:,} events of {sizes[0]}-{sizes[-1]} bytes, {given.people:,} people, "
        f"{given.hours:g} h, batches of {given.batch:,}"
    )

    with quiet_collector(None):
        plain_us, _ = min((fused(records, rules, given.batch) for _ in range(given.runs)), key=itemgetter(0))
    with quiet_collector(GC_THRESHOLD):
        whole_us, p = min((fused(records, rules, given.batch) for _ in range(given.runs)), key=itemgetter(0))
        stages, written = min(
            (staged(records, rules, given.batch) for _ in range(given.runs)),
            key=lambda run: sum(run[0].values()),
        )
    counts = p.checkpoint.counts
    print(
        f"applied {counts.applied:,}, no signal {counts.no_signal:,}, duplicate {counts.duplicate:,}, "
        f"late {counts.late:,}"
    )
    show_stages(stages, whole_us, plain_us)
    show_written(written, given.events)

    with tempfile.TemporaryDirectory(dir=given.dir) as directory, quiet_collector(None):
        show_durable(asyncio.run(durable(records, rules, Path(directory), given.batch)))
    show_memory(memory)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipeline", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument(
        "--hours",
        type=float,
        default=48,
        help="event time that they are spread over: the fewer, the more people are there at once",
    )
    parser.add_argument("--batch", type=int, default=5_000, help="events per commit")
    parser.add_argument("--runs", type=int, default=2, help="of which the least counts")
    parser.add_argument(
        "--profiles", type=int, default=1_000, help="how many people the memory is measured with"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--dir",
        default=None,
        help="where the embedded log is put for the while: a real disk, or its syncs cost nothing",
    )
    return parser.parse_args(arguments)


def machine() -> str:
    """What this ran on."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {memory_gib:.0f} GiB, {platform.system()}; "
        f"{platform.python_implementation()} "
        f"{platform.python_version()}, msgspec {msgspec.__version__}, SQLite {sqlite3.sqlite_version}"
    )


def show_stages(stages: dict[str, float], whole_us: float, plain_us: float) -> None:
    """The step, in pieces and in one."""
    print("\nthe step, us per event (processor time)")
    total = sum(stages.values())
    for stage, us in stages.items():
        print(f"  {stage:28}{us:8.2f}{us / total:7.0%}")
    apart = sum(stages[stage] for stage in APART)
    print(f"  {'sum of the stages':28}{total:8.2f}")
    line("in one piece", whole_us, f"{1e6 / whole_us:,.0f} events/s")
    line(
        "  without the classifier", whole_us - apart, goal=f"<= {STEP_US:g}", met=whole_us - apart <= STEP_US
    )
    line("  with Python's own GC pace", plain_us, f"{plain_us / whole_us:.2f} times")


def show_written(written: Written, count: int) -> None:
    """What the step made, per event."""
    print("\nwritten, per event")
    for topic, n in sorted(written.topics.items()):
        print(f"  {topic:28}{n / count:8.2f}  {written.topic_bytes[topic] / count:6.1f} bytes")
    for part, size in sorted(written.state.items()):
        print(f"  {'state: ' + part:28}{written.state_records[part] / count:8.2f}  {size / count:6.1f} bytes")
    state = sum(written.state.values()) / count
    line("state, bytes", state, goal=f"<= {STATE_BYTES:g}", met=state <= STATE_BYTES)


def show_durable(d: Durable) -> None:
    """The embedded log."""
    print("\non the disk: embedded log, synchronous=FULL, us per event (processor time, wall time)")
    for stage, us in d.stage_us.items():
        print(f"  {stage:28}{us:8.2f}{d.wall_us[stage]:8.2f}")
    per_s = 1e6 / d.replay_us
    line(
        "replay of a file, whole",
        d.replay_cpu_us,
        f"{d.replay_us:.2f} wall; {d.disk_bytes:,.0f} bytes of disk",
    )
    line("  events/s", per_s, goal=f">= {DURABLE_PER_S:,.0f}", met=per_s >= DURABLE_PER_S, form=",.0f")


def show_memory(f: Footprint) -> None:
    """Profiles in memory."""
    print(f"\nmemory of a profile with {SIGNALS} signals, bytes ({f.profiles:,} profiles)")
    line(
        "as events made it",
        f.live_bytes,
        goal=f"<= {PROFILE_BYTES:,.0f}",
        met=f.live_bytes <= PROFILE_BYTES,
        form=",.0f",
    )
    line(
        "as restored",
        f.restored_bytes,
        f"restored in {f.restore_us:.1f} us, {1e6 / f.restore_us:,.0f} profiles/s",
        form=",.0f",
    )


def line(
    what: str, value: float, note: str = "", goal: str = "", met: bool = True, form: str = ".2f"
) -> None:
    """One figure, with its goal if it has one."""
    beside = f"goal {goal}: {'met' if met else 'MISSED'}" if goal else note
    print(f"  {what:28}{value:8{form}}  {beside}")


if __name__ == "__main__":
    main()
