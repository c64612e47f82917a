"""However the use of a client ends, it ends alone and leaves nothing behind."""

import asyncio
import gc
import warnings

import pytest
from aiokafka import TopicPartition

from streams.log.kafka.client import Cluster
from streams.log.kafka.lifecycle import stop
from streams.log.kafka.quirks import inner_client, own_tasks
from streams.log.kafka.session import KafkaSession
from tests.contract.looking import full_batch
from tests.kafka import topics
from tests.kafka.broker import end, our_own, start

WORKED_S = 2.0  # a cancelled task has closed its clients by then, on a busy machine too


async def test_a_client_whose_broker_is_gone_is_stopped() -> None:
    """A consumer that is waiting to ask again ends silently: whoever stops
    it is not cancelled by that, and goes on.
    """
    our_own()
    address, process = start()
    app = topics.new_name()
    await topics.create(topics.new_topics(app, 1), address)
    consumer = Cluster(address).consumer()
    await consumer.start()
    tp = TopicPartition(f"{app}.events", 0)
    consumer.assign([tp])
    consumer.seek(tp, 0)
    await consumer.getmany(timeout_ms=100)
    end(process)
    for _ in range(3):
        await consumer.getmany(timeout_ms=200)
    await stop(consumer)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def _agent(session: KafkaSession) -> None:
    try:
        for _ in range(1_000):
            await session.commit(full_batch(b"1"))
    finally:
        await session.close()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "while it closes too"])
@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005], ids=str)
async def test_a_session_that_is_killed_in_a_commit_leaves_nothing(after_s: float, times: int) -> None:
    """No open connection, no task that goes on, and no warning when the garbage is collected."""
    log = topics.log(topics.new_app(1), 1)
    session = await log.open(0)
    clients = [session._producer, session._consumer]

    working = asyncio.create_task(_agent(session))
    await asyncio.sleep(0.05 + after_s)
    for _ in range(times):
        working.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({working}, timeout=WORKED_S)
    assert working.done()
    await asyncio.sleep(0.01)
    assert [task for client in clients for task in own_tasks(client)] == []
    assert [
        found for client in clients for found in inner_client(client)._conns.values() if found.connected()
    ] == []
    await log.close()
    # Their last references: only then would they warn.
    del session, clients, working, log
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        gc.collect()
    assert found == []
