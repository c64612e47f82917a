"""A broker that asks who we are and looks what we may do: it lets us work, and what it does
not let us do is told with what to change.
"""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.structs import OffsetAndMetadata

from streams.errors import ConfigError, Refused, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.connection import cluster
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.group_members import group_members
from streams.log.kafka.lifecycle import reach, stop
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import checked
from streams.records import NewRecord
from streams.settings.loading import load_settings
from tests.cli.running import streams
from tests.commands_on_pages import ALL
from tests.contract.looking import Restored, full_batch, restored
from tests.kafka import topics
from tests.kafka.broker import Missing, our_own, without
from tests.kafka.console import console
from tests.kafka.secure import (
    DESCRIBE,
    GROUP,
    LITERAL,
    PASSWORDS,
    PREFIXED,
    READ,
    TOPIC,
    TRANSACTIONAL_ID,
    WRITE,
    Right,
    Secure,
    maker,
    worker,
)
from tests.kafka.waiting import WAIT_S, eventually_async

NOBODY_MS = 1_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    our_own()
    try:
        made = Secure(tmp_path_factory.mktemp("secure"))
    except Missing as why:
        without(why)
    yield made
    made.brokers.end()


def at(kafka: dict[str, Any]) -> Cluster:
    """A connection as settings have it."""
    return cluster(load_settings(kafka=kafka).kafka)


async def app(broker: Secure, *rights: Callable[[str], Right]) -> str:
    """An app of one partition, made by somebody who may; the user shop has these rights."""
    name = topics.new_name()
    await topics.create(topics.new_topics(name, 1), broker.inside)
    await broker.allow(*(right(name) for right in rights))
    return name


def reads_input(app: str) -> Right:
    return Right(TOPIC, f"{app}.events", LITERAL, "shop", READ)


def sees_input(app: str) -> Right:
    return Right(TOPIC, f"{app}.events", LITERAL, "shop", DESCRIBE)


def sees_own(app: str) -> Right:
    return Right(TOPIC, f"{app}.", PREFIXED, "shop", DESCRIBE)


def reads_own(app: str) -> Right:
    return Right(TOPIC, f"{app}.", PREFIXED, "shop", READ)


def writes_own(app: str) -> Right:
    return Right(TOPIC, f"{app}.", PREFIXED, "shop", WRITE)


def transactions(app: str) -> Right:
    return Right(TRANSACTIONAL_ID, f"{app}-", PREFIXED, "shop", WRITE)


