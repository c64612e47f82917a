"""Consumers that are members of a group: the workers of an app, and the agents that users add to them.

A worker process is a member of both groups at once, with the same timing: when it dies, both groups take its
partitions away after the same time.
"""

from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from streams.log.kafka.client import Cluster
from streams.log.kafka.lifecycle import start

HEARTBEATS = 12  # per session: one every half second of six, so that a few lost ones do no harm
# A join is answered when all members have come or the session is over; a request waits a little longer.
JOIN_ANSWER_MS = 10_000
METADATA_AGE_MS = 30_000  # how often the number of partitions is asked for
# And a session: then a join is tried anew. Without a bound, aiokafka looks for the group's broker for ever.
JOIN_S = 30.0


class ConsumerGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group on a cluster, and how this process is a member of it."""

    cluster: Cluster
    name: str
    instance: str | None  # the name of this member; None: it has none, and moves partitions when it restarts
    session_ms: int  # without a heartbeat, until the group takes this member for dead

    def consumer(self, assignor: Any, **reading: Any) -> AIOKafkaConsumer:
        """A consumer, not started yet, that commits nothing by itself. `reading`: options of aiokafka."""
        return AIOKafkaConsumer(
            **{**self.cluster.common(), "request_timeout_ms": self.session_ms + JOIN_ANSWER_MS},
            group_id=self.name,
            group_instance_id=self.instance,
            partition_assignment_strategy=[assignor],
            enable_auto_commit=False,
            session_timeout_ms=self.session_ms,
            rebalance_timeout_ms=self.session_ms,
            heartbeat_interval_ms=max(1, self.session_ms // HEARTBEATS),
            metadata_max_age_ms=METADATA_AGE_MS,
            **reading,
        )

    async def start(self, consumer: AIOKafkaConsumer) -> None:
        """Starts a consumer; if it is subscribed already, joins with it. Raises Refused or Unavailable."""
        timeout_s = JOIN_S + self.session_ms / 1000
        await start(consumer, self.cluster, f"group {self.name} cannot be joined", timeout_s)
