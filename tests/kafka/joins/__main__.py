"""Kafka Streams itself joins what agents publish with a table of customers: `python -m tests.kafka.joins`.

The customers and the events are keyed by the bare id and placed by the client's own partitioner. If the key
of an output or its partition were another, Kafka Streams would not find the customer, and would say nothing.
Ends with 0 if everybody was matched, 1 if somebody was not, and 2, with the reason, if Java or Maven is
missing.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from aiokafka.admin import NewTopic

from streams.cli.cluster import silence_client
from streams.core.moments import rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.log import KafkaLog
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.generator import Shop
from tests.kafka import topics
from tests.kafka.broker import cluster
from tests.kafka.nodes import CACHE, VERSION, Missing, fetched

HERE = Path(__file__).parent
LIBRARIES = CACHE.with_name(f"kafka-streams-{VERSION}")
PARTITIONS, EVENTS, PEOPLE, SEED = 3, 15_000, 150, 3
COMPILE_S, JOIN_S = 120, 300
JOINED = ("events", "transitions", "current", "current_devices")


async def publish(address: str) -> tuple[str, str, dict[str, int]]:
    """Has agents process a shop's events.

    Returns the app, the table of customers, and how many keys each topic has.
    """
    app, where = topics.new_name(), Cluster(address)
    customers, config = f"{app}.customers", {"cleanup.policy": "compact"}
    table = NewTopic(customers, PARTITIONS, 1, topic_configs=config)
    await topics.create([*topics.new_topics(app, PARTITIONS), table], address)
    shop, now_ms = Shop(SEED, 100, PEOPLE), time.time_ns() // 1_000_000
    made = [record for record in (shop.next(now_ms - 10 * (EVENTS - n)) for n in range(EVENTS)) if record.key]
    producer = where.producer()
    await start(producer, where, "no broker answers")
    # The client chooses the partitions. Customers are older than all events, so a join knows them first.
    sent = [await producer.send(customers, b"{}", key, timestamp_ms=1) for key in {key for key, _ in made}]
    sent += [await producer.send(f"{app}.events", value, key) for key, value in made]
    await asyncio.gather(*sent)
    await stop(producer)

    log = await KafkaLog.connect(where, app, [f"{app}.events"])
    for number in range(PARTITIONS):
        agent = await PartitionAgent.open(log, number, Settings(), rules.default_rules())
        await agent.catch_up()
        assert not agent.processor.checkpoint.counts.forwarded, "an event is not where its person lives"
        await agent.close()
    keys = {name: {record.key async for _, record in log.scan(name)} for name in JOINED[1:]}
    await log.close()
    return (
        app,
        customers,
        {"events": len({key for key, _ in made}), **{name: len(of) for name, of in keys.items()}},
    )


def joined(
    address: str, app: str, customers: str, keys: dict[str, int]
) -> Iterable[tuple[str, int, int, int]]:
    """Of each topic: its name, and how many keys found their customer, were seen, and there are."""
    libraries = fetched(HERE / "pom.xml", LIBRARIES)
    with tempfile.TemporaryDirectory() as directory:
        path = f"{libraries}/*"
        compiled = ["javac", "-cp", path, "-d", directory, str(HERE / "Joins.java")]
        subprocess.run(compiled, timeout=COMPILE_S, check=True)
        given = [address, app, customers, f"{directory}/state", *(f"{name}={n}" for name, n in keys.items())]
        command = ["java", "-Xmx512m", "-cp", f"{directory}:{path}", "Joins", *given]
        done = subprocess.run(command, timeout=JOIN_S, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        name, matched, seen, count = line.split()
        yield name, int(matched), int(seen), int(count)


def main() -> int:
    """Prints a line for each topic."""
    for tool in ("javac", "mvn"):
        if shutil.which(tool) is None:
            print(f"NOT TESTED: there is no {tool}")
            return 2
    try:
        brokers = cluster(1)
        fetched(HERE / "pom.xml", LIBRARIES)
    except Missing as why:
        print(f"NOT TESTED: {why}")
        return 2
    silence_client()
    address, missed = brokers.nodes[0].address, 0
    try:
        app, customers, keys = asyncio.run(publish(address))
        for name, matched, seen, count in joined(address, app, customers, keys):
            print(f"{name}: {matched} of {count} keys found their customer")
            missed += matched != count or seen != count
    finally:
        brokers.end()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
