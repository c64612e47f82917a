"""The commands on our pages that talk to a broker, typed as they stand there, show what they should."""

import asyncio
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.cli.running import ROOT, TIMEOUT_S, event, process, streams
from tests.commands_on_pages import ALL, command
from tests.end_to_end import shop
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports
from tests.kafka.console import console
from tests.kafka.test_host import PARTITIONS as AGENT_PARTITIONS
from tests.kafka.test_host import Process, fill, get, received
from tests.kafka.waiting import eventually

PARTITIONS = 2
PEOPLE = 12
ASKED = re.compile(r"streams (funnel|journey|transitions|late) .*--kafka \$KAFKA --app shop( |$)")


def viewed(who: str) -> bytes:
    return orjson.dumps(event(who, "Product Viewed", "10:00:00"))


def unread(*lag: str) -> int | None:
    """The lag of an app; None: it is not known."""
    result = streams(*lag, "--json")
    assert 0 == result.exit_code, result.stderr
    found: int | None = orjson.loads(result.stdout)["lag"]
    return found


async def test_the_runbook_shows_rejected_records() -> None:
    """One that was rejected a while ago comes with its reason, and with where it was read."""
    app = topics.new_app(1)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    await log.append([NewRecord(0, None, b'{"type": "dance"}', -1)])
    agent = await PartitionAgent.open(log, 0, Settings(), default_rules())
    await agent.catch_up()
    await log.close()
    words = command(
        "kafka-console-consumer", **{"broker:9092": bootstrap(), "shop.rejected": f"{app}.rejected"}
    )
    shown = await asyncio.to_thread(console, *words)
    assert '{"type": "dance"}' in shown
    assert "reason:unknown_format" in shown
    assert f"topic:{app}.events" in shown


async def test_the_runbook_redrives_what_was_from_the_future() -> None:
    """A record that a clock which was behind rejected: the dry run sends nothing, and then it counts."""
    app = topics.new_app(1)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    long_ago_ms = 1_600_000_000_000  # when the record was sent, by the clock that was behind
    await log.append([NewRecord(0, None, viewed("ann"), long_ago_ms)])
    agent = await PartitionAgent.open(log, 0, Settings(), default_rules())
    await agent.catch_up()
    at_work = asyncio.create_task(_work(agent))
    typed = "streams redrive rejected --reason from_the_future --from 2d "
    for option, sent in (("--dry-run ", 0), ("--kafka", 1)):
        words = command(typed + option, **{"$KAFKA": bootstrap(), "app shop": f"app {app}"})
        running = process(*words[1:])
        shown, said = await asyncio.to_thread(running.communicate, timeout=TIMEOUT_S)
        assert 0 == running.returncode, said
        receipts = [record.value or b"" async for _, record in log.scan("redriven")]
        assert sent == len(receipts), shown
    assert b'"outcome":"applied"' in receipts[0]
    at_work.cancel()
    await log.close()


async def test_the_runbook_lists_names_that_no_rule_has() -> None:
    """What the workers of an app have read, with where the first event of a name is."""
    app = topics.new_app(1)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    paid = orjson.dumps(event("ann", "our_order_paid", "10:00:00"))
    await log.append([NewRecord(0, None, viewed("ann"), -1), NewRecord(0, None, paid, -1)])
    agent = await PartitionAgent.open(log, 0, Settings(), default_rules())
    await agent.catch_up()
    await log.close()
    words = command(
        "streams explain --unknown --kafka", **{"broker:9092": bootstrap(), "app shop": f"app {app}"}
    )
    running = process(*words[1:], "--json")
    shown, said = await asyncio.to_thread(running.communicate, timeout=TIMEOUT_S)
    assert 0 == running.returncode, said
    report = orjson.loads(shown)
    (found,) = report["names"]
    assert (2, "our_order_paid", {"buy": 1}) == (report["events"], found["name"], found["moments"])
    assert f"{app}.events:0@1" == found["example"]


async def _work(agent: PartitionAgent) -> None:
    while True:
        await agent.step()


async def test_the_runbook_ends_a_transaction_that_nobody_ends() -> None:
    """The broker says who began it; after the abort its records are gone, and the lag is known again."""
    app = topics.new_app(PARTITIONS)
    input = f"{app}.events"
    # Longer than the tools take on a busy machine: the broker is not to end the transaction by itself.
    collector = AIOKafkaProducer(
        bootstrap_servers=bootstrap(),
        transactional_id=f"{app}-collector",
        transaction_timeout_ms=TIMEOUT_S * 1000,
    )
    await collector.start()
    await collector.begin_transaction()
    await collector.send_and_wait(input, viewed("ann"), b"ann", partition=1)
    lag = ("lag", "--kafka", bootstrap(), "--app", app, "--input", input)
    assert await asyncio.to_thread(unread, *lag) is None

    broker = {"broker:9092": bootstrap(), "clicks": input}
    described = await asyncio.to_thread(console, *_transactions("describe-producers", **broker))
    assert re.search(r"^\d+\s+\d+\s.*\s0\s*$", described, re.MULTILINE), described
    await asyncio.to_thread(console, *_transactions("abort", **broker, **{"1234": "0"}))
    await asyncio.to_thread(eventually, lambda: unread(*lag) is not None, "the transaction is over")
    assert 0 == await asyncio.to_thread(unread, *lag)
    await collector.stop()