async def test_a_worker_works(broker: Secure) -> None:
    """With a password over TLS and no right but those on the page: what is
    appended is read, committed and restored.
    """
    name = topics.new_name()
    await topics.create(topics.new_topics(name, 1), broker.inside)
    await broker.allow(*worker(name, f"{name}.events"))
    owner, shop = at(broker.kafka("owner")), at(broker.kafka())
    collector = KafkaLog(owner, name, {f"{name}.events": 1}, 1)
    await collector.append([NewRecord(0, b"k", b"v", time.time_ns() // 1_000_000)])
    await collector.close()
    log = await KafkaLog.connect(shop, name, [f"{name}.events"])
    session = await log.open(0)
    reading = await session.read({}, 10)
    assert [b"v"] == [record.value for _, records in reading.chunks for record in records]
    await session.commit(full_batch(b"1"))
    await session.close()
    session = await log.open(0)
    assert Restored(b"1", {b"counter": b"1"}) == await restored(session)
    await log.close()


@pytest.mark.parametrize(
    "given",
    [
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
        {
            "sasl_mechanism": "OAUTHBEARER",
            "oauth": "tests.kafka.secure:token",
            "username": None,
            "password": None,
        },
    ],
    ids=lambda given: given["sasl_mechanism"],
)
async def test_ways_to_authenticate(broker: Secure, given: dict[str, Any]) -> None:
    """Each of them is let in, and is the user who was meant: a topic
    that only this user may write is written.
    """
    name = await app(broker, writes_own)
    found = at(broker.kafka(**given))
    await reach(found, NOBODY_MS, print)
    producer = found.producer()
    async with cluster_errors("x"):
        await producer.start()
        await producer.send_and_wait(f"{name}.late", b"v")
    await stop(producer)


async def test_certificates_of_clients(broker: Secure) -> None:
    """A broker that asks for one lets us in with ours, and says no without."""
    tls = {"bootstrap": broker.certs, "security_protocol": "SSL", "ca_file": broker.directory / "ca.pem"}
    await reach(at(tls | {"cert_file": broker.directory / "client.pem"}), NOBODY_MS, print)
    with pytest.raises(
        Unavailable,
        match=r"does it ask for a certificate \(kafka\.cert_file\)|"
        r"is kafka\.security_protocol what that port speaks",
    ):
        await reach(at(tls), NOBODY_MS, lambda line: None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"password": "wrong"},
            r"the broker does not accept this name and password or token: "
            r"see kafka\.username, kafka\.password",
        ),
        (
            {"sasl_mechanism": "PLAIN", "username": "nobody"},
            "the broker does not accept this name and password or token",
        ),
        (
            {"sasl_mechanism": "SCRAM-SHA-512"},
            r"the broker does not offer kafka\.sasl_mechanism: take one that it offers",
        ),
        ({"ca_file": "other.pem"}, r"the broker's certificate is not trusted: see kafka\.ca_file"),
        ({"ca_file": None}, r"the broker's certificate is not trusted: see kafka\.ca_file"),
    ],
)
async def test_not_let_in(broker: Secure, given: dict[str, Any], message: str) -> None:
    """Is refused at once, not tried again: it will be no other the next time.

    The password is not in the message.
    """
    if given.get("ca_file"):
        given = {"ca_file": broker.directory / given["ca_file"]}
    kafka = broker.kafka(**given)
    lines: list[str] = []
    with pytest.raises(Refused, match=message) as caught:
        await reach(at(kafka), 60_000, lines.append)
    assert [] == lines
    with pytest.raises(Refused, match=message):
        await checked(at(kafka), "app", ["input"])
    assert 6 == caught.value.exit_code
    assert kafka["password"] not in str(caught.value)


async def test_the_wrong_protocol(broker: Secure) -> None:
    """A broker hangs up on whom it does not understand, without a word: the message says where to look."""
    for given in ({"bootstrap": broker.clients}, broker.kafka() | {"bootstrap": broker.inside}):
        with pytest.raises(Unavailable, match=r"is kafka\.security_protocol what that port speaks"):
            await reach(at(given), NOBODY_MS, lambda line: None)


async def test_an_address_that_is_not_in_the_certificate(broker: Secure) -> None:
    """Whoever has somebody else's certificate may be anybody."""
    port = broker.clients.rpartition(":")[2]
    with pytest.raises(Refused, match=r"call brokers by the names in their certificates .*localhost"):
        await reach(at(broker.kafka(bootstrap=f"localhost:{port}")), NOBODY_MS, print)


async def refused(work: Coroutine[Any, Any, None], *clients: Any) -> str:
    """The message of the error that this raises; the clients are stopped."""
    try:
        with pytest.raises(Refused) as caught:
            async with cluster_errors("x"), asyncio.timeout(20):
                await work
    finally:
        for client in clients:
            await stop(client)
    return str(caught.value)


async def writing(producer: Any, name: str, group: bool = False) -> None:
    """A record in a transaction."""
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(f"{name}.late", b"v")
    if group:
        await producer.send_offsets_to_transaction(
            {TopicPartition(f"{name}.events", 0): OffsetAndMetadata(1, "")}, name
        )


async def test_a_right_to_write_is_missing(broker: Secure) -> None:
    """The topic is named."""
    name = await app(broker, reads_own, transactions)
    producer = at(broker.kafka()).producer(f"{name}-0")
    message = await refused(writing(producer, name), producer)
    assert message.startswith(
        f"x: the right is missing to use topic {name}.late: inputs need Read, topics of the app Read, "
        "Write and Describe"
    )


