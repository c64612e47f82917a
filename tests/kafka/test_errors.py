"""What a cluster's answers are turned into. Real brokers that give them are in test_security.py."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import errors

from streams.errors import Refused, StreamsError, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.errors import PASSING, PERMANENT, cluster_errors, failure
from streams.log.kafka.lifecycle import reach
from tests.kafka.broker import free_ports


def caused(error: BaseException, by: BaseException) -> BaseException:
    """An error with a cause."""
    error.__cause__ = by
    return error


def about(topic: str, error: BaseException) -> BaseException:
    """An error of which somebody knew what it is about."""
    error.topic = topic  # type: ignore[attr-defined]  # where our writer puts it
    return error


@pytest.mark.parametrize(
    ("error", "of", "kind", "message"),
    [
        (
            errors.TopicAuthorizationFailedError({"b", "a"}),
            None,
            Refused,
            "x: the right is missing to use topic a, b: inputs need Read",
        ),
        (
            errors.TopicAuthorizationFailedError(),
            "clicks",
            Refused,
            "x: the right is missing to use topic clicks: inputs need Read",
        ),
        (
            errors.TopicAuthorizationFailedError(),
            None,
            Refused,
            "x: the right is missing to use topic: inputs need Read",
        ),
        (
            errors.GroupAuthorizationFailedError("shop"),
            None,
            Refused,
            "x: the right is missing to use group shop",
        ),
        (
            errors.TransactionalIdAuthorizationFailed("shop-3"),
            None,
            Refused,
            "x: the right is missing to use transactional id shop-3",
        ),
        (
            errors.MessageSizeTooLargeError(),
            "shop.state",
            Refused,
            "x: a record is larger than topic shop.state takes: raise its max.message.bytes",
        ),
        (
            about("shop.current", errors.MessageSizeTooLargeError()),
            None,
            Refused,
            "x: a record is larger than topic shop.current takes",
        ),
        (
            errors.SaslAuthenticationFailed("no such user"),
            None,
            Refused,
            "x: the broker does not accept this name and password or token",
        ),
        (
            errors.InvalidTransactionTimeout(),
            None,
            Refused,
            "x: the brokers allow no transaction as long as ours",
        ),
        (
            ssl.SSLCertVerificationError("self-signed"),
            None,
            Refused,
            "x: the broker's certificate is not trusted: see kafka.ca_file",
        ),
        (
            caused(errors.KafkaError("wrapped"), errors.GroupAuthorizationFailedError("g")),
            None,
            Refused,
            "x: the right is missing to use group g",
        ),
        (
            errors.UnknownTopicOrPartitionError(),
            "shop.state",
            Unavailable,
            "x: topic shop.state does not exist",
        ),
        (
            errors.NotEnoughReplicasError(),
            None,
            Unavailable,
            "x: fewer replicas of topic are alive than its min.insync.replicas",
        ),
        (ssl.SSLError("wrong version"), None, Unavailable, "x: no secure connection was made"),
        (TimeoutError(), None, Unavailable, "x: no answer in time (TimeoutError)"),
        (errors.NotLeaderForPartitionError(), None, Unavailable, "x: [Error 6] NotLeaderForPartitionError"),
        (ConnectionResetError(104, "reset"), None, Unavailable, "x: ConnectionResetError: [Errno 104] reset"),
    ],
)
def test_what_an_error_means(
    error: BaseException, of: str | None, kind: type[StreamsError], message: str
) -> None:
    """What cannot pass is Refused and says what to change; everything else is Unavailable."""
    found = failure("x", error, of)
    assert (kind, message) == (type(found), str(found)[: len(message)])
    assert "{of}" not in str(found)


def test_the_table_is_of_errors_that_there_are() -> None:
    """Nothing is both; what aiokafka itself takes for passing is not called
    permanent, but for a topic's missing right.
    """
    assert set(PERMANENT).isdisjoint(PASSING)
    assert [kind for kind in PERMANENT if getattr(kind, "retriable", False)] == []


async def test_other_errors_are_defects() -> None:
    """Only what Kafka, the network and the clock raise is translated."""
    with pytest.raises(ZeroDivisionError):
        async with cluster_errors("x"):
            raise ZeroDivisionError
    with pytest.raises(Refused):
        async with cluster_errors("x"):
            raise errors.GroupAuthorizationFailedError("g")


async def test_nobody_answers() -> None:
    """A line for each try that says which address, why and for how long yet;
    then the end, in time, with exit code 5.
    """
    first, second = free_ports(2)
    lines: list[str] = []
    began = asyncio.get_running_loop().time()
    with pytest.raises(
        Unavailable, match=r"lets us in: ConnectionRefusedError.*; tried for 1 s \(kafka.start_timeout\)"
    ) as caught:
        await reach(Cluster(f"127.0.0.1:{first},127.0.0.1:{second}"), 1_000, lines.append)
    assert 1 <= asyncio.get_running_loop().time() - began < 3
    assert 5 == caught.value.exit_code
    assert 2 <= len(lines) <= 4
    assert lines[0].startswith(
        f"no broker at 127.0.0.1:{first},127.0.0.1:{second} lets us in: ConnectionRefusedError"
    )
    assert re.search(r"trying again in 0\.[2-5] s, for (1\.0|0\.\d) s more$", lines[0])


@asynccontextmanager
async def listening(mute: bool) -> AsyncIterator[str]:
    """Somebody who is no broker: says nothing, or hangs up at once."""
    ends: list[asyncio.StreamWriter] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        if not mute:
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for end in ends:
            end.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("mute", [True, False])
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
async def test_somebody_else_listens_there(mute: bool, protocol: str) -> None:
    """Whoever says nothing or hangs up is tried again until the time is up, and no longer than that."""
    security = {
        "security_protocol": protocol,
        "ssl_context": ssl.create_default_context() if protocol == "SSL" else None,
    }
    lines: list[str] = []
    async with asyncio.timeout(6), listening(mute) as address:
        with pytest.raises(Unavailable, match=r"is kafka\.security_protocol what that port speaks"):
            await reach(Cluster(address, security), 1_000, lines.append)
    assert lines or mute
