"""The product's own agents over a real broker, on a real shop's events: replaced in mid-run, and exact."""

import time

import pytest

from streams import files
from streams.agent import Agent
from streams.embedded import rows_of
from streams.errors import Fenced
from streams.ingest.partition import key_of, partition_of
from streams.log.kafka import KafkaLog
from streams.log.kafka_client import Cluster
from streams.moments import rules
from streams.reports.funnel import funnel
from streams.settings import Settings
from streams.verify import verify
from tests.contract.looking import input_ends
from tests.end_to_end import shop
from tests.kafka import topics
from tests.kafka.broker import bootstrap

PARTITIONS = 2
MAPPING = {"anonymousId": "client_id", "event": "event", "timestamp": "timestamp"}


async def test_a_replaced_agent_is_fenced_and_the_numbers_are_exact() -> None:
    """The first agents are left in mid-run, as if frozen; others take over; the first wake up, are told so, and nothing of theirs counts."""
    app, settings, read_by = topics.new_app(PARTITIONS), Settings(batch=1_000), rules.load(shop.RULES.read_text("utf-8"), base=rules.default())
    cluster = Cluster(bootstrap())
    log = await KafkaLog.connect(cluster, app, [f"{app}.events"])
    assert log.partitions == PARTITIONS
    now = time.time_ns() // 1_000_000
    records = list(files.records(files.lines(shop.FILE), rows_of("csv", MAPPING)))
    await log.append([(partition_of(key_of(value) or b"", PARTITIONS), None, value, now, headers) for value, headers in records])

    first = [await Agent.open(log, number, settings, read_by) for number in range(PARTITIONS)]
    for agent in first:
        for _ in range(4):
            assert await agent.step() == 1_000
    other = await KafkaLog.connect(cluster, app, [f"{app}.events"])
    second = [await Agent.open(other, number, settings, read_by) for number in range(PARTITIONS)]
    assert [agent.pipeline.checkpoint.offset for agent in second] == [4_000, 4_000]
    for agent in second:
        await agent.step()
    for agent in first:
        with pytest.raises(Fenced):
            await agent.step()
    await log.close()

    for agent in second:
        await agent.catch_up()
    assert [agent.pipeline.checkpoint.offset for agent in second] == await input_ends(other)
    mark = max(agent.pipeline.population.mark for agent in second)
    for agent in second:
        await agent.catch_up(mark)

    found = await funnel(other)
    rows = shop.rows()
    assert found.events.received == len(records) == len(rows)
    assert found.profiles_converted == len({client for client, event, _ in rows if event == "payment_done"}) == 472
    verified = await verify(other, lambda done, total: None)
    assert verified.difference is None
    assert verified.records == len(records)
    await other.close()
