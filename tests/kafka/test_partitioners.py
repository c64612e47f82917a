"""Events that librdkafka's `murmur2_random` has put into partitions, and outputs that its hash finds."""

import time

import msgspec
from confluent_kafka import Message, Producer

from streams.core.moments import rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.cell_table import CellSum, CellTable
from streams.queries.tallies import read_all_time_tallies
from streams.queries.verify import verify
from streams.queries.views.feeding import ViewFeed
from streams.queries.views.health import HealthView
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.generator import Shop
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.test_generate import new_topic

PARTITIONS = 3  # as many as `new_topic` makes
EVENTS, PEOPLE = 2_000, 60
FLUSH_S = 60
LOOKS = 1_000  # at topics that are written to no more; one waits a tenth of a second where nothing comes
PERSONAL = ("transitions", "current", "current_devices", "late")


class Sent:
    """What librdkafka wrote, and where."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.places: list[tuple[bytes, bytes, int, int]] = []  # key, value, partition, offset
        self._producer = Producer(
            {"bootstrap.servers": bootstrap(), "partitioner": "murmur2_random", "broker.address.family": "v4"}
        )

    def send(self, key: bytes, value: bytes) -> None:
        self._producer.produce(self.topic, value, key, on_delivery=self._delivered)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(FLUSH_S) == 0

    def _delivered(self, error: object, message: Message) -> None:
        assert error is None, error
        key, value, partition, offset = message.key(), message.value(), message.partition(), message.offset()
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        assert partition is not None
        assert offset is not None
        self.places.append((key, value, partition, offset))


def by_name(cells: list[CellSum]) -> dict[str, int]:
    """Counters by all that they are called."""
    return {repr(msgspec.structs.replace(cell, count=0)): cell.count for cell in cells}


async def test_librdkafka_agrees_on_where_people_live() -> None:
    """No event that it keyed by the bare id is forwarded; a look-up by its hash finds all about a person; and
    the headers of a transition name the place at which it delivered the event.
    """
    app, settings = topics.new_app(PARTITIONS), Settings(identity={"on": False})
    events = Sent(f"{app}.events")
    shop, now_ms = Shop(7, 100, PEOPLE), time.time_ns() // 1_000_000
    made = [record for record in (shop.next(now_ms - 10 * (EVENTS - n)) for n in range(EVENTS)) if record.key]
    for key, value in made:
        events.send(key, value)
    events.flush()

    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    agents = [
        await PartitionAgent.open(log, number, settings, rules.default_rules())
        for number in range(PARTITIONS)
    ]
    for agent in agents:
        await agent.catch_up()
    counts = [agent.processor.checkpoint.counts for agent in agents]
    assert (len(made), 0) == (sum(c.received for c in counts), sum(c.forwarded for c in counts))
    assert not any(agent.processor.tracker.forwarding for agent in agents)

    stored = {(events.topic, n, offset): msgspec.json.decode(value) for _, value, n, offset in events.places}
    found: dict[bytes, set[int]] = {}
    with_headers = 0
    for name in PERSONAL:
        async for number, record in log.scan(name):
            found.setdefault(record.key or b"", set()).add(number)
            headers = {key: value.decode() for key, value in record.headers}
            if "source-topic" in headers:
                place = (
                    headers["source-topic"],
                    int(headers["source-partition"]),
                    int(headers["source-offset"]),
                )
                assert stored[place]["messageId"] == msgspec.json.decode(record.value or b"")["event"]
                with_headers += 1
    assert with_headers
    assert found.keys() <= {key for key, _ in made}
    looked_up = Sent(new_topic())
    for key in found:
        looked_up.send(key, b"")
    looked_up.flush()
    assert {key: {partition} for key, _, partition, _ in looked_up.places} == found

    # The read model follows the same topics, and says what a question that scans them says.
    for agent in agents:
        await agent.show_progress()
    cells, health, counted = CellTable(), HealthView(PARTITIONS), by_name(await read_all_time_tallies(log))
    feed = ViewFeed(log, [cells, health])
    for _ in range(LOOKS):
        await feed.read()
        received = sum(progress.received for progress in health.progress.values())
        if (len(made), counted) == (received, by_name(cells.sums())):
            break
    else:
        raise AssertionError("the read model never said what the topics say")
    assert (await verify(log, lambda done, total: None)).difference is None
    await log.close()
