"""Another number of partitions, other fold settings: the commands of docs/operations.md, as
they stand there, beside the running app.
"""

import asyncio
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from aiokafka.admin import NewTopic

from docs.generate import HERE
from streams.core.ingest.partition import partition_of
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.funnel import Funnel, read_funnel
from streams.records import NewRecord
from streams.topology import TRANSITIONS
from tests.cli.running import TIMEOUT_S, event, process, streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports
from tests.kafka.waiting import eventually

PARTITIONS, NEW_PARTITIONS, PEOPLE = 2, 8, 40
# Within an hour: nobody stalls, whatever the partitions.
STEPS = (
    "Product Viewed",
    "Store Located",
    "Product Added",
    "Order Completed",
)


def records() -> list[NewRecord]:
    """Forty people, of whom each goes a step further than the one before, and every fourth buys."""
    found = []
    for number in range(PEOPLE):
        who = f"person-{number}"
        for step in range(number % len(STEPS) + 1):
            value = orjson.dumps(event(who, STEPS[step], f"10:{10 * step:02d}:{number:02d}"))
            found.append(NewRecord(partition_of(who.encode(), PARTITIONS), who.encode(), value, -1))
    return found


def commands(app: str, input: str) -> list[list[str]]:
    """Those of the page, for this app and this input."""
    page = (HERE / "operations.md").read_text("utf-8")
    block = page.split("<!-- new app -->")[1].split("<!-- /new app -->")[0]
    lines = [line for line in block.splitlines() if line.startswith("streams ")]
    return [
        line.replace("$KAFKA", bootstrap()).replace("shop-2", app).replace("clicks", input).split()[1:]
        for line in lines
    ]


@contextmanager
def working(arguments: list[str], directory: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker, until it is not needed any more; it ends well."""
    given = {**os.environ, **variables, "STREAMS_WEB__PORT": str(free_ports(1)[0])}
    with (directory / "log").open("ab") as log:
        running = process(*arguments, cwd=directory, env=given, stdout=log, stderr=log)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        assert 0 == running.wait(timeout=TIMEOUT_S), (directory / "log").read_text()[-3_000:]


def ended(arguments: list[str], directory: Path, **variables: str) -> tuple[int, str]:
    """Exit code and messages of a command that ends by itself."""
    running = process(*arguments, cwd=directory, env={**os.environ, **variables})
    out, message = running.communicate(timeout=TIMEOUT_S)
    return running.returncode, (out + message).decode()


async def keeps_up(lag: list[str], what: str) -> None:
    """Asks the page's third command until nothing is left.

    In this process: a new one for each look would take most of the time.
    """

    def has_read_all() -> bool:
        result = streams(*lag, "--json")
        if result.exit_code == 2 and "has run yet" in result.stderr:  # the worker is about to begin
            return False
        assert 0 == result.exit_code, result.stderr
        return bool(orjson.loads(result.stdout)["lag"] == 0)

    await asyncio.to_thread(eventually, has_read_all, what)


async def held(app: str, input: str) -> tuple[Funnel, Counter[bytes]]:
    """What an app says: its funnel, and the transitions that stand."""
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [input])
    net: Counter[bytes] = Counter()
    async for _, record in log.scan(TRANSITIONS.name):
        step = orjson.loads(record.value or b"")
        net[step["id"].encode()] += 1 if step["op"] == "assert" else -1
    found = await read_funnel(log)
    await log.close()
    return found, net


async def test_a_new_app_counts_the_same_beside_the_old_one(tmp_path: Path) -> None:
    """Eight partitions instead of two, and another setting that the old app refuses: same journeys, same
    transitions, by the page's own commands.
    """
    old, new, input = topics.new_name(), topics.new_name(), topics.new_name()
    topics.elsewhere(topics.create([NewTopic(input, PARTITIONS, 1)]))
    make, run, lag, compare = commands(new, input)
    assert [["topics", "apply"], ["run", "--kafka"], ["lag", "--kafka"], ["app", "compare"]] == [
        command[:2] for command in (make, run, lag, compare)
    ]
    compare = [old if word == "shop" else word for word in compare]
    of_old = [
        [word.replace(new, old) for word in command]
        for command in (make[: make.index("--partitions")], run, lag)
    ]
    changed = {"STREAMS_REFUND_WINDOW": "120d"}

    assert 0 == ended(of_old[0], tmp_path)[0]
    log = await KafkaLog.connect(Cluster(bootstrap()), old, [input])
    await log.append(records())
    await log.close()
    with working(of_old[1], tmp_path):
        await keeps_up(of_old[2], "the old app has read everything")
        code, message = ended(make, tmp_path)
        assert 0 == code, message
        with working(run, tmp_path, **changed):
            await keeps_up(lag, "the new app has, too")
            code, message = ended(compare, tmp_path)
            assert 0 == code, message
            assert "\nsame: " in message
    code, message = ended(of_old[1], tmp_path, **changed, STREAMS_WEB__PORT=str(free_ports(1)[0]))
    assert 3 == code, message
    assert re.search("refund_window", message)

    (funnel_before, before), (funnel_after, after) = await held(old, input), await held(new, input)
    assert before == after
    assert {0, 1} >= set(after.values())
    assert (
        sum(1 for number in range(PEOPLE) if number % len(STEPS) == 3)
        == funnel_after.journeys.converted
        == funnel_after.profiles_converted
    )
    assert (funnel_before.profiles, funnel_before.journeys, funnel_before.furthest) == (
        funnel_after.profiles, funnel_after.journeys, funnel_after.furthest,
    )  # fmt: skip
    assert len(records()) == funnel_after.events.received == funnel_after.events.applied
