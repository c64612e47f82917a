"""Every touch of aiokafka's insides, but those about records (`record_quirks`), because its public interface
lacks what is needed here. Each one says why. Written against aiokafka 0.14.0.

A newer aiokafka may move any of these names. `tests/log/kafka/test_leaks.py` and others there use them
all, without a broker.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import WeakSet

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import client as client_module
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.consumer import fetcher
from aiokafka.structs import OffsetAndMetadata

from streams.clock import Clock
from streams.log.kafka.record_quirks import FetchedRecord, LenientRecords

FETCH_API_KEY = 1
CLOSING_S = 0.1  # a closed socket reports itself at once; one that was never open never does

_opened: ContextVar["WeakSet[AIOKafkaConnection] | None"] = ContextVar("_opened", default=None)
_create_conn = client_module.create_conn
_bootstrap = AIOKafkaClient.bootstrap
_get_conn = AIOKafkaClient._get_conn


def install() -> None:
    """Replaces what is wrong in aiokafka, for all clients of this process, including those that exist
    already.
    """
    fetcher.MemoryRecords = LenientRecords
    fetcher.ConsumerRecord = FetchedRecord
    client_module.create_conn = _create_noted
    AIOKafkaClient.bootstrap = _bootstrap_leaving_nothing
    AIOKafkaClient._get_conn = _get_conn_unless_abandoned


# Connections. `AIOKafkaClient.bootstrap` forgets its connection when it is cancelled between connecting and
# the first answer. `stop` waits for brokers, and when it is cancelled or fails it leaves the rest as it is
# and refuses to be called again. Both leave open sockets behind, and tasks that go on talking to the cluster.


async def _create_noted(*address: Any, **options: Any) -> AIOKafkaConnection:
    connection = await _create_conn(*address, **options)
    if (opened := _opened.get()) is not None:
        opened.add(connection)
    return connection


async def _bootstrap_leaving_nothing(self: AIOKafkaClient) -> None:
    opened: WeakSet[AIOKafkaConnection] = WeakSet()
    token = _opened.set(opened)
    try:
        await _bootstrap(self)
    except BaseException:
        for connection in list(opened):
            hang_up(connection)
        raise
    finally:
        _opened.reset(token)


async def _get_conn_unless_abandoned(
    self: AIOKafkaClient, *node: Any, **options: Any
) -> AIOKafkaConnection | None:
    if _is_abandoned(self):
        return None
    connection = await _get_conn(self, *node, **options)
    if connection is not None and _is_abandoned(self):  # meanwhile
        hang_up(connection)
        return None
    return connection


def _is_abandoned(inner: AIOKafkaClient) -> bool:
    return bool(getattr(inner, "_abandoned", False))


def hang_up(connection: AIOKafkaConnection) -> None:
    """Closes a connection now. `close` alone first waits until everything is written, which a frozen broker
    never reads.
    """
    writer = connection._writer
    connection.close()
    if writer is not None:
        writer.transport.abort()


def inner_client(client: Any) -> AIOKafkaClient:
    """The connections of a producer, a consumer or an admin client."""
    return client.client if isinstance(client, AIOKafkaProducer) else client._client


async def graceful_stop(client: Any) -> None:
    """What the client itself does at its end: flush, leave the group, close. An admin client calls it
    `close`.
    """
    await (client.stop() if hasattr(client, "stop") else client.close())


def own_tasks(client: Any) -> list["asyncio.Task[Any]"]:
    """Everything that a client does by itself, as far as it is still running."""
    sender = getattr(client, "_sender", None)
    fetching, coordinator = getattr(client, "_fetcher", None), getattr(client, "_coordinator", None)
    found = [
        getattr(inner_client(client), "_sync_task", None),
        getattr(sender, "_sender_task", None),
        getattr(fetching, "_fetch_task", None),
        *getattr(fetching, "_pending_tasks", ()),
        getattr(coordinator, "_coordination_task", None),
        getattr(coordinator, "_heartbeat_task", None),
        getattr(coordinator, "_commit_refresh_task", None),
        getattr(coordinator, "_reset_committed_task", None),
    ]
    return [task for task in found if task is not None and not task.done()]


def abandon(client: Any) -> list["asyncio.Task[Any]"]:
    """Hangs up all connections of a client and cancels its tasks, without waiting. It opens no connection
    afterwards. May be called again.

    Returns the tasks, which end within a few turns of the loop.
    """
    inner = inner_client(client)
    inner._abandoned = True
    client._closed = True  # otherwise its `__del__` warns
    cancelled = own_tasks(client)
    for task in cancelled:
        task.add_done_callback(retrieve)
        task.cancel()
    for connection in list(inner._conns.values()):
        hang_up(connection)
    if isinstance(client, AIOKafkaProducer):
        _retrieve_failures(client)
    return cancelled


def retrieve(future: "asyncio.Future[Any]") -> None:
    """asyncio logs each failure that nobody has retrieved."""
    if future.done() and not future.cancelled():
        future.exception()


def _retrieve_failures(producer: AIOKafkaProducer) -> None:
    """A producer that was fenced, which is nothing unusual, leaves failed futures that nobody awaits."""
    waiters = [
        batch._drain_waiter
        for batches in producer._message_accumulator._batches.values()
        for batch in batches
    ]
    if producer._txn_manager is not None:
        waiters.append(producer._txn_manager.wait_for_transaction_end())
    for waiter in waiters:
        if waiter is not None:
            retrieve(waiter)


@asynccontextmanager
async def connection(host: str, port: int, options: Mapping[str, object]) -> AsyncIterator[None]:
    """A connection that has been accepted, encrypted and authenticated: no client tells why a broker refused
    it. Raises aiokafka's own errors.
    """
    opening = AIOKafkaConnection(host, port, **options)
    try:
        await opening.connect()
        yield
    finally:
        writer, closed = opening._writer, opening.close()
        try:
            if closed is not None:
                await asyncio.wait([closed], timeout=CLOSING_S)
        finally:
            if writer is not None:
                writer.transport.abort()


def addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Host and port of each broker in `host:port,host:port`, in a random order, as every client reads
    them.
    """
    return [(host, port) for host, port, _ in collect_hosts(bootstrap)]


