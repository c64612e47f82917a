"""Looks at the inputs of an app: the ids of the topics, and which offsets their partitions hold."""

from collections.abc import Mapping

from aiokafka import TopicPartition

from streams.log.kafka import quirks
from streams.log.kafka.app_record import SeenInput, SeenOffsets
from streams.log.kafka.client import OPEN_TIMEOUT_S, Cluster
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.offsets import first_offsets, next_offsets
from streams.log.kafka.topic_ids import topic_ids
from streams.log.kafka.topics.cluster import admin

UNSEEN = "the inputs cannot be looked at"


async def look_at_inputs(cluster: Cluster, inputs: Mapping[str, int]) -> dict[str, SeenInput]:
    """The inputs as they are now; `inputs` has their numbers of partitions. Raises Refused, Unavailable."""
    async with admin(cluster, UNSEEN) as client:
        ids = await topic_ids(client, inputs)
    places = [TopicPartition(topic, number) for topic, count in inputs.items() for number in range(count)]
    consumer = cluster.consumer("read_uncommitted")  # the end shall be that of the topic
    await start(consumer, cluster, UNSEEN)
    try:
        async with cluster_errors(UNSEEN, OPEN_TIMEOUT_S):
            for topic in inputs:
                await quirks.know_topic(consumer, topic)
            first = await first_offsets(consumer, places)
            end = await next_offsets(consumer, places)
    finally:
        await stop(consumer)
    return {
        topic: SeenInput(
            ids.get(topic),
            {
                tp.partition: SeenOffsets(first[tp], max(first[tp], end[tp]))
                for tp in places
                if tp.topic == topic
            },
        )
        for topic in inputs
    }
