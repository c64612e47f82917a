"""Notices when a topic gets more partitions while the app runs.

Nobody would be told otherwise: the new partitions of an input would just not be read, and people would be looked for where they are not.
"""

import asyncio
from collections.abc import Mapping

from streams.errors import Incompatible, StreamsError
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topics.cluster import admin
from streams.runtime.assignor import GROWN
from streams.topology import EVENTS, TOPICS

LOOK_EVERY_S = 60.0  # somebody's hand does this, and it takes a while until collectors use what is new; each look lists the cluster's topics


def expected(log: KafkaLog) -> dict[str, int]:
    """How many partitions each topic had when the app was started."""
    return log.inputs | {log.topic(topic.name): log.partitions for topic in TOPICS if topic is not EVENTS}


def compare(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raises Incompatible, which says what to do. A topic that is not to be seen is no change: a broker that restarts may not know it yet."""
    if wrong := [
        f"{topic} has {found[topic]} and had {count}"
        for topic, count in sorted(expected.items())
        if found.get(topic, count) != count
    ]:
        raise Incompatible(
            f"the number of partitions was changed while the app was running: {', '.join(wrong)}. {GROWN}"
        )


async def counts(cluster: Cluster) -> dict[str, int]:
    """How many partitions each topic of the cluster has. Raises Refused, Unavailable."""
    async with admin(cluster, "the cluster's topics cannot be looked at") as client:
        listed = (await client._get_cluster_metadata()).to_object()
    return {topic["topic"]: len(topic["partitions"]) for topic in listed["topics"] if topic["partitions"]}


async def watch(log: KafkaLog) -> None:
    """Looks now and then; ends only by raising Incompatible."""
    while True:
        try:
            found = await counts(log.cluster)
        except StreamsError:  # whoever reads and writes there will tell
            found = {}
        compare(expected(log), found)
        await asyncio.sleep(LOOK_EVERY_S)
