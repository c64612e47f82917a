"""What only a broker can do to a follower."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.errors import Refused
from streams.records import Output
from tests.contract.looking import batch, fill, scanned
from tests.kafka import topics

PARTITIONS = 6


async def test_who_was_away_while_age_deleted_records_reads_anew() -> None:
    """A position before the first record that there still is."""
    log = topics.log(topics.new_app(1), 1)
    await fill(log, [b"%d" % number for number in range(10)])
    assert await scanned(log, "events")
    first = await log.tail("events", 0, None, 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=log.cluster.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(log.topic("events"), 0): RecordsToDelete(before_offset=5)})
    await admin.close()
    other = topics.log(log.app, 1)  # without what was fetched before
    tail = await other.tail("events", 0, first.position)
    assert (tail.anew, [record.offset for record in tail.records]) == (True, [5, 6, 7, 8, 9])
    again = await other.tail("events", 0, tail.position)
    assert (again.anew, list(again.records)) == (False, [])
    await other.close()
    await log.close()


async def test_a_topic_whose_tombstones_go_at_once_cannot_be_followed() -> None:
    """The message names the setting."""
    app = topics.new_name()
    new = topics.new_topics(app, 1)
    for topic in new:
        if topic.name == f"{app}.current":
            topic.topic_configs["delete.retention.ms"] = "0"
    await topics.create(new)
    log = topics.log(app, 1)
    first = await log.tail("current", 0)
    with pytest.raises(Refused, match=r"delete\.retention\.ms=0.*set at least 60000"):
        await log.tail("current", 0, first.position)
    await log.close()


async def test_many_partitions_are_followed_at_once() -> None:
    """Each of them whole and in order, although a partition that is new
    to the follower interrupts the others.
    """
    log = topics.log(topics.new_app(PARTITIONS), PARTITIONS)
    values = [b"%d" % number for number in range(300)]

    async def write(number: int) -> None:
        session = await log.open(number)
        for at in range(0, len(values), 30):
            outputs = [Output("transitions", None, value) for value in values[at : at + 30]]
            await session.commit(batch(b"c", outputs))

    async def follow(number: int) -> list[bytes | None]:
        await asyncio.sleep(number / 20)
        found: list[bytes | None] = []
        position = None
        while len(found) < len(values):
            tail = await log.tail("transitions", number, position, 7)
            found += [record.value for record in tail.records]
            position = tail.position
        return found

    writing = [asyncio.create_task(write(number)) for number in range(PARTITIONS)]
    assert await asyncio.gather(*(follow(number) for number in range(PARTITIONS))) == [values] * PARTITIONS
    await asyncio.gather(*writing)
    await log.close()


async def test_a_tail_that_is_cancelled_loses_nothing() -> None:
    """The next one, from the same position, gives the same records."""
    log = topics.log(topics.new_app(1), 1)
    first = await log.tail("events", 0)
    waiting = asyncio.create_task(log.tail("events", 0, first.position))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    await fill(log, [b"a", b"b"])
    found: list[bytes | None] = []
    position = first.position
    while len(found) < 2:
        tail = await log.tail("events", 0, position, 1)
        found += [record.value for record in tail.records]
        position = tail.position
    assert found == [b"a", b"b"]
    await log.close()