def _transactions(what: str, **placed: str) -> list[str]:
    return command(f"kafka-transactions --bootstrap-server broker:9092 {what}", **placed)


@pytest.mark.parametrize("program", ["streams", ".venv/bin/streams"], ids=["operations.md", "README.md"])
def test_an_app_as_the_pages_begin_one(program: str, tmp_path: Path) -> None:
    """Its topics are made, a worker processes what is there, `lag`, `funnel` and `verify` say so."""
    app, input = topics.new_name(), topics.new_name()
    topics.elsewhere(topics.create([NewTopic(input, PARTITIONS, 1)]))
    placed = {"broker:9092": bootstrap(), "clicks": input}
    make = command(f"{program} topics apply --kafka broker", **placed)[1:]
    work = command(f"{program} run --kafka broker", **placed)[1:]
    make, work = ([app if word == "shop" else word for word in words] for words in (make, work))
    assert 0 == streams(*make).exit_code
    topics.elsewhere(_append(app, input))
    given = {
        **os.environ,
        "STREAMS_WEB__PORT": str(free_ports(1)[0]),
        "STREAMS_NEED": "properties.category",  # a page asks for the funnel of a need
    }
    with (tmp_path / "log").open("wb") as log:
        worker = process(*work, cwd=tmp_path, env=given, stdout=log, stderr=log)
    try:
        lag = ("lag", "--kafka", bootstrap(), "--app", app, "--input", input)
        eventually(lambda: unread(*lag) == 0, "the app has read everything")
    finally:
        worker.send_signal(signal.SIGTERM)
        assert 0 == worker.wait(timeout=TIMEOUT_S), (tmp_path / "log").read_text()[-3_000:]
    for typed in (one for one in ALL if ASKED.match(one)):
        placed = {"$KAFKA": bootstrap(), "shop": app, "u:4711": "u:person-1"}
        answer = streams(*(placed.get(word, word) for word in typed.split()[1:]))
        assert 0 == answer.exit_code, answer.stderr
        assert "u:person-1" in answer.stdout or " journey " not in typed
    asked = streams("funnel", "--kafka", bootstrap(), "--app", app, "--json")
    assert PEOPLE == orjson.loads(asked.stdout)["profiles"]
    metrics = tmp_path / "verify.prom"
    verify = command("streams verify --kafka", **{"broker:9092": bootstrap(), "verify.prom": str(metrics)})[
        1:
    ]
    checked = streams(*[app if word == "shop" else word for word in verify])
    assert 0 == checked.exit_code, checked.stderr
    assert f"{PEOPLE} records" in checked.stdout
    assert metrics.read_text()


async def _append(app: str, input: str) -> None:
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [input])
    people = [f"person-{number}" for number in range(PEOPLE)]
    await log.append(
        [NewRecord(partition_of(who.encode(), PARTITIONS), who.encode(), viewed(who), -1) for who in people]
    )
    await log.close()


@pytest.mark.parametrize("begin", ["streams run --kafka localhost", "faust -A my_agents"])
async def test_agents_of_your_own(begin: str, tmp_path: Path) -> None:
    """The example's agents run in the worker, and print who stalled on the way to the till."""
    app = topics.new_app(AGENT_PARTITIONS)
    await fill(app)
    shutil.copy(ROOT / "examples" / "my_agents.py", tmp_path)
    words = command(begin)
    if words[0] == "faust":
        words = ["-m", *words]
    else:
        placed = {"localhost:9092": bootstrap(), "shop": app, "clicks": f"{app}.events"}
        words = [
            "-c",
            "from streams.cli import main; main()",
            *(placed.get(word, word) for word in words[1:]),
        ]
    env = {
        "PYTHONPATH": str(ROOT),
        "STREAMS_KAFKA__BOOTSTRAP": bootstrap(),
        "STREAMS_KAFKA__APP": app,
        "STREAMS_KAFKA__INPUTS": f"{app}.events",
        "STREAMS_RULES": str(shop.RULES),
        "STREAMS_WEB__PORT": "0",
        "STREAMS_LOG_FORMAT": "json",
    }
    worker = Process([sys.executable, *words], tmp_path, env)
    try:
        url = worker.web()
        worker.until(lambda: get(f"{url}/readyz")[0] == 200 and received(url) > 0)
        worker.until(lambda: " stalled in buy at " in worker.output.read_text())
        assert 0 == worker.ended()
    finally:
        worker.popen.kill()
        worker.popen.wait()
