import json
import signal
import time

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from streams.cli.generate import due
from streams.core.ingest.partition import partition_of
from streams.log.kafka.client import Cluster
from streams.log.kafka.lifecycle import start, stop
from tests.cli.running import TIMEOUT_S, process, streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap

PARTITIONS = 3


async def written(topic: str) -> list[tuple[int, bytes | None, bytes]]:
    """All records of a topic: partition, key, value."""
    consumer = Cluster(bootstrap()).consumer()
    await start(consumer, Cluster(bootstrap()), "cannot be read")
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: list[tuple[int, bytes | None, bytes]] = []
        while len(found) < sum(ends.values()):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [(place.partition, record.key, record.value) for record in records]
        return found
    finally:
        await stop(consumer)


def new_topic() -> str:
    name = topics.new_name()
    topics.elsewhere(topics.create([NewTopic(name, PARTITIONS, 1)]))
    return name


async def test_events_reach_the_partition_of_their_person() -> None:
    """As many as were asked for, each keyed by the id in it and where a Java
    client would have put it; their times are now.
    """
    topic, began = new_topic(), time.time()
    running = process(
        "generate", "--kafka", bootstrap(), "--input", topic, "--rate", 5_000, "--events", 1_500, "--seed", 1
    )
    _, message = running.communicate(timeout=TIMEOUT_S)
    assert 0 == running.returncode, message
    assert b"1,500 events written" in message
    found = await written(topic)
    assert 1_500 == len(found)
    assert set(range(PARTITIONS)) == {partition for partition, _, _ in found}
    for partition, key, value in found:
        if key is not None:
            record = json.loads(value)
            assert key.decode() == record.get("userId", record["anonymousId"])
            assert partition == partition_of(key, PARTITIONS)
    newest = max(json.loads(value)["timestamp"] for _, key, value in found if key)
    assert (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
        <= newest
        <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
    )


def test_it_stops_on_a_signal() -> None:
    """SIGTERM ends it between two writes, and it says how many it wrote."""
    running = process("generate", "--kafka", bootstrap(), "--input", new_topic(), "--rate", 50)
    assert running.stderr is not None
    line = running.stderr.readline()
    assert b"writing 50 events/s" in line, line
    running.send_signal(signal.SIGTERM)
    _, rest = running.communicate(timeout=TIMEOUT_S)
    assert 143 == running.returncode
    assert b"written into" in rest


def test_a_topic_that_does_not_exist_is_a_wrong_command() -> None:
    """It makes none: how many partitions it has is yours to say."""
    result = streams("generate", "--kafka", bootstrap(), "--input", "no-such-topic", "--events", 1)
    assert 2 == result.exit_code
    assert "there is no topic no-such-topic" in result.stderr


@pytest.mark.parametrize(
    ("elapsed_s", "rate", "sent", "events", "expected"),
    [
        (0.0, 200, 0, None, 0),
        (0.001, 200, 0, None, 1),
        (0.1, 200, 0, None, 20),
        (0.1, 200, 20, None, 0),
        (0.1, 0.5, 0, None, 1),
        (1.9, 0.5, 1, None, 0),
        (60.0, 200, 400, None, 200),
        (60.0, 200, 400, 450, 50),
        (60.0, 200, 450, 450, 0),
    ],
)
def test_what_is_due(elapsed_s: float, rate: float, sent: int, events: int | None, expected: int) -> None:
    """`rate` a second from the beginning on, at most a second's worth
    at once, and no more than was asked for.
    """
    assert expected == due(elapsed_s, rate, sent, events)
