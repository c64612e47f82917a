"""Decides which worker runs which partitions. One member of the group decides for all, by what each claims.

An agent that moves takes its state with it, which is read anew from the broker; an agent that stays goes on
as if nothing had happened. So members keep the partitions that they have, and as few as possible move.
Partition 3 is partition 3 of every topic that is read together, the inbox included.

A member's claim travels with its request to join: the partitions it was given last, and in which generation.
If two members claim the same partition, one of them was away and does not know better (a process that was
stopped and woke up): the newer generation is right.

The address at which a member can be asked for people travels with its claim, and each member receives who
has which partition where.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from streams.errors import Incompatible

GROWN = (
    "If that is an input, start the workers again: they forward its events to the partitions that own the "
    "people. The app's own number of partitions is fixed for its life, since it decides which partition owns "
    "a person: for another number, start a new app id, with topics of that number, and replay"
)


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """The partitions that a member was given last. Generation 0: none yet."""

    generation: int = 0
    partitions: tuple[int, ...] = ()
    address: str | None = None  # where the member can be asked for people, HOST:PORT; None: nowhere


class Given(msgspec.Struct, frozen=True, array_like=True):
    """What a member receives beside its partitions."""

    generation: int
    members: int  # of the group, this one included
    owners: dict[int, str] = {}  # partition -> address of its member, where that has one


class Shares(NamedTuple):
    """Who gets which partitions."""

    partitions: dict[str, list[int]]  # by member
    generation: int


def balance(partitions: int, claims: Mapping[str, Claim]) -> Shares:
    """Gives every partition to exactly one member, in equal shares (they differ by one at most), with the
    fewest moves that allow it.

    Equal claims give equal shares, and members who claim what they were given are given it again.
    """
    assert claims, "a group has a member"
    free = set(range(partitions))
    held: dict[str, list[int]] = {}
    for member in sorted(claims, key=lambda name: (-claims[name].generation, name)):
        held[member] = sorted(free.intersection(claims[member].partitions))
        free.difference_update(held[member])
    # The members that hold most get what does not divide: otherwise they would have to give away more.
    order = sorted(held, key=lambda name: (-len(held[name]), name))
    least, more = divmod(partitions, len(order))
    shares = {member: held[member][: least + (rank < more)] for rank, member in enumerate(order)}
    rest = sorted(set(range(partitions)).difference(*shares.values()))
    for rank, member in enumerate(order):
        missing = least + (rank < more) - len(shares[member])
        shares[member] = sorted(shares[member] + rest[:missing])
        rest = rest[missing:]
    return Shares(shares, 1 + max(claim.generation for claim in claims.values()))


def check_counts(counts: Mapping[str, int], partitions: int) -> None:
    """Raises Incompatible, which says what to do, if a topic has more or fewer partitions than the app."""
    if wrong := [f"{topic} has {count}" for topic, count in sorted(counts.items()) if count != partitions]:
        raise Incompatible(
            f"the app was started with {partitions} partitions, but now {', '.join(wrong)}. {GROWN}"
        )


class Assignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka ships no types
    """`balance`, as aiokafka calls it. One instance belongs to one member, and remembers its claim."""

    name = "streams-sticky"

    def __init__(self, partitions: int, address: str | None = None) -> None:
        """`address`: where this member can be asked for people, HOST:PORT; None: nowhere."""
        self.partitions = partitions
        self.claim = Claim(address=address)
        self.members = 0
        self.owners: dict[int, str] = {}
        # Kept, since aiokafka turns what is raised here into another error.
        self.failure: Incompatible | None = None

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, sorted(topics), msgspec.msgpack.encode(self.claim))

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        given = msgspec.msgpack.decode(assignment.user_data, type=Given)
        numbers = {topic_partition.partition for topic_partition in assignment.partitions()}
        self.claim = Claim(given.generation, tuple(sorted(numbers)), self.claim.address)
        self.members, self.owners = given.members, given.owners

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Each member gets partitions of the topics that it reads: members read different inputs while
        workers are replaced by ones with other settings.
        """
        topics = {topic for member in members.values() for topic in member.subscription}
        found = {topic: cluster.partitions_for_topic(topic) for topic in topics}
        if missing := sorted(topic for topic, numbers in found.items() if not numbers):
            # aiokafka asks again at its next try.
            raise LookupError(f"the broker does not know {', '.join(missing)} now")
        try:
            check_counts(
                {topic: len(numbers) for topic, numbers in found.items() if numbers}, self.partitions
            )
        except Incompatible as failure:
            self.failure = failure
            raise
        claims = {name: read_claim(one.user_data) for name, one in members.items()}
        shares = balance(self.partitions, claims)
        owners = owners_of((claims[name].address, numbers) for name, numbers in shares.partitions.items())
        given = msgspec.msgpack.encode(Given(shares.generation, len(members), owners))
        return {
            name: ConsumerProtocolMemberAssignment(
                0,
                [(topic, numbers) for topic in sorted(members[name].subscription)] if numbers else [],
                given,
            )
            for name, numbers in shares.partitions.items()
        }


def owners_of(members: Iterable[tuple[str | None, Iterable[int]]]) -> dict[int, str]:
    """Partition -> address, of members given as (address, partitions). Nobody can be asked for a partition
    that is not in it.
    """
    return {number: address for address, numbers in members if address is not None for number in numbers}


def read_claim(user_data: bytes | None) -> Claim:
    """A claim that cannot be read claims nothing: a member of another version may write it in another way."""
    try:
        return msgspec.msgpack.decode(user_data or b"", type=Claim)
    except msgspec.DecodeError:
        return Claim()
