"""What a run stands on: its topics, and what is done to them and to the brokers."""

import asyncio
from collections.abc import Coroutine

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.topology import OWN_TOPICS, Cleanup, own_topic
from tests.kafka.broker import cluster
from tests.torture.plan import PARTITIONS, UNKEYED_PARTITIONS, Hit

COMPACTED_SOON = {
    "segment.ms": "5000",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.01",
}  # so that restarts restore what is compacted
DOWN_S = (1.0, 8.0)  # of a broker: shorter and longer than it takes the others to notice
RECOVER_S = 3.0  # until it has caught up with the others
KILLED = 0.6  # of the hits on brokers; the others are frozen
REFUSED_BYTES = 300  # of a batch: any transition is larger


class Brokers:
    """One broker or a cluster of three, of our own."""

    def __init__(self, count: int) -> None:
        """Starts them. Raises Missing where there is nothing to start."""
        self.count = count
        self.cluster = cluster(count)
        self.bootstrap = self.cluster.bootstrap
        # One at a time: with two of three down nothing can be written, and nothing is learned from it.
        self._hurt = asyncio.Lock()

    def __str__(self) -> str:
        return f"{self.count} broker" + "s" * (self.count > 1)

    def hit(self, hit: Hit) -> tuple[str, Coroutine[None, None, None]]:
        """What is done, and what does it."""
        number = int(hit.victim * self.count)
        for_s = DOWN_S[0] + (DOWN_S[1] - DOWN_S[0]) * hit.wait
        if hit.victim * self.count % 1 < KILLED:
            return f"kill -9: broker {number + 1}, which comes back after {for_s:.1f} s", self._kill(
                number, for_s
            )
        return f"SIGSTOP for {for_s:.1f} s: broker {number + 1}", self._freeze(number, for_s)

    async def _kill(self, number: int, for_s: float) -> None:
        node = self.cluster.nodes[number]
        async with self._hurt:
            await asyncio.to_thread(node.kill)
            await asyncio.sleep(for_s)
            node.start()
            await asyncio.to_thread(node.answering)
            await asyncio.sleep(RECOVER_S)

    async def _freeze(self, number: int, for_s: float) -> None:
        node = self.cluster.nodes[number]
        async with self._hurt:
            node.freeze()
            await asyncio.sleep(for_s)
            node.wake()
            await asyncio.sleep(RECOVER_S)

    async def undisturbed(self, work: Coroutine[None, None, None]) -> None:
        """Does it while no broker is down."""
        async with self._hurt:
            await work

    def end(self) -> None:
        self.cluster.end()


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
        for topic in OWN_TOPICS:
            own = (
                {"cleanup.policy": "compact", **COMPACTED_SOON, **safe}
                if topic.cleanup is Cleanup.COMPACT
                else kept
            )
            count = 1 if topic.single else PARTITIONS
            topics.append(NewTopic(own_topic(self.app, topic), count, self.replicas, topic_configs=own))
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics(topics, timeout_ms=30_000)
            failed = [error for error in answer.topic_errors if error[1]]
            assert not failed, failed
        finally:
            await admin.close()

    async def refuse(self, for_s: float) -> None:
        """For a while, transitions are refused as too large: whoever commits without looking
        whether its batches were taken, loses them.
        """
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            for size in (str(REFUSED_BYTES), str(1 << 20)):
                configs = {
                    "retention.ms": "-1",
                    "min.insync.replicas": "2" if self.replicas > 2 else "1",
                    "max.message.bytes": size,
                }
                await admin.alter_configs(
                    [ConfigResource(ConfigResourceType.TOPIC, f"{self.app}.transitions", configs)]
                )
                await asyncio.sleep(for_s if size == str(REFUSED_BYTES) else 0)
        finally:
            await admin.close()
