"""How quickly a worker that comes back knows again what it knew: state records a second,
from the broker to agents that could go on.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.common import common
from benchmarks.kafka.ground import WAIT_S, Ground
from benchmarks.kafka.measure import line
from benchmarks.kafka.throughput import ours
from streams.core.moments.rules import default_rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings

RECORDS_PER_S = 150_000  # the goal
PARTITIONS = 4


async def restoring(bootstrap: str, logs: Path, events: int, people: int) -> None:
    """Prints."""
    ground = Ground(bootstrap, logs, PARTITIONS)
    await ground.make()
    await ground.fill(common(events, people))
    await ours(ground, events)
    watched = ground.start(
        "restore", ["-m", "benchmarks.kafka.restoring", bootstrap, ground.app, ground.input]
    )
    deadline = time.monotonic() + WAIT_S
    while watched.process.poll() is None:
        assert time.monotonic() < deadline, f"logs: {logs}"
        await asyncio.sleep(0.1)
    found = json.loads(watched.log.read_text().splitlines()[-1])
    await ground.drop()
    per_s = found["records"] / found["seconds"]
    size = f"{found['records']:,} state records, {found['profiles']:,} profiles"
    print(f"\nrestored after {events:,} events of {people:,} people: {size}, {PARTITIONS} partitions in turn")
    line("state records/s", f"{per_s:,.0f}", f">= {RECORDS_PER_S:,}", per_s >= RECORDS_PER_S)
    line("profiles/s; seconds in all", f"{found['profiles'] / found['seconds']:,.0f}; {found['seconds']:.2f}")


async def main(bootstrap: str, app: str, topic: str) -> None:
    """In a process of its own: opens all partitions, one after the other."""
    log = await KafkaLog.connect(Cluster(bootstrap), app, [topic])
    settings, rules = Settings(), default_rules()
    seen = [0] * PARTITIONS
    began, agents = time.perf_counter(), []
    for number in range(PARTITIONS):

        def on_restore(done: int, total: int, number: int = number) -> None:
            seen[number] = done

        agents.append(await PartitionAgent.open(log, number, settings, rules, on_restore))
    seconds = time.perf_counter() - began
    profiles = sum(len(agent.processor.population.profiles) for agent in agents)
    await log.close()
    print(json.dumps({"records": sum(seen), "seconds": seconds, "profiles": profiles}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
