"""How much a broker stores for what comes in: bytes of each topic per byte of input, before any compaction,
by the broker's own account.

Once as events come, where each small batch publishes its counters and its state, and once as a backlog, in
large batches.
"""

import asyncio
import json
from pathlib import Path

from benchmarks.kafka.ground import Ground
from benchmarks.kafka.measure import line
from streams.topology import OWN_TOPICS
from tests.kafka.console import console

PARTITIONS = 4
RATE = 500  # events a second: a shop with some 40 million clicks a day
MEBIBYTE = 1 << 20


async def volume(bootstrap: str, logs: Path, events: int, people: int) -> None:
    """Prints. The shoppers are those of `streams generate`."""
    live, backlog = Ground(bootstrap, logs, PARTITIONS), Ground(bootstrap, logs, PARTITIONS)
    await live.make()
    await backlog.make()
    backlog.input = live.input
    for title, ground in ((f"at {RATE} events/s", live), ("as a backlog", backlog)):
        worker = ground.worker()
        await ground.ready(worker)
        if ground is live:
            await _generate(ground, events, people)
        await ground.done(events, worker)
        await worker.end()
        await asyncio.to_thread(_report, title, ground, events)
    await backlog.drop()
    await live.drop()


async def _generate(ground: Ground, events: int, people: int) -> None:
    generate = ["generate", "--kafka", ground.bootstrap, "--input", ground.input, "--rate", str(RATE)]
    sizes = ["--events", str(events), "--people", str(people), "--seed", "7"]
    program = ["-c", "from streams.cli import main; main()"]
    shoppers = ground.start("generate", [*program, *generate, *sizes])
    code = await asyncio.to_thread(shoppers.process.wait)
    await shoppers.end()
    assert code == 0, f"logs: {ground.logs}"


def _report(title: str, ground: Ground, events: int) -> None:
    names = [ground.input, *(f"{ground.app}.{topic.name}" for topic in OWN_TOPICS)]
    sizes = stored(ground.bootstrap, names)
    came = sizes.pop(ground.input)
    print(f"\nstored {title}: {events:,} events, {came / MEBIBYTE:.1f} MiB, {PARTITIONS} partitions")
    for name, size in sizes.items():
        line(name.removeprefix(f"{ground.app}."), f"{size / MEBIBYTE:.1f} MiB, {size / came:.2f} times")
    total = sum(sizes.values())
    line("all that is written", f"{total / MEBIBYTE:.1f} MiB, {total / came:.2f} times")


def stored(bootstrap: str, topics: list[str]) -> dict[str, int]:
    """Bytes of each topic on the broker, by name."""
    shown = console(
        "kafka-log-dirs", "--bootstrap-server", bootstrap, "--describe", "--topic-list", ",".join(topics)
    )
    sizes = dict.fromkeys(topics, 0)
    for broker in json.loads(shown.splitlines()[-1])["brokers"]:
        for directory in broker["logDirs"]:
            for place in directory["partitions"]:
                sizes[place["partition"].rpartition("-")[0]] += place["size"]
    return sizes
