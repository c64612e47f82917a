"""The product's own agents over a real broker, on a real shop's events: replaced in mid-run, and exact."""

import asyncio
import time

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.core.ingest.partition import partition_of
from streams.core.moments import rules
from streams.errors import Fenced
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import applied
from streams.log.kafka.topics.model import WantedTopics
from streams.queries.funnel import read_funnel
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.agents import catch_up
from tests.contract.looking import input_ends
from tests.end_to_end import shop
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.waiting import WAIT_S
from tests.reading import key_of

PARTITIONS = 2


async def test_a_replaced_agent_is_fenced_and_the_numbers_are_exact() -> None:
    """The first agents are left in mid-run, as if frozen; others take over; the first wake up,
    get an error, and nothing of theirs counts.
    """
    app, settings, read_by = (
        topics.new_app(PARTITIONS),
        Settings(batch=1_000),
        rules.load_rules(shop.RULES.read_text("utf-8")),
    )
    cluster = Cluster(bootstrap())
    log = await KafkaLog.connect(cluster, app, [f"{app}.events"])
    assert log.partitions == PARTITIONS
    now = time.time_ns() // 1_000_000
    values = shop.calls()
    await log.append(
        [NewRecord(partition_of(key_of(value), PARTITIONS), None, value, now) for value in values]
    )

    first = [await PartitionAgent.open(log, number, settings, read_by) for number in range(PARTITIONS)]
    for agent in first:
        for _ in range(4):
            assert (await agent.step()).records == 1_000
    other = await KafkaLog.connect(cluster, app, [f"{app}.events"])
    second = [await PartitionAgent.open(other, number, settings, read_by) for number in range(PARTITIONS)]
    taken = [agent.processor.checkpoint.offset for agent in first]
    assert [agent.processor.checkpoint.offset for agent in second] == taken
    assert min(taken) > 3_900  # the rest are what they report to each other
    for agent in second:
        await agent.step()
    for agent in first:
        with pytest.raises(Fenced):
            await agent.step()
    await log.close()

    await catch_up(second)
    assert [agent.processor.checkpoint.offset for agent in second] == await input_ends(other)
    await catch_up(second, max(agent.processor.population.watermark_ms for agent in second))

    found = await read_funnel(other)
    rows = shop.rows()
    assert found.events.received == len(values) == len(rows)
    assert (
        found.profiles_converted
        == len({client for client, event, _ in rows if event == "payment_done"})
        == 472
    )
    verified = await verify(other, lambda done, total: None)
    assert verified.difference is None
    assert verified.records == len(values)
    await other.close()


async def test_an_input_that_has_grown_is_read_on() -> None:
    """By agents that are opened anew: people who are in another partition of it now are the
    same people, and each event counts once.
    """
    app, settings, read_by, people = (
        topics.new_app(PARTITIONS),
        Settings(),
        rules.default_rules(),
        [f"u{number}" for number in range(20)],
    )
    cluster, events = Cluster(bootstrap()), f"{app}.events"
    producer = cluster.producer()
    await producer.start()

    async def live(partitions: int, day: int) -> KafkaLog:
        """All of them do something, in that many partitions; agents read it to its end."""
        for who in people:
            await producer.send_and_wait(
                events, viewed(who, day), who.encode(), partition=partition_of(who.encode(), partitions)
            )
        log = await KafkaLog.connect(cluster, app, [events])
        assert log.partitions == PARTITIONS
        agents = [await PartitionAgent.open(log, number, settings, read_by) for number in range(PARTITIONS)]
        async with asyncio.timeout(WAIT_S):
            while sum(agent.processor.checkpoint.counts.received for agent in agents) < day * len(people):
                for agent in agents:
                    await agent.step()
        return log

    await (await live(PARTITIONS, 1)).close()
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    await admin.create_partitions({events: NewPartitions(PARTITIONS + 1)})
    await admin.close()
    async with asyncio.timeout(WAIT_S):
        while len(await producer.partitions_for(events)) <= PARTITIONS:
            await producer.client.force_metadata_update()
    log = await live(PARTITIONS + 1, 2)
    found = await read_funnel(log)
    assert (found.events.received, found.events.applied, found.profiles, found.journeys.opened) == (
        40,
        40,
        20,
        20,
    )
    assert (await verify(log, lambda done, total: None)).difference is None
    await log.close()
    await producer.stop()


def viewed(who: str, day: int) -> bytes:
    message = {
        "type": "track",
        "messageId": f"{who} {day}",
        "userId": who,
        "event": "Product Viewed",
        "timestamp": f"2024-05-0{day}T12:00:00Z",
    }
    return msgspec.json.encode(message)


async def test_the_largest_records_fit_their_topics() -> None:
    """In topics as `topics apply` makes them: the largest event is forwarded and counted; what
    is as large and no event is one rejection.
    """
    app, cluster = topics.new_name(), Cluster(bootstrap())
    await applied(cluster, WantedTopics(app, [f"{app}.clicks"], partitions=PARTITIONS, create_inputs=True))
    log = await KafkaLog.connect(cluster, app, [f"{app}.clicks"])
    event = (
        b'{"type":"track","messageId":"%d","userId":"%d","event":"Product Viewed",'
        b'"timestamp":"2026-03-01T10:00:00Z","properties":{"text":"%s"}}'
    )
    large = [event % (n, n, b"x" * 1_000_000) for n in range(1, 5)]
    now = time.time_ns() // 1_000_000
    await log.append([NewRecord(0, None, value, now) for value in (*large, b"\xff" * 1_000_000)])
    agents = [
        await PartitionAgent.open(log, number, Settings(), rules.default_rules())
        for number in range(PARTITIONS)
    ]
    await catch_up(agents)
    counts = [agent.processor.checkpoint.counts for agent in agents]
    assert (4, 1, 5) == (
        sum(c.applied for c in counts),
        sum(c.rejected for c in counts),
        sum(c.received for c in counts),
    )
    assert (
        sum(c.forwarded for c in counts)
        == sum(partition_of(b"%d" % n, PARTITIONS) != 0 for n in range(1, 5))
        > 0
    )
    ((_, rejected),) = [entry async for entry in log.scan("rejected")]
    assert (len(rejected.value or b""), dict(rejected.headers)["cut"]) == (64 * 1024, b"true")
    await log.close()