# Metadata.


async def know_topic(consumer: AIOKafkaConsumer, topic: str) -> None:
    """Asks where the partitions of a topic are. A consumer finds out by itself too, but pauses after each
    topic that it did not know.
    """
    await consumer._client.add_topic(topic)


async def cluster_metadata(admin: Any) -> dict[str, Any]:
    """All topics and brokers in one answer. The public calls ask for topics by name, which makes some brokers
    create them.
    """
    listed: dict[str, Any] = (await admin._get_cluster_metadata()).to_object()
    return listed


def unread(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """Committed offsets that a consumer has not read yet. None: it does not know. May be called from another
    thread than the consumer's.
    """
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or partition not in assignment.tps:
        return None
    state = assignment.state_value(partition)
    if state.lso is None or state._position is None:
        return None
    return max(0, int(state.lso) - int(state._position))


async def committed(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """The committed positions of a consumer's group with what was written beside them; a partition without
    one is left out. The public call leaves out what was written beside them.
    """
    if not partitions:
        return {}
    found: dict[TopicPartition, OffsetAndMetadata] = await consumer._coordinator.fetch_committed_offsets(
        list(partitions)
    )
    return {place: position for place, position in found.items() if position.offset >= 0}


async def ask(client: Any, request: Any) -> Any:
    """The answer of some broker to a request for which aiokafka has no method."""
    return await inner_client(client).send(inner_client(client).get_random_node(), request)


def watch_fetches(consumer: AIOKafkaConsumer, on_failure: Callable[[str | None], None]) -> None:
    """Calls `on_failure` with each topic that a broker could not read for a consumer that was started, with
    None if it does not answer. aiokafka tries again and says nothing.
    """
    client, send = consumer._client, consumer._client.send

    async def watched_send(node_id: int, request: Any, **options: Any) -> Any:
        try:
            response = await send(node_id, request, **options)
        except BaseException:
            on_failure(None)
            raise
        for topic, partitions in response.topics if response.API_KEY == FETCH_API_KEY else ():
            if any(error_code for _, error_code, *_ in partitions):
                on_failure(topic)
        return response

    client.send = watched_send


# Membership of a group. aiokafka has no interface for heartbeats, so its coordinator is made to send them
# through here. (A commit would tell as much, but it resets the membership.)


class Heartbeat(NamedTuple):
    """One heartbeat of a member of a group, after its answer."""

    sent_s: float
    acknowledged: bool
    rebalancing: bool  # the group is about to assign its partitions anew
    member: bool  # False: the group does not know the sender


def watch_heartbeats(
    consumer: AIOKafkaConsumer, clock: Clock, on_heartbeat: Callable[[Heartbeat], None]
) -> None:
    """Calls `on_heartbeat` after each heartbeat of a consumer that was started. It may raise a KafkaError:
    then aiokafka does not join again.
    """
    coordinator = consumer._coordinator
    send = coordinator._do_heartbeat

    async def heartbeat() -> bool:
        sent_s = clock.monotonic_s()
        acknowledged: bool = await send()
        rebalancing = coordinator._rejoin_needed_fut.done()
        on_heartbeat(Heartbeat(sent_s, acknowledged, rebalancing, bool(coordinator.member_id)))
        return acknowledged

    coordinator._do_heartbeat = heartbeat
