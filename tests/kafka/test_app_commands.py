"""`streams app describe` and `streams app compare` about an app on a real broker."""

import asyncio
from pathlib import Path

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streams.log.kafka.client import Cluster
from streams.log.kafka.topics.cluster import admin
from streams.settings.tables import Settings
from tests.cli.running import streams
from tests.kafka import topics
from tests.kafka.asked import same_shop
from tests.kafka.broker import bootstrap
from tests.kafka.test_app_record import OTHER, PARTITIONS, Member, delete, has_received, make, records
from tests.queries.written import SHOP, did


async def test_what_an_app_runs_under() -> None:
    """Its fold settings, partitions and inputs, for people and for machines. `lag` takes the inputs from
    there, and says which one is stopped.
    """
    app = topics.new_app(PARTITIONS)
    input = f"{app}.events"
    # (With identity on, partitions also report to each other: what the last one says nobody reads.)
    given = OTHER | {"identity": {"on": False}}
    member = await Member(app, **given).start()
    await member.log.append(records(20))
    await has_received(member.log, 20)
    await member.end()

    flags = ("--kafka", bootstrap(), "--app", app)
    described = await asyncio.to_thread(streams, "app", "describe", *flags, "--json")
    assert 0 == described.exit_code, described.stderr
    found = orjson.loads(described.stdout)
    assert (app, PARTITIONS, "120d") == (found["app"], found["partitions"], found["fold"]["refund_window"])
    assert found["inputs"][input]["topic_id"]
    table = await asyncio.to_thread(streams, "app", "describe", *flags)
    assert 0 == table.exit_code, table.stderr
    assert {"refund_window", "120d", input, "read"} <= set(table.stdout.split())

    lag = await asyncio.to_thread(streams, "lag", *flags, "--json")
    assert 0 == lag.exit_code, lag.stderr
    assert (0, {}) == (orjson.loads(lag.stdout)["lag"], orjson.loads(lag.stdout)["stopped"])
    await delete(input)
    gone = await asyncio.to_thread(streams, "lag", *flags)
    assert (0, True) == (gone.exit_code, f"{input} does not exist any more" in gone.stdout), gone.stderr
    await make(input)
    again = await Member(app, **given).start()
    await again.opens()
    await again.end()
    lag = await asyncio.to_thread(streams, "lag", *flags, "--json")
    assert "it was deleted and made anew" in orjson.loads(lag.stdout)["stopped"][input]
    table = await asyncio.to_thread(streams, "app", "describe", *flags)
    assert "stopped" in table.stdout


@pytest.mark.parametrize("command", ["describe", "compare"])
def test_an_app_that_does_not_exist(command: str) -> None:
    """It is named (2)."""
    more = ["other"] if command == "compare" else []
    result = streams("app", command, "--kafka", bootstrap(), "--app", "nowhere", *more)
    assert (2, True) == (result.exit_code, "there is no app nowhere on" in result.stderr)


def test_an_app_of_which_no_worker_has_run() -> None:
    """It has topics and no record, and the message says so (2)."""
    app = topics.new_app(PARTITIONS)
    result = streams("app", "describe", "--kafka", bootstrap(), "--app", app)
    assert (2, True) == (result.exit_code, "no worker of it has been started" in result.stderr)


def test_an_app_and_a_directory(tmp_path: Path) -> None:
    """Two logs of one shop say the same (0); with one buyer more in one of them they do not, and the first
    difference is shown (1).
    """
    logs = same_shop(tmp_path / "data", SHOP, Settings())
    more = same_shop(tmp_path / "more", (did("u:hal", "look", 30), *SHOP), Settings())
    result = streams("app", "compare", *logs.cluster, *logs.directory)
    assert 0 == result.exit_code, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].startswith("same: ")
    result = streams("app", "compare", *logs.cluster, *more.directory, "--json")
    assert 1 == result.exit_code, result.stdout + result.stderr
    found = orjson.loads(result.stdout)
    assert (False, "u:hal") == (found["same"], found["transition"]["what"]["profile"])
    result = streams("app", "compare", *logs.cluster, more.app)
    assert (1, True) == (result.exit_code, "different: a transition is there 0 times" in result.stdout)
    # Without the first records of one there is no time of which both have everything: their steps happened
    # long before they were written.
    asyncio.run(delete_first_records(f"{more.app}.transitions"))
    result = streams("app", "compare", *more.cluster, logs.app)
    assert (1, True) == (result.exit_code, "there is nothing to compare" in result.stdout)


async def delete_first_records(topic: str) -> None:
    """As retention does."""
    async with admin(Cluster(bootstrap()), "x") as client:
        first = {TopicPartition(topic, number): RecordsToDelete(2) for number in range(PARTITIONS)}
        await client.delete_records(first, timeout_ms=30_000)


@pytest.mark.parametrize("more", [[], ["other", "--data-dir", "data"]])
def test_one_thing_to_compare_with(more: list[str]) -> None:
    """Not none and not two (2)."""
    result = streams("app", "compare", "--kafka", "localhost:1", "--app", "a", *more)
    assert (2, True) == (result.exit_code, "name one thing to compare with" in result.stderr)