async def test_a_right_to_transactions_is_missing(broker: Secure) -> None:
    """The id is named."""
    name = await app(broker, writes_own)
    producer = at(broker.kafka()).producer(f"{name}-0")
    message = await refused(writing(producer, name), producer)
    assert message.startswith(
        f"x: the right is missing to use transactional id {name}-0: it needs Write and Describe on all "
        "transactional ids that begin"
    )


async def test_a_right_to_the_group_is_missing(broker: Secure) -> None:
    """The group is named, to a member that joins and to one that commits offsets."""
    name = await app(broker, reads_input, writes_own, transactions)
    consumer = AIOKafkaConsumer(f"{name}.events", **at(broker.kafka()).common(), group_id=name)
    producer = at(broker.kafka()).producer(f"{name}-0")

    async def join() -> None:
        await consumer.start()
        await consumer.getone()

    for message in (
        await refused(join(), consumer),
        await refused(writing(producer, name, group=True), producer),
    ):
        assert message.startswith(
            f"x: the right is missing to use group {name}: it needs Read on the group that is called like "
            "the app"
        )


async def test_whoever_asks_who_owns_a_person(broker: Secure) -> None:
    """The dashboard needs Describe on the group of the app, and is no member of it."""
    name = await app(broker)
    with pytest.raises(Refused, match=f"the right is missing to use group {name}"):
        await group_members(at(broker.kafka()), name)
    await broker.allow(Right(GROUP, name, LITERAL, "shop", DESCRIBE))

    async def is_seen() -> bool:
        with suppress(Unavailable):  # the first group of a broker takes a moment
            return [] == await group_members(at(broker.kafka()), name)
        return False

    await eventually_async(is_seen, "the group is seen, which has no member")


async def test_a_right_to_read_is_missing(broker: Secure) -> None:
    """The topic is named, to whoever reads it and to whoever looks before."""
    name = await app(broker, sees_input)
    consumer = at(broker.kafka()).consumer()
    place = TopicPartition(f"{name}.events", 0)

    async def read() -> None:
        await consumer.start()
        consumer.assign([place])
        consumer.seek(place, 0)
        while True:
            await consumer.getmany(timeout_ms=100)

    message = await refused(read(), consumer)
    assert message.startswith(f"x: the right is missing to use topic {name}.events: inputs need Read")
    with pytest.raises(
        ConfigError, match=rf"{name}\.transitions, .* \(or we have no right to see some of them: Describe\)"
    ):
        await checked(at(broker.kafka()), name, [f"{name}.events"])


