"""Where `announce` begins: with what is published after it was turned on. A first start posts nothing old.

The positions of the agents' group are shared by all agents, and a user's agent begins at the beginning. So
what announce begins with is written beside the position, in the commit's metadata, and is kept there by each
later commit. It is read before this worker publishes anything, so nothing that comes after the start is
passed over, whenever the group hands out partitions.
"""

import re
from collections.abc import Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.types import AppT

from streams.host.process import Process
from streams.log.kafka import quirks
from streams.log.kafka.client import OPEN_TIMEOUT_S
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop
from streams.topology import agents_group

_METADATA = re.compile(r"announce from (\d+)")


class AnnounceStart:
    """The offset of each partition of the transitions with which announce begins."""

    def __init__(self, process: Process, topic: str, is_alone: Callable[[], bool]) -> None:
        """`is_alone`: whether no other agent reads the transitions, so that the rest can be left unread."""
        self._process, self._topic, self._is_alone = process, topic, is_alone
        self._begins: dict[int, int] = {}  # by partition

    async def before_work(self) -> None:
        """Notes where transitions end, in the group if it has no members yet. Raises Refused, Unavailable."""
        process = self._process
        cluster, group = process.cluster, agents_group(process.deployment.app)
        options = {**cluster.common(), "group_id": group, "enable_auto_commit": False}
        consumer = AIOKafkaConsumer(**options, isolation_level="read_committed", auto_offset_reset="none")
        await start(consumer, cluster, f"no answer from {cluster.bootstrap}")
        try:
            async with cluster_errors(f"positions of group {group} cannot be read", OPEN_TIMEOUT_S):
                await quirks.know_topic(consumer, self._topic)
                partitions = consumer.partitions_for_topic(self._topic) or ()
                places = [TopicPartition(self._topic, number) for number in sorted(partitions)]
                consumer.assign(places)
                await self.begin(consumer, places)
        finally:
            await stop(consumer)

    async def begin(self, consumer: AIOKafkaConsumer, places: Collection[TopicPartition]) -> None:
        """Learns where announce begins in these partitions, or decides it and commits that."""
        mine = [place for place in places if place.topic == self._topic]
        committed = await quirks.committed(consumer, mine)
        new = []
        for place in mine:
            found = committed.get(place)
            begun = None if found is None else _METADATA.fullmatch(found.metadata)
            if begun is not None:
                self._begins[place.partition] = int(begun[1])
            else:
                new.append(place)
        if not new:
            return
        ends = await consumer.end_offsets(new)
        firsts: Mapping[TopicPartition, int] = (
            ends if self._is_alone() else await consumer.beginning_offsets(new)
        )
        positions = {}
        for place in new:
            begin = self._begins.setdefault(place.partition, ends[place])
            found = committed.get(place)
            offset = min(firsts[place], begin) if found is None else found.offset
            positions[place] = OffsetAndMetadata(offset, self.metadata(place))
        try:
            await consumer.commit(positions)
        except KafkaError:
            # The group has members, and this consumer is none: the member that gets a partition commits this.
            # Or partitions move: then the next member does.
            return

    def metadata(self, place: TopicPartition) -> str:
        """What to write beside a position; empty for another topic."""
        begin = self._begins.get(place.partition) if place.topic == self._topic else None
        return "" if begin is None else f"announce from {begin}"

    def is_old(self, partition: int, offset: int) -> bool:
        """Whether a transition was published before announce was turned on."""
        return offset < self._begins.get(partition, 0)


def announce_start_of(app: AppT) -> AnnounceStart | None:
    """Where announce begins in this app. None: nothing is announced."""
    found = getattr(app, "announce_start", None)
    assert found is None or isinstance(found, AnnounceStart), type(found)
    return found
