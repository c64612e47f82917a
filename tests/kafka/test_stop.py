"""Stopping a client is nobody's cancellation."""

import asyncio

from aiokafka import TopicPartition

from streams.log.kafka.client import Cluster, stop
from tests.kafka import topics
from tests.kafka.broker import end, our_own, start


async def test_a_client_whose_broker_is_gone_is_stopped() -> None:
    """A consumer that is waiting to ask again ends without a word: whoever stops it is not cancelled by that, and goes on."""
    our_own()
    address, process = start()
    app = topics.new_name()
    await topics.create(topics.new_topics(app, 1), address)
    consumer = Cluster(address).consumer()
    await consumer.start()
    place = TopicPartition(f"{app}.events", 0)
    consumer.assign([place])
    consumer.seek(place, 0)
    await consumer.getmany(timeout_ms=100)
    end(process)
    for _ in range(3):
        await consumer.getmany(timeout_ms=200)
    await stop(consumer)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
