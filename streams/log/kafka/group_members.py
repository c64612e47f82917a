"""The members of a consumer group, for somebody who is none of them."""

from typing import NamedTuple

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, for_code

from streams.log.kafka.client import Cluster
from streams.log.kafka.errors import failure
from streams.log.kafka.topics.cluster import admin


class GroupMember(NamedTuple):
    """A member, as the group's broker knows it."""

    claim: bytes | None  # what it sent when it joined, for the assignor
    partitions: frozenset[int]  # of whatever topics it was given


async def group_members(cluster: Cluster, group: str) -> list[GroupMember]:
    """The members of a group; none while it assigns its partitions anew. Raises Refused or Unavailable.

    A member that was started again under its static name has its newest claim here. The group assigns nothing
    anew then, so the others have the older one.
    """
    what = f"the members of group {group} cannot be asked for"
    async with admin(cluster, what) as client:
        try:
            # One group at a time: aiokafka misreads the answer about several.
            (answer,) = await client.describe_consumer_groups([group])
            ((code, *_, members),) = [described[:6] for described in answer.groups]
            if code:
                raise for_code(code)(group)
        except KafkaError as error:
            raise failure(what, error, of=group) from error
    return [
        GroupMember(
            ConsumerProtocolMemberMetadata.decode(metadata).user_data,
            frozenset(
                partition.partition
                for partition in ConsumerProtocolMemberAssignment.decode(assignment).partitions()
            ),
        )
        for *_, metadata, assignment in members
        if metadata and assignment
    ]
