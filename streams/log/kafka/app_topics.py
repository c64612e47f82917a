"""What the topics of an app are called on a cluster, and which partitions of its inputs each agent reads."""

from collections.abc import Mapping

from aiokafka import TopicPartition

from streams.log.grouping import NAMES
from streams.topology import EVENTS, INBOX, SINGLE, source_name, split_source


class AppTopics:
    """The topics of one app. Its own have `partitions` partitions each; `inputs` are other people's, with
    their numbers of partitions. An app that has not read anything yet has none for those who only ask.
    """

    def __init__(self, app: str, inputs: Mapping[str, int], partitions: int) -> None:
        assert partitions > 0, partitions
        self.app, self.inputs, self.partitions = app, dict(inputs), partitions
        # Agent n reads partition n of these.
        self.co_partitioned = tuple(name for name, count in inputs.items() if count == partitions)
        # The partitions of these are distributed over the agents, so most of their events are forwarded.
        self.round_robin = tuple(name for name, count in inputs.items() if count != partitions)

    def topic(self, name: str) -> str:
        """The topic's name on the cluster; `events` stands for the first input."""
        assert name in NAMES or name in SINGLE, name
        return next(iter(self.inputs)) if name == EVENTS.name else f"{self.app}.{name}"

    def sources(self, partition: int) -> tuple[str, ...]:
        """What the agent of this partition reads, the inbox last."""
        round_robin = (
            source_name(name, number)
            for name in self.round_robin
            for number in range(partition, self.inputs[name], self.partitions)
        )
        return (
            *(source_name(name, partition) for name in self.co_partitioned),
            *round_robin,
            source_name(INBOX.name, partition),
        )

    def topic_partition(self, source: str) -> TopicPartition:
        """Where a source is on the cluster."""
        topic, partition = split_source(source)
        return TopicPartition(self.topic(topic) if topic == INBOX.name else topic, partition)