async def test_whoever_makes_topics(broker: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Needs the rights on the page, sees everything with them, and names the missing one without them.

    Nothing prints the password.
    """
    monkeypatch.chdir(tmp_path)
    name = topics.new_name()
    await topics.create([NewTopic(f"{name}.events", 2, 1)], broker.inside)
    for key, value in broker.kafka().items():
        monkeypatch.setenv(f"STREAMS_KAFKA__{key.upper()}", str(value))
    command = ["--app", name, "--input", f"{name}.events"]

    async def run(what: str) -> Any:
        return await asyncio.to_thread(streams, "topics", what, *command)

    nothing = await run("apply")
    assert (2, True) == (
        nothing.exit_code,
        f"{name}.events: does not exist, or we have no right to see it: Describe" in nothing.stderr,
    )
    await broker.allow(*worker(name, f"{name}.events"))
    no_create = await run("apply")
    assert (6, True) == (
        no_create.exit_code,
        "cannot be made: the right is missing to use topic" in no_create.stderr,
    )
    await broker.allow(*maker(name, f"{name}.events"))
    for what in ("apply", "plan"):
        made = await run(what)
        assert (0, "") == (made.exit_code, made.stderr)
    assert "DescribeConfigs" not in made.stdout
    monkeypatch.setenv("STREAMS_KAFKA__PASSWORD", "no-such-secret")
    refused = await run("plan")
    assert (6, "") == (refused.exit_code, refused.stdout)
    assert "error: " in refused.stderr
    for secret in (*PASSWORDS.values(), "no-such-secret"):
        assert secret not in refused.stderr + made.stdout + no_create.stderr + nothing.stderr


async def test_whoever_asks(broker: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A question needs the right Read on the topics of the app, and nothing else. It takes the settings of a
    worker: protocol, certificates, name and password.
    """
    monkeypatch.chdir(tmp_path)
    for key, value in broker.kafka().items():
        monkeypatch.setenv(f"STREAMS_KAFKA__{key.upper()}", str(value))

    async def ask(app: str) -> Any:
        return await asyncio.to_thread(streams, "funnel", "--app", app, "--json")

    allowed = await ask(await app(broker, reads_own))
    assert (0, "") == (allowed.exit_code, allowed.stderr)
    assert '"profiles":0' in allowed.stdout
    name = await app(broker)
    hidden = await ask(name)
    assert (2, "") == (hidden.exit_code, hidden.stdout)
    assert f"there is no app {name}" in hidden.stderr
    assert "or the right to see its topics is missing: Describe" in hidden.stderr
    name = await app(broker, sees_own)
    log = KafkaLog(Cluster(broker.inside), name, {f"{name}.events": 1}, 1)
    await (await log.open(0)).commit(full_batch(b"1"))
    await log.close()
    unread = await ask(name)
    assert (6, "") == (unread.exit_code, unread.stdout)
    assert "the right is missing to use topic" in unread.stderr
    monkeypatch.setenv("STREAMS_KAFKA__PASSWORD", "no-such-secret")
    refused = await ask(name)
    assert (6, "") == (refused.exit_code, refused.stdout)
    assert "does not accept this name and password" in refused.stderr


async def test_the_commands_on_the_page_give_the_rights(broker: Secure) -> None:
    """They give exactly those of the page's table, with Kafka's own tool."""
    typed = [one for one in ALL if one.startswith("kafka-acls ")]
    for line in typed:
        words = [broker.inside if word == "broker:9092" else word for word in line.split()]
        await asyncio.to_thread(console, *words)
    async with asyncio.timeout(WAIT_S):
        while {right for right in await broker.rights() if right.name.startswith(("shop", "clicks"))} != set(
            worker("shop", "clicks")
        ):
            await asyncio.sleep(0.1)  # a broker learns of it from the controller, a moment later


async def test_whoever_may_not_see_a_transaction(
    broker: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`lag` tells how many records wait behind it, and leaves open whose it is and since when, until the user
    has the right Describe on its id.
    """
    monkeypatch.chdir(tmp_path)
    for key, value in broker.kafka().items():
        monkeypatch.setenv(f"STREAMS_KAFKA__{key.upper()}", str(value))
    name = await app(broker, reads_own, reads_input)
    collector = Cluster(broker.inside).producer(f"{name}-elsewhere")
    await collector.start()
    await collector.begin_transaction()
    await collector.send_and_wait(f"{name}.events", b"{}", b"ann", partition=0)

    async def hidden() -> Any:
        command = ("lag", "--app", name, "--input", f"{name}.events", "--json")
        result = await asyncio.to_thread(streams, *command)
        assert (0, "") == (result.exit_code, result.stderr)
        return json.loads(result.stdout)["partitions"][0]["sources"][0]["hidden"]

    assert {"first": 0, "records": 1, "since": None, "transaction": None} == await hidden()
    await broker.allow(Right(TRANSACTIONAL_ID, f"{name}-elsewhere", LITERAL, "shop", DESCRIBE))
    found = await hidden()
    assert f"{name}-elsewhere" == found["transaction"]
    assert found["since"] is not None
    await collector.abort_transaction()
    await collector.stop()
