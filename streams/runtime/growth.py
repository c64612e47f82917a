"""Notices when a topic gets more partitions while the app runs.

Otherwise nobody would notice: the new partitions of an input would not be read, and events of a person would
be forwarded to a partition that does not own the person.
"""

import asyncio
from collections.abc import Mapping

from streams.errors import Incompatible, StreamsError
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.quirks import cluster_metadata
from streams.log.kafka.topics.cluster import admin
from streams.runtime.assignor import GROWN
from streams.topology import OWN_TOPICS, own_topic

# A person adds partitions by hand, and collectors use them some time later. Each look lists the cluster's
# topics.
LOOK_EVERY_S = 60.0


def expected(log: KafkaLog) -> dict[str, int]:
    """The number of partitions of each topic when the app was started."""
    own = {own_topic(log.app, topic): 1 if topic.single else log.partitions for topic in OWN_TOPICS}
    return log.inputs | own


def compare(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raises Incompatible, which says what to do. A missing topic is no change: a broker that restarts may
    not know it yet.
    """
    if wrong := [
        f"{topic} has {found[topic]} and had {count}"
        for topic, count in sorted(expected.items())
        if found.get(topic, count) != count
    ]:
        changes = ", ".join(wrong)
        raise Incompatible(
            f"the number of partitions was changed while the app was running: {changes}. {GROWN}"
        )


async def counts(cluster: Cluster) -> dict[str, int]:
    """The number of partitions of each topic of the cluster. Raises Refused, Unavailable."""
    async with admin(cluster, "the cluster's topics cannot be listed") as client:
        listed = await cluster_metadata(client)
    return {topic["topic"]: len(topic["partitions"]) for topic in listed["topics"] if topic["partitions"]}


async def watch(log: KafkaLog) -> None:
    """Looks from time to time; ends only by raising Incompatible."""
    while True:
        try:
            found = await counts(log.cluster)
        except StreamsError:  # the agents, who read and write there, report it
            found = {}
        compare(expected(log), found)
        await asyncio.sleep(LOOK_EVERY_S)
