"""Asks for the first and the next offset of partitions.

aiokafka leaves out of its answer what the brokers do not know, for example the partitions of a topic that was
deleted. Here that is an error like any other of the cluster.
"""

from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError


async def first_offsets(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    """The offset of the first record that still exists, by partition. Raises aiokafka's errors."""
    return _complete(await consumer.beginning_offsets(partitions), partitions)


async def next_offsets(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    """The end of what the consumer may read, by partition. Raises aiokafka's errors."""
    return _complete(await consumer.end_offsets(partitions), partitions)


async def offset_at(consumer: AIOKafkaConsumer, tp: TopicPartition, time_ms: int) -> int | None:
    """The offset of the first record whose timestamp is not before this time (ms); None: all are before it.

    Raises aiokafka's errors.
    """
    found = await consumer.offsets_for_times({tp: max(time_ms, 0)})
    if tp not in found:
        raise UnknownTopicOrPartitionError(tp.topic)
    return None if found[tp] is None else int(found[tp].offset)


def _complete(
    found: dict[TopicPartition, int], partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    for tp in partitions:
        if tp not in found:
            raise UnknownTopicOrPartitionError(tp.topic)
    return found
