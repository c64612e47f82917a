"""Every topic, once: its name, its key, what is in it, how long it is kept, who writes it.

`streams topology` prints this; the log adapters, the docs and later the broker's topics are made from it. Nothing else names a topic.
"""

from enum import StrEnum

import msgspec

import schemas

MAX_PARTITIONS = 1_024  # of an app: each has an agent and a checkpoint, and far fewer keep any machine busy


class Cleanup(StrEnum):
    """What a log does with old records."""

    DELETE = "delete"  # append-only; dropped by age
    COMPACT = "compact"  # the latest value per key stays


class Topic(msgspec.Struct, frozen=True):
    """One topic of an app; on a broker its name is `<app>.<name>`."""

    name: str
    key: str  # in words
    value: str  # in words
    types: tuple[type, ...]  # of the value (of the headers, for the ledgers); () where it is bytes
    cleanup: Cleanup
    writer: str
    about: str


EVENTS = Topic(
    "events",
    "profile",
    "a record as it came",
    (),
    Cleanup.DELETE,
    "collectors; replay and run",
    "the clickstream",
)
TRANSITIONS = Topic(
    "transitions",
    "tenant, profile",
    "Transition",
    (schemas.Transition,),
    Cleanup.DELETE,
    "agent",
    "every step of every journey, with corrections",
)
TALLIES = Topic(
    "tallies",
    "partition, cell",
    "Tally",
    (schemas.Tally,),
    Cleanup.COMPACT,
    "agent",
    "funnel counters, absolute per partition",
)
CURRENT = Topic(
    "current",
    "tenant, profile, need",
    "Current",
    (schemas.Current,),
    Cleanup.COMPACT,
    "agent",
    "where each person is now",
)
JOURNEYS = Topic(
    "journeys",
    "tenant, profile",
    "JourneyRecord | RefundRecord",
    (schemas.JourneyRecord, schemas.RefundRecord),
    Cleanup.DELETE,
    "agent",
    "finished journeys, never corrected",
)
LATE = Topic(
    "late",
    "tenant, profile",
    "the record as it came",
    (schemas.LateHeaders,),
    Cleanup.DELETE,
    "agent",
    "events that came too late to count",
)
REJECTED = Topic(
    "rejected",
    "none",
    "the record as it came",
    (schemas.RejectedHeaders,),
    Cleanup.DELETE,
    "agent",
    "records that could not be read",
)
INBOX = Topic(
    "inbox",
    "person",
    "Forwarded | WatermarkReport",
    (),
    Cleanup.DELETE,
    "agent",
    "messages between partitions: events for the partition that owns their person",
)
STATE = Topic(
    "state",
    "internal",
    "internal",
    (),
    Cleanup.COMPACT,
    "agent",
    "what an agent needs to go on, with its checkpoint",
)

OUTPUTS = (TRANSITIONS, TALLIES, CURRENT, JOURNEYS, LATE, REJECTED)
TOPICS = (EVENTS, *OUTPUTS, INBOX, STATE)


def source_name(topic: str, partition: int) -> str:
    """The name of a source, `topic:partition`: for ever, since a checkpoint knows by it how far the source was read."""
    return f"{topic}:{partition}"


def split_source(source: str) -> tuple[str, int]:
    """Topic and partition of a source."""
    topic, _, partition = source.rpartition(":")
    return topic, int(partition)


def is_inbox(source: str) -> bool:
    """True for the source by which other partitions reach one."""
    return source.startswith(_INBOX_SOURCE)


_INBOX_SOURCE = f"{INBOX.name}:"
