"""How to reach a cluster, and the numbers that all our clients are made with. They are in one place because
they depend on each other.

request < transaction < commit < open: whoever waits for a step waits longer than the step may take, so that
the innermost one reports what failed.
"""

import ssl
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.log.kafka import quirks

Isolation = Literal["read_committed", "read_uncommitted"]

REQUEST_TIMEOUT_MS = 8_000  # a broker that is being restarted is back by then
TRANSACTION_TIMEOUT_MS = 10_000  # so long, at most, a dead worker's transaction hides what follows it
COMMIT_TIMEOUT_S = 15  # above both: by then the broker has aborted the transaction
OPEN_TIMEOUT_S = 30  # fencing waits until the former owner's transaction has ended, and coordinators may move
CLOSE_TIMEOUT_S = 3  # stopping a client can hang when its broker is gone; then it is abandoned
RETRY_BACKOFF_MS = 100  # shorter pauses only fill the logs while a broker is away
FETCH_WAIT_MS = 100  # how long a broker holds back the answer that there is nothing yet
PARTITION_FETCH_BYTES = 4 << 20  # per request: a batch of an agent is one or two of them
BATCH_BYTES = 1 << 20  # brokers accept this much in one batch by default
REQUEST_BYTES = 16 << 20  # an append may hold records as large as the broker was configured to accept


class Cluster(msgspec.Struct, frozen=True):
    """Where the brokers are, and how to talk to them."""

    bootstrap: str  # host:port, separated by commas
    # aiokafka's own names: security_protocol, ssl_context, sasl_mechanism, sasl_plain_username ...
    security: Mapping[str, Any] = {}
    # for what is written; all of them can be read
    compression: Literal["gzip", "snappy", "lz4", "zstd"] | None = None

    def connection_options(self) -> dict[str, Any]:
        """What a single connection needs."""
        tls: ssl.SSLContext | None = self.security.get("ssl_context")
        assert tls is None or isinstance(tls, ssl.SSLContext), "ssl_context is to be an ssl.SSLContext"
        return {"request_timeout_ms": REQUEST_TIMEOUT_MS, **self.security}

    def common(self) -> dict[str, Any]:
        """What every client needs."""
        quirks.install()
        return {
            "bootstrap_servers": self.bootstrap,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            **self.connection_options(),
        }

    def consumer(
        self, isolation: Isolation = "read_committed", wait_ms: int = FETCH_WAIT_MS
    ) -> AIOKafkaConsumer:
        """A consumer in no group, with nothing assigned. A position that does not exist is an error; it never
        jumps to the end of the topic. `wait_ms`: how long a broker holds back the answer that there is
        nothing yet.
        """
        return AIOKafkaConsumer(
            **self.common(),
            isolation_level=isolation,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        )

    def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """A producer. With an id, starting it fences every other producer of that id and ends its
        transaction.
        """
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
            linger_ms=0,  # whole batches are sent: there is nothing to wait for
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            compression_type=self.compression,
        )

    def admin(self) -> AIOKafkaAdminClient:
        """A client that lists, describes and creates topics."""
        return AIOKafkaAdminClient(**self.common())
