"""Avro and Protobuf on a real broker: a worker reads them by a schema registry, and everybody who reads the
inputs later reads the same.
"""

import asyncio
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from typer.testing import Result

from docs.generate import HERE
from streams.core.ingest.headers import SCHEMA_HEADER
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.records import Headers, NewRecord, Record
from streams.topology import LATE, REJECTED
from tests.cli.running import ROOT, lines, streams
from tests.end_to_end.running import COMMAND
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.test_host import GRACE_S, Process
from tests.log.kafka.registry.messages import GUID, avro, clicks, frame, new_message, shop_file
from tests.log.kafka.registry.schema_server import SchemaServer, schema_server

PARTITIONS = 2
PAGE = (HERE / "connect" / "avro-protobuf.md").read_text("utf-8")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
UNKNOWN, CUT, LATE_AVRO = frame(9, b"\x02"), frame(7, b"\x00\x02"), "late"


class Shop(NamedTuple):
    """An app with its directory, where the settings are, and the registry."""

    app: str
    directory: Path
    registry: SchemaServer

    def ask(self, *command: str) -> Result:
        """What a question prints."""
        return streams("--config", self.directory / "streams.toml", *command)


@contextmanager
def _in_thread(server: SchemaServer) -> Iterator[None]:
    """The registry, beside whatever the test does."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with schema_server(server):
            started.set_result(None)
            await stop.wait()

    started: Any = loop.create_future()
    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(_wait(started), loop).result(30)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _wait(future: Any) -> None:
    await future


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The settings that the page shows, for a broker and a registry of the test."""
    server, app = SchemaServer(), topics.new_name()
    server.avro(7, clicks())
    server.avro(GUID, clicks())
    server.protobuf(8, shop_file())
    topics.elsewhere(topics.create([topics.new_topics(app, PARTITIONS)[0]]))
    with _in_thread(server):
        (settings,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        for shown, real in (
            ("localhost:9092", bootstrap()),
            ('"shop"', f'"{app}"'),
            ('"clicks"', f'"{app}.events"'),
            ("http://localhost:8081", server.url),
        ):
            assert shown in settings
            settings = settings.replace(shown, real)
        assert "registry" in tomllib.loads(settings)
        (tmp_path / "streams.toml").write_text(settings, "utf-8")
        yield Shop(app, tmp_path, server)


@contextmanager
def worker(shop: Shop) -> Iterator[Process]:
    """The commands that the page shows: they make the topics and run a worker."""
    (block,) = re.findall(r"^```\n(streams .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    apply, run = [line.split()[1:] for line in block.splitlines()]
    env = {"PYTHONPATH": str(ROOT), "STREAMS_LOG_FORMAT": "json", "STREAMS_WEB__PORT": "0"}
    env["STREAMS_KAFKA__GRACE"] = f"{GRACE_S}s"
    applied = Process([*COMMAND, *apply], shop.directory, env)
    assert 0 == applied.popen.wait(60), applied.output.read_text()
    process = Process([*COMMAND, *run], shop.directory, env)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.wait()


def in_avro(event: str, minutes: int, **properties: Any) -> bytes:
    """A message of the person 4711."""
    at = NOW + timedelta(minutes=minutes)
    return avro(
        clicks(),
        {"type": "track", "messageId": event, "timestamp": at, "userId": "4711", "event": event}
        | {"properties": properties},
    )


def in_protobuf(event: str, minutes: int) -> bytes:
    """Another one, with the index of its type."""
    message: Any = new_message(shop_file(), "shop.Click")
    message.type, message.message_id, message.user_id, message.event = "track", event, "4711", event
    message.timestamp.FromDatetime(NOW + timedelta(minutes=minutes))
    return b"\x02\x02" + bytes(message.SerializeToString())


def records() -> list[NewRecord]:
    """A purchase in four steps, each written in another way, in both partitions; and what cannot be read."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    plain = {"type": "track", "messageId": "json", "userId": "4711", "event": "Product Added"}
    plain["timestamp"] = (NOW + timedelta(minutes=2)).isoformat()
    guid = ((SCHEMA_HEADER, b"\x01" + UUID(GUID).bytes),)
    given: list[tuple[bytes, Headers]] = [
        (frame(7, in_avro("Product Viewed", 0)), ()),
        (frame(8, in_protobuf("Product Viewed Again", 1)), ()),
        (json.dumps(plain).encode(), ()),
        (in_avro("Order Completed", 4, order_id="o-1"), guid),
        (UNKNOWN, ()),
        (CUT, ()),
        (frame(7, in_avro(LATE_AVRO, -60 * 24 * 40)), ()),
    ]
    return [
        NewRecord(n % PARTITIONS, None, value, now_ms, headers) for n, (value, headers) in enumerate(given)
    ]


def append(app: str, given: list[NewRecord]) -> None:
    """Appends to the input."""

    async def send() -> None:
        log = KafkaLog(Cluster(bootstrap()), app, {f"{app}.events": PARTITIONS}, PARTITIONS)
        await log.append(given)
        await log.close()

    topics.elsewhere(send())


def letters(app: str, topic: str) -> list[Record]:
    """The dead letters of a topic."""
    found: list[Record] = []

    async def read() -> None:
        log = KafkaLog(Cluster(bootstrap()), app, {f"{app}.events": PARTITIONS}, PARTITIONS)
        found.extend([record async for _, record in log.scan(topic)])
        await log.close()

    topics.elsewhere(read())
    return found


def counted(shop: Shop) -> dict[str, int]:
    """How many events ended in which way."""
    asked = shop.ask("funnel", "--json")
    found: dict[str, int] = json.loads(asked.stdout)["events"] if asked.exit_code == 0 else {}
    return found


def test_a_worker_reads_them_and_others_read_the_same(shop: Shop) -> None:
    """A person buys, whose events are in Avro, in Protobuf and in JSON; `verify` and `why` read them, too."""
    append(shop.app, records())
    with worker(shop) as process:
        process.until(lambda: counted(shop).get("rejected") == 2 and sum(_ended(shop)) == 7)
        assert 0 == process.ended()
    transitions = [
        (t["kind"], t["to"])
        for t in lines("--config", shop.directory / "streams.toml", "transitions", "--json", "--net")
    ]
    assert ("opened", "know") == transitions[0]
    assert ("converted", "truth") == transitions[-1]
    verified = shop.ask("verify")
    assert 0 == verified.exit_code, verified.stdout + verified.stderr
    stories = lines("--config", shop.directory / "streams.toml", "why", "4711", "--json")
    read = {story["event"]: story["ending"] for story in stories if story["event"]}
    assert {"Product Viewed", "json", "Order Completed"} <= read.keys()
    assert "applied" == read["Order Completed"]
    rejected = {letter.value: dict(letter.headers)["reason"] for letter in letters(shop.app, REJECTED.name)}
    assert {UNKNOWN: b"binary", CUT: b"undecodable"} == rejected
    assert {"lines": 2} == {"lines": len(shop.ask("rejected", "--json").stdout.splitlines())}


def _ended(shop: Shop) -> list[int]:
    return [counted(shop).get(name, 0) for name in ("applied", "no_signal", "late", "rejected", "duplicate")]


def test_a_late_record_is_kept_as_it_came(shop: Shop) -> None:
    """Even where it was forwarded: its owner needs no registry to know what it was."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    late = frame(7, in_avro("Product Added", -60 * 24 * 40))
    with worker(shop) as process:
        given = [
            NewRecord(n, None, frame(7, in_avro("Order Completed", n)), now_ms) for n in range(PARTITIONS)
        ]
        append(shop.app, given)
        process.until(lambda: sum(_ended(shop)) == 2)
        append(shop.app, [NewRecord(n, None, late, now_ms) for n in range(PARTITIONS)])
        process.until(lambda: counted(shop).get("late") == 2)
        assert 0 == process.ended()
    assert [late] * 2 == [letter.value for letter in letters(shop.app, LATE.name)]
    assert 0 == shop.ask("verify").exit_code


def test_what_was_rejected_without_a_registry_is_redriven_with_it(shop: Shop) -> None:
    """The command decodes dead letters as a worker decodes records; the damaged ones are refused again."""
    settings = shop.directory / "streams.toml"
    whole = settings.read_text("utf-8")
    settings.write_text(whole.partition("[registry]")[0], "utf-8")
    append(shop.app, records()[:6])
    with worker(shop) as process:
        process.until(lambda: counted(shop).get("rejected") == 5)
        assert 0 == process.ended()
    settings.write_text(whole, "utf-8")
    refused = shop.ask("redrive", "rejected", "--rules", str(settings))
    assert (2, True) == (refused.exit_code, "their own rules" in " ".join(refused.stderr.split()))
    with worker(shop) as process:
        redriven = shop.ask("redrive", "rejected", "--json")
        assert 0 == redriven.exit_code, redriven.stderr
        done = json.loads(redriven.stdout)
        assert 5 == sum(done["ended"].values())
        assert {"binary": 1, "undecodable": 1} == done["refused"]
        assert 0 == process.ended()
    verified = shop.ask("verify")
    assert 0 == verified.exit_code, verified.stdout + verified.stderr


def test_a_registry_that_is_away_is_waited_for(shop: Shop) -> None:
    """The worker says so and rejects nothing, and goes on when the registry is back. A question gives up."""
    shop.registry.failing = 503
    append(shop.app, records()[:4])
    with worker(shop) as process:
        waiting = process.until(
            lambda: [line["reason"] for line in process.lines() if line["event"] == "waiting"]
        )
        assert any("schema registry" in reason and "answers 503" in reason for reason in waiting)
        shop.registry.failing = None
        process.until(lambda: sum(_ended(shop)) == 4)
        assert 0 == process.ended()
    assert [] == letters(shop.app, REJECTED.name)
    shop.registry.failing = 503
    asked = shop.ask("verify")
    assert 5 == asked.exit_code
    assert "the schema registry at" in asked.stderr


def test_a_worker_that_waits_can_be_stopped(shop: Shop) -> None:
    """It gives its partitions back, with nothing committed of what waits."""
    shop.registry.failing = 503
    append(shop.app, records()[:4])
    with worker(shop) as process:
        process.until(lambda: [line for line in process.lines() if "wait for it" in line.get("reason", "")])
        assert 0 == process.ended()
        assert "left" in [line["event"] for line in process.lines()]
    assert 0 == sum(_ended(shop))


def test_a_registry_that_does_not_let_us_in_ends_the_worker(shop: Shop) -> None:
    """Trying again cannot help. The message names the settings."""
    shop.registry.credentials = "Bearer other"
    with worker(shop) as process:
        assert 6 == process.popen.wait(60)
        assert "registry.user and registry.password" in process.output.read_text()


def test_a_question_without_the_registry_says_what_is_missing(shop: Shop) -> None:
    """It compares nothing that it cannot read."""
    append(shop.app, records()[:4])
    with worker(shop) as process:
        process.until(lambda: sum(_ended(shop)) == 4)
        assert 0 == process.ended()
    settings = shop.directory / "streams.toml"
    settings.write_text(settings.read_text("utf-8").partition("[registry]")[0], "utf-8")
    asked = shop.ask("verify")
    assert 0 != asked.exit_code
    assert "registry.url" in asked.stdout + asked.stderr
