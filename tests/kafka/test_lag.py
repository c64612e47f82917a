"""`streams lag` on a cluster, asked as a person would."""

import asyncio

import orjson
import pytest

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.cli.running import event, streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap

PARTITIONS = 2


async def test_it_shows_what_is_not_processed_yet() -> None:
    """Before, between and after: position, end and lag of each partition, in records,
    though transactions leave marks that are none.
    """
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    people = ["ann", "bob", "cid", "dan"]
    records = [
        NewRecord(partition_of(who.encode(), PARTITIONS), who.encode(), viewed(who), -1) for who in people
    ]
    await log.append(records)
    assert ([None, None], 4) == await asked(app)
    agents = [
        await PartitionAgent.open(log, number, Settings(), default_rules()) for number in range(PARTITIONS)
    ]
    for agent in agents:
        await agent.catch_up()
    await log.append(records[:1])
    counts = [sum(record.partition == number for record in records) for number in range(PARTITIONS)]
    assert (counts, 1) == await asked(app)
    for agent in agents:
        await agent.catch_up()
    assert 0 == (await asked(app))[1]
    await log.close()


def viewed(who: str) -> bytes:
    return orjson.dumps(event(who, "Product Viewed", "10:00:00"))


async def asked(app: str) -> tuple[list[int | None], int]:
    """Positions in the input by partition, and the lag of all."""
    result = await asyncio.to_thread(
        streams, "lag", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events", "--json"
    )
    assert 0 == result.exit_code, result.stderr
    found = orjson.loads(result.stdout)
    inputs = [
        source
        for part in found["partitions"]
        for source in part["sources"]
        if source["source"].startswith(app)
    ]
    assert found["lag"] == sum(source["lag"] for part in found["partitions"] for source in part["sources"])
    return [source["position"] for source in inputs], found["lag"]


def test_a_table_for_people() -> None:
    """A row per partition and source, and a total."""
    app = topics.new_app(PARTITIONS)
    result = streams("lag", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events")
    assert 0 == result.exit_code, result.stderr
    rows = result.stdout.splitlines()
    assert 1 + 2 * PARTITIONS + 1 <= len(rows) <= 1 + 2 * PARTITIONS + 2
    assert f"{app}.events:1" in result.stdout
    assert rows[-1].split()[:2] == ["total", "0"]


def test_an_app_that_does_not_exist_is_a_wrong_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which topics are missing; a cluster that does not answer has an exit code of its own."""
    result = streams("lag", "--kafka", bootstrap(), "--app", "no-such-app", "--input", "no-such-topic")
    assert 2 == result.exit_code
    assert "no-such-topic" in result.stderr
    monkeypatch.setenv("STREAMS_KAFKA__START_TIMEOUT", "1s")
    assert 5 == streams("lag", "--kafka", "127.0.0.1:1", "--app", "a", "--input", "b").exit_code
