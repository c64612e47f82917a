"""verify on a real broker: beside agents at work, and where records were really deleted."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.verify import Verified, verify
from streams.records import Batch, NewRecord, Output
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.cli.running import process
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.queries.test_slices import checked
from tests.reading import key_of

PARTITIONS = 2
NAMES = (
    "Product Viewed",
    "Product Added",
    "Store Located",
    "Order Completed",
    "Page Closed",
    "Order Refunded",
)


def visits(seed: int, count: int, people: int) -> list[bytes]:
    """Events of people, in disorder, with copies; they end now."""
    rnd, now_s = random.Random(seed), time.time()
    found = []
    for number in range(count):
        at_s = now_s - 3_600 + number * 3_500 / count - rnd.choice((0, 0, 0, 60, 600, 200_000))
        found.append(
            json.dumps(
                {
                    "type": "track",
                    "messageId": f"m{rnd.randrange(count)}",
                    "userId": f"p{rnd.randrange(people)}",
                    "event": rnd.choice(NAMES),
                    "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s)),
                }
            ).encode()[: None if rnd.random() > 0.02 else 30]
        )
    return found


async def send(log: KafkaLog, values: list[bytes], *, keyed: bool = True) -> None:
    """To the partitions of their people, or to any."""
    now_ms = time.time_ns() // 1_000_000
    await log.append(
        [
            NewRecord(
                partition_of(key_of(value), PARTITIONS) if keyed else number % PARTITIONS, None, value, now_ms
            )
            for number, value in enumerate(values)
        ]
    )


async def connected(app: str) -> KafkaLog:
    return await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])


async def opened(log: KafkaLog, batch: int) -> list[PartitionAgent]:
    settings, rules = Settings(batch=batch), default_rules()
    return [await PartitionAgent.open(log, number, settings, rules) for number in range(PARTITIONS)]


async def caught_up(log: KafkaLog, agents: list[PartitionAgent], items: int) -> None:
    """Steps until all of these items are processed."""
    async with asyncio.timeout(120):
        while sum(agent.processor.checkpoint.counts.received for agent in agents) < items:
            for agent in agents:
                await agent.step()


async def verified(log: KafkaLog) -> Verified:
    return await verify(log, lambda done, total: None)


async def delete(topic: str, share: float) -> None:
    """Deletes this share of each partition of a topic, as retention would."""
    consumer = Cluster(bootstrap()).consumer()
    await consumer.start()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap())
    await admin.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = await consumer.end_offsets(tps)
        await admin.delete_records({tp: RecordsToDelete(int(end * share)) for tp, end in ends.items()})
    finally:
        await admin.close()
        await consumer.stop()


async def test_agents_at_work_make_no_difference() -> None:
    """It compares what belongs to one checkpoint of each partition, however often it asks."""
    app = topics.new_app(PARTITIONS)
    log, reading = await connected(app), await connected(app)
    agents, done = await opened(log, 7), asyncio.Event()
    values = visits(1, 6_000, 300)
    await send(log, values[:500], keyed=False)

    async def work() -> None:
        sent = 500
        while not done.is_set():
            if sent < len(values):
                await send(log, values[sent : sent + 50], keyed=False)
                sent += 50
            for agent in agents:
                await agent.step()

    working = asyncio.create_task(work())
    found: list[Verified] = []
    try:
        async with asyncio.timeout(180):
            while len(found) < 12:
                await asyncio.sleep(0.1)
                if any(await reading.checkpoints()):
                    found.append(await verified(reading))
    finally:
        done.set()
        await working
    assert [None] * len(found) == [one.difference for one in found]
    assert found[0].records < found[-1].records, "nothing went on meanwhile"
    assert [0] * len(found) == [one.unchecked_profiles for one in found]
    await reading.close()
    await log.close()


async def test_deleted_records(tmp_path: Path) -> None:
    """Of the input, of what was forwarded, of transitions: people with a whole history are compared, the rest
    is not checked, and the command says so.
    """
    app = topics.new_app(PARTITIONS)
    log = await connected(app)
    agents = await opened(log, 100)
    values = visits(2, 3_000, 900)
    await send(log, values, keyed=False)
    await caught_up(log, agents, len(values))
    whole = await verified(log)
    assert (None, 0, ()) == (whole.difference, whole.unchecked_profiles, tuple(whole.cut))
    await delete(f"{app}.events", 0.4)
    await delete(f"{app}.inbox", 0.4)
    some = await verified(log)
    assert some.difference is None
    assert 0 < some.profiles < whole.profiles
    assert some.unchecked_profiles > 0
    assert {"events", "inbox"} == {name.partition(":")[0].rpartition(".")[2] for name in some.cut}

    arguments: list[Any] = ["--kafka", bootstrap(), "--app", app]
    metrics = tmp_path / "verify.prom"
    asked = process("verify", *arguments, "--metrics-file", metrics)
    stdout, stderr = await asyncio.to_thread(asked.communicate)
    assert asked.returncode == 0, stderr
    assert f"not checked: {some.unchecked_profiles} profiles" in stdout.decode()
    assert f'streams_verify_equal{{app="{app}"}} 1.0' in metrics.read_text()
    assert (
        f'streams_verify_people{{app="{app}",checked="no"}} {some.unchecked_profiles}.0'
        in metrics.read_text()
    )

    await delete(f"{app}.transitions", 0.9)
    little = await verified(log)
    assert little.difference is None
    assert 0 == little.profiles, "all of it was written this minute"
    assert little.unchecked_counters > some.unchecked_counters
    await log.close()


@pytest.mark.parametrize("topic", ["transitions", "tallies", "late"])
async def test_a_damage_is_found(topic: str) -> None:
    """A transition or a late record that is there twice, a counter that is off by one: in one slice and in
    several.
    """
    app = topics.new_app(1)
    log = await connected(app)
    agent = await PartitionAgent.open(log, 0, Settings(batch=100), default_rules())
    now_ms = time.time_ns() // 1_000_000
    await log.append([NewRecord(0, None, value, now_ms) for value in visits(3, 600, 80)])
    await caught_up(log, [agent], 600)
    assert (await verified(log)).difference is None
    session = await log.open(0)
    checkpoint, _ = await session.restore()
    stored = [record async for _, record in log.scan(topic)]
    record = next(record for record in stored if b'"count":0,' not in (record.value or b""))
    value = (record.value or b"").replace(b'"count":', b'"count":1') if topic == "tallies" else record.value
    forged = Output(topic, record.key, value, record.headers)
    await session.commit(Batch([forged], [], checkpoint or b""))
    for slices in (1, 5):
        _, difference = await checked(log, slices)
        assert difference is not None
        assert {"transitions": "transition", "tallies": "counter", "late": "late"}[topic] in difference
    await log.close()
