"""`make bench-kafka`, or `python -m benchmarks.kafka --only throughput --events 1000000`:
goals beside the figures. docs/benchmarks.md.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.kafka.growth import growth
from benchmarks.kafka.latency import latency
from benchmarks.kafka.persons import persons
from benchmarks.kafka.restoring import restoring
from benchmarks.kafka.stalls import stalls
from benchmarks.kafka.throughput import throughput
from benchmarks.kafka.volume import volume
from tests.kafka import broker

SECTIONS = ("throughput", "latency", "persons", "restore", "stalls", "growth", "volume")


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kafka", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="these sections")
    parser.add_argument(
        "--events", type=int, default=300_000, help="of a backlog; the common work has 1,000,000"
    )
    parser.add_argument("--faust-events", type=int, default=30_000, help="of Faust's backlog: it is slow")
    parser.add_argument("--volume-events", type=int, default=30_000, help="of which the stored bytes count")
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3, help="of the backlog, in turn with the others")
    parser.add_argument(
        "--profile", action="store_true", help="where the time goes: of the backlog, only that"
    )
    parser.add_argument("--seconds", type=float, default=20, help="of the steady rate")
    parser.add_argument(
        "--grow-people", type=numbers, default=[200_000], help="as many people; up to 2,000,000 takes a while"
    )
    parser.add_argument("--grow-partitions", type=numbers, default=[16, 64], help="as many partitions")
    parser.add_argument("--bootstrap", default=None, help="a broker that is there; else one is started")
    given = parser.parse_args()
    logs = Path(tempfile.mkdtemp(prefix="bench-kafka-"))
    bootstrap = given.bootstrap or broker.start()[0]
    python = f"Python {platform.python_version()}"
    print(
        f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, {python}; the broker is on "
        f"them too; logs: {logs}"
    )
    began = time.monotonic()
    asyncio.run(sections(given, bootstrap, logs))
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


async def sections(given: argparse.Namespace, bootstrap: str, logs: Path) -> None:
    if "throughput" in given.only:
        await throughput(
            bootstrap, logs, given.events, given.faust_events, given.people, given.runs, given.profile
        )
    if "latency" in given.only:
        await latency(bootstrap, logs, given.seconds, given.people, given.profile)
    if "persons" in given.only:
        await persons(bootstrap, logs, given.seconds, given.people)
    if "restore" in given.only:
        await restoring(bootstrap, logs, given.events, given.people)
    if "stalls" in given.only:
        await stalls(bootstrap, logs, given.people)
    if "volume" in given.only:
        await volume(bootstrap, logs, given.volume_events, given.people)
    if "growth" in given.only:
        await growth(bootstrap, logs, given.events // 2, given.grow_people, given.grow_partitions)


if __name__ == "__main__":
    sys.exit(main())
