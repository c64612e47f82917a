"""Which worker runs which partitions: decided by one member of the group for all of them, on what each says it has.

An agent that moves takes its state with it, read anew from the broker; one that stays goes on as if nothing had happened. So who has a partition
keeps it, and as few move as can be. Partition 3 is partition 3 of every topic that is read together, and of what is handed over.

A member's claim travels with its request to join: what it was given last, and in which generation. Of two who claim the same, one was away and
does not know better (a process that was stopped and woke up): the newer generation is right.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from streams.errors import Incompatible

GROWN = (
    "If that is an input, start the workers again: they hand its events over to where people live (with home = input they refuse). The app's own"
    " number holds for its life, since it decides where people live: for another one, start a new app id, with topics of the new number, and replay"
)


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What a member was given last. Nothing: generation 0."""

    generation: int = 0
    partitions: tuple[int, ...] = ()


class Given(msgspec.Struct, frozen=True, array_like=True):
    """What a member is told beside its partitions."""

    generation: int
    members: int  # of the group, itself too


class Plan(NamedTuple):
    """Who gets what."""

    partitions: dict[str, list[int]]
    generation: int


def balance(partitions: int, claims: Mapping[str, Claim]) -> Plan:
    """Every partition to exactly one member, numbers that differ by at most one, and as few moves as that allows.

    The same claims give the same plan, and members who claim what they were given are given it again.
    """
    assert claims, "somebody has to be there"
    free = set(range(partitions))
    held: dict[str, list[int]] = {}
    for member in sorted(claims, key=lambda name: (-claims[name].generation, name)):
        held[member] = sorted(free.intersection(claims[member].partitions))
        free.difference_update(held[member])
    # What does not divide goes to those who hold most: they would have to give away more otherwise.
    order = sorted(held, key=lambda name: (-len(held[name]), name))
    least, more = divmod(partitions, len(order))
    plan = {member: held[member][: least + (rank < more)] for rank, member in enumerate(order)}
    rest = sorted(set(range(partitions)).difference(*plan.values()))
    for rank, member in enumerate(order):
        missing = least + (rank < more) - len(plan[member])
        plan[member] = sorted(plan[member] + rest[:missing])
        rest = rest[missing:]
    return Plan(plan, 1 + max(claim.generation for claim in claims.values()))


def counted(counts: Mapping[str, int], partitions: int) -> None:
    """Raises Incompatible, which says what to do, for a topic that has not as many partitions as the app."""
    if wrong := [f"{topic} has {count}" for topic, count in sorted(counts.items()) if count != partitions]:
        raise Incompatible(
            f"the app was started with {partitions} partitions, but now {', '.join(wrong)}. {GROWN}"
        )


class Assignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka ships no types
    """`balance`, as aiokafka calls it. An instance belongs to one member: it remembers what that one was given."""

    name = "streams-sticky"

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.claim = Claim()
        self.members = 0
        self.failure: Incompatible | None = (
            None  # aiokafka makes something else of whatever is raised in here
        )

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, sorted(topics), msgspec.msgpack.encode(self.claim))

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        given = msgspec.msgpack.decode(assignment.user_data, type=Given)
        self.claim = Claim(
            given.generation, tuple(sorted({place.partition for place in assignment.partitions()}))
        )
        self.members = given.members

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Members may read different inputs while workers are replaced by such with other settings: each gets its own topics only."""
        found = {
            topic: cluster.partitions_for_topic(topic)
            for member in members.values()
            for topic in member.subscription
        }
        if missing := sorted(topic for topic, numbers in found.items() if not numbers):
            raise LookupError(
                f"the broker does not know {', '.join(missing)} now"
            )  # asked again at the next try
        try:
            counted({topic: len(numbers) for topic, numbers in found.items() if numbers}, self.partitions)
        except Incompatible as failure:
            self.failure = failure
            raise
        plan = balance(self.partitions, {name: claimed(member.user_data) for name, member in members.items()})
        given = msgspec.msgpack.encode(Given(plan.generation, len(members)))
        return {
            name: ConsumerProtocolMemberAssignment(
                0,
                [(topic, plan.partitions[name]) for topic in sorted(member.subscription)]
                if plan.partitions[name]
                else [],
                given,
            )
            for name, member in members.items()
        }


def claimed(user_data: bytes | None) -> Claim:
    """What cannot be read claims nothing: a member of another version may write it otherwise."""
    try:
        return msgspec.msgpack.decode(user_data or b"", type=Claim)
    except msgspec.DecodeError:
        return Claim()
