"""`streams lag` on a cluster, asked as a person would."""

import asyncio
from datetime import datetime
from typing import Any

import orjson
import pytest

from docs.generate import HERE
from streams.clock import Clock
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
HIDDEN = 30


async def test_it_shows_what_is_not_processed_yet() -> None:
    """Before, between and after: position, end and lag of each partition, in records,
    though transactions leave marks that are none. (With identity on, partitions also report to each other.)
    """
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    people = ["ann", "bob", "cid", "dan"]
    records = [
        NewRecord(partition_of(who.encode(), PARTITIONS), who.encode(), viewed(who), -1) for who in people
    ]
    await log.append(records)
    assert ([None, None], 4) == await asked(app, "--input", f"{app}.events")
    given = Settings(identity={"on": False})
    agents = [await PartitionAgent.open(log, number, given, default_rules()) for number in range(PARTITIONS)]
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


async def asked(app: str, *options: str) -> tuple[list[int | None], int]:
    """Positions in the input by partition, and the lag of all. Without options, nobody names the input."""
    result = await asyncio.to_thread(streams, "lag", "--kafka", bootstrap(), "--app", app, *options, "--json")
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


def test_an_input_that_does_not_exist() -> None:
    """It is named (2), and nothing is advised that has to do with making topics."""
    app = topics.new_app(PARTITIONS)
    given = ("--input", f"{app}.events", "--input", "nope")
    result = streams("lag", "--kafka", bootstrap(), "--app", app, *given)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--input nope: there is no such topic" in result.stderr
    assert "create" not in result.stderr


def test_an_app_that_has_not_begun() -> None:
    """Nothing says what it will read, and the message says how to ask all the same (2)."""
    app = topics.new_app(PARTITIONS)
    result = streams("lag", "--kafka", bootstrap(), "--app", app)
    assert 2 == result.exit_code
    assert f"no worker of app {app} has run yet" in result.stderr
    assert "--input TOPIC" in result.stderr


async def test_records_behind_an_open_transaction_are_no_zero() -> None:
    """What a collector has not committed yet is shown at once: how many records, since when, and whose
    transaction it is. Whether they count is open until it ends, so the lag is unknown.
    """
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    await log.append([NewRecord(0, b"ann", viewed("ann"), -1)])
    collector = Cluster(bootstrap()).producer(f"{app}-collector")
    await collector.start()
    before_ms = Clock().wall_ms()
    await collector.begin_transaction()
    for number in range(HIDDEN):
        await collector.send(f"{app}.events", viewed(f"bob{number}"), b"bob", partition=1)
    await collector.flush()
    arguments = ("lag", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events")

    result = await asyncio.to_thread(streams, *arguments, "--json")
    assert 0 == result.exit_code, result.stderr
    found = orjson.loads(result.stdout)
    first, second = (part["sources"][0] for part in found["partitions"])
    assert (1, None) == (first["lag"], first["hidden"])
    assert (None, None, HIDDEN) == (found["lag"], second["lag"], second["hidden"]["records"])
    assert (f"{app}-collector", 0) == (second["hidden"]["transaction"], second["hidden"]["first"])
    assert keys(documented()) == keys({**found, "partitions": found["partitions"][1:]})
    since_ms = datetime.fromisoformat(second["hidden"]["since"]).timestamp() * 1000
    assert before_ms - 1 <= since_ms <= Clock().wall_ms()

    result = await asyncio.to_thread(streams, *arguments)
    shown = " ".join(result.stdout.split())
    assert f"{HIDDEN:,} records of {app}.events:1 wait behind a transaction that has been open since" in shown
    assert f"(transactional id {app}-collector, offset 0)" in shown
    assert "unknown" in result.stdout

    await collector.commit_transaction()
    await collector.stop()
    assert ([None, None], 1 + HIDDEN) == await asked(app, "--input", f"{app}.events")
    await log.close()


def documented() -> Any:
    """The object that docs/cli.md shows."""
    page = (HERE / "cli.md").read_text("utf-8").split("**`streams lag --json`**")[1]
    return orjson.loads(page.split("```json\n")[1].split("```")[0])


def keys(value: Any) -> Any:
    """The names of everything in a JSON value, of the first of each list."""
    if isinstance(value, list):
        return keys(value[0]) if value else None
    return {name: keys(part) for name, part in value.items()} if isinstance(value, dict) else None


def test_an_app_that_does_not_exist_is_a_wrong_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which topics are missing; a cluster that does not answer has an exit code of its own."""
    result = streams("lag", "--kafka", bootstrap(), "--app", "no-such-app", "--input", "no-such-topic")
    assert 2 == result.exit_code
    assert "no-such-topic" in result.stderr
    result = streams("lag", "--kafka", bootstrap(), "--app", "no-such-app")
    assert (2, True) == (result.exit_code, "there is no app no-such-app on" in result.stderr)
    monkeypatch.setenv("STREAMS_KAFKA__START_TIMEOUT", "1s")
    assert 5 == streams("lag", "--kafka", "127.0.0.1:1", "--app", "a", "--input", "b").exit_code
