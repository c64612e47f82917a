"""How to reach a cluster, and the numbers that every client of ours is made with: one place, because they depend on each other.

request < transaction < commit < open: whoever waits for a step waits longer than the step may take, so that the inner one says what went wrong.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.log.kafka import quirks as kafka_records
from streams.log.kafka.errors import failure

Isolation = Literal["read_committed", "read_uncommitted"]

REQUEST_TIMEOUT_MS = 8_000  # a broker that is being restarted is back by then
TRANSACTION_TIMEOUT_MS = (
    10_000  # a dead worker's transaction hides what comes after it from readers for so long, at most
)
COMMIT_TIMEOUT_S = 15  # above both: by then the broker itself has given the transaction up
OPEN_TIMEOUT_S = (
    30  # fencing waits for the end of the former owner's transaction, and the coordinator may be moving
)
CLOSE_TIMEOUT_S = 3  # stopping a client can hang when its broker is gone; then it is cancelled
RETRY_BACKOFF_MS = 100  # shorter only fills the log while a broker is away
FETCH_WAIT_MS = 100  # how long a broker holds back the answer that there is nothing yet
PARTITION_FETCH_BYTES = 4 << 20  # read at once: a batch of an agent is one or two of them
BATCH_BYTES = 1 << 20  # brokers take this much in one batch unless told otherwise
REQUEST_BYTES = 16 << 20  # an append may hold records as large as the broker was told to take


class Cluster(msgspec.Struct, frozen=True):
    """Where the brokers are, and how to talk to them."""

    bootstrap: str  # host:port, separated by commas
    security: Mapping[
        str, Any
    ] = {}  # aiokafka's own names: security_protocol, ssl_context, sasl_mechanism, sasl_plain_username ...
    compression: Literal["gzip", "snappy", "lz4", "zstd"] | None = (
        None  # of what is written; whatever is read is understood
    )

    def common(self) -> dict[str, Any]:
        tls: ssl.SSLContext | None = self.security.get("ssl_context")
        assert tls is None or isinstance(tls, ssl.SSLContext), "ssl_context is to be an ssl.SSLContext"
        return {
            "bootstrap_servers": self.bootstrap,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            **self.security,
        }

    def consumer(self, isolation: Isolation = "read_committed") -> AIOKafkaConsumer:
        """Of no group, with nothing assigned. It never jumps: a position that does not exist is an error, not the end of the topic."""
        kafka_records.install()
        return AIOKafkaConsumer(
            **self.common(),
            isolation_level=isolation,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        )

    def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """With an id: starting it fences every other producer of that id and ends its transaction."""
        transaction = (
            {}
            if transactional_id is None
            else {"transactional_id": transactional_id, "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS}
        )
        return AIOKafkaProducer(
            **self.common(),
            **transaction,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,  # whole batches are handed over: there is nothing to wait for
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            compression_type=self.compression,
        )


async def start(client: Any, what: str) -> None:
    """Starts a producer or consumer. Raises Unavailable; nothing is left running then."""
    try:
        async with unavailable(what, OPEN_TIMEOUT_S):
            try:
                await client.start()
            except AssertionError as error:  # with a broker that is just coming back
                raise KafkaError(str(error)) from error
    except BaseException:
        await stop(client)
        raise


async def stop(client: Any) -> None:
    """Stops a producer or consumer for good. Never raises, and takes no longer than twice the time set for it."""
    ended = await _ended(client.stop())
    if isinstance(client, AIOKafkaProducer):
        _look_at_failures(client)
    if ended:
        return
    # What it could not end by itself goes on in this process else: a sender that retries, a socket that nobody reads.
    sender = getattr(client, "_sender", None)
    if sender is not None and sender.sender_task is not None:
        sender.sender_task.cancel()
    await _ended((client.client if sender is not None else client._client).close())


def _look_at_failures(producer: AIOKafkaProducer) -> None:
    """A producer that was fenced, which is nothing unusual, leaves failed futures that nobody asks for; asyncio would complain of each."""
    waiters = [
        batch._drain_waiter
        for batches in producer._message_accumulator._batches.values()
        for batch in batches
    ]
    if producer._txn_manager is not None:
        waiters.append(producer._txn_manager.wait_for_transaction_end())
    for waiter in waiters:
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()


async def _ended(ending: Coroutine[Any, Any, Any]) -> bool:
    """Whether it ended well and in time. As a task of its own: aiokafka cancels fetches that wait for a broker, and then raises *their* cancellation,
    which whoever stops a client would take for one of its own."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.wait([task], timeout=CLOSE_TIMEOUT_S)
    finally:
        task.cancel()
    await asyncio.wait([task], timeout=CLOSE_TIMEOUT_S)
    return task.done() and not task.cancelled() and task.exception() is None


@asynccontextmanager
async def unavailable(what: str, timeout_s: float | None = None) -> AsyncIterator[None]:
    """Whatever the cluster answers but what was asked for, or no answer in time, becomes Unavailable; Refused, where trying again cannot help."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise failure(what, error) from error
