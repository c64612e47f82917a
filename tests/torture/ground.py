"""What a run stands on: its topics, and what is done to them and to the brokers."""

import asyncio
import signal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.topology import EVENTS, TOPICS, Cleanup
from tests.kafka.broker import start
from tests.torture.plan import PARTITIONS, UNKEYED_PARTITIONS, Hit

COMPACTED_SOON = {"segment.ms": "5000", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}  # so that restarts restore what is compacted
REFUSED_BYTES = 300  # of a batch: any transition is larger


class Brokers:
    """The brokers of one run."""

    def __init__(self, count: int) -> None:
        """Starts them. Raises Missing where there is nothing to start."""
        self.count = count
        self.bootstrap, self.process = start()

    def __str__(self) -> str:
        return f"{self.count} broker" + "s" * (self.count > 1)

    async def hit(self, hit: Hit) -> str:
        for_s = 0.5 + 4 * hit.wait
        self.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(for_s)
        self.process.send_signal(signal.SIGCONT)
        return f"SIGSTOP for {for_s:.1f} s: the broker"


class Ground:
    """The topics of one run."""

    def __init__(self, brokers: Brokers, app: str) -> None:
        self.bootstrap, self.app, self.replicas = brokers.bootstrap, app, brokers.count
        self.inputs = (f"{app}.web", f"{app}.others")

    async def make(self) -> None:
        """Creates them. Raises AssertionError when the brokers do not want to."""
        safe = {"min.insync.replicas": "2" if self.replicas > 2 else "1"}
        kept = {"retention.ms": "-1", **safe}
        counts = zip(self.inputs, (PARTITIONS, UNKEYED_PARTITIONS), strict=True)
        topics = [NewTopic(name, count, self.replicas, topic_configs=kept) for name, count in counts]
        for topic in TOPICS:
            if topic is EVENTS:
                continue
            own = {"cleanup.policy": "compact", **COMPACTED_SOON, **safe} if topic.cleanup is Cleanup.COMPACT else kept
            topics.append(NewTopic(f"{self.app}.{topic.name}", PARTITIONS, self.replicas, topic_configs=own))
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics(topics, timeout_ms=30_000)
            failed = [error for error in answer.topic_errors if error[1]]
            assert not failed, failed
        finally:
            await admin.close()

    async def refuse(self, for_s: float) -> None:
        """For a while, transitions are refused as too large: whoever commits without looking whether its batches were taken, loses them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            for size in (str(REFUSED_BYTES), str(1 << 20)):
                configs = {"retention.ms": "-1", "min.insync.replicas": "2" if self.replicas > 2 else "1", "max.message.bytes": size}
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{self.app}.transitions", configs)])
                await asyncio.sleep(for_s if size == str(REFUSED_BYTES) else 0)
        finally:
            await admin.close()
