"""Every topic, once: its name, its key, what is in it, how long it is kept, who writes it. And what else of
an app has a name on a cluster.

`streams topology` prints this list. The log adapters, the docs and the topics on a broker are made from it;
nothing else names a topic, a group or a transaction.
"""

from enum import StrEnum

import msgspec

import schemas

# The record key of a person, in words. With tenants, the tenant and U+001F come before the id.
PERSON = "the person's id"

# Partitions of an app. Each has an agent and a checkpoint, and far fewer keep any machine busy.
MAX_PARTITIONS = 1_024


class Cleanup(StrEnum):
    """What a log does with old records."""

    DELETE = "delete"  # append-only; dropped by age
    COMPACT = "compact"  # the latest value per key stays


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic of an app; on a broker its name is `<app>.<name>`."""

    name: str
    key: str  # in words
    value: str  # in words
    types: tuple[type, ...] = ()  # of the value; for the dead letters, of the headers; (): plain bytes
    cleanup: Cleanup
    writer: str = "agent"
    single: bool = False  # has one partition, however many the app has
    about: str


EVENTS = Topic(
    name="events",
    key="any, best the person's id",
    value="a record as it came",
    cleanup=Cleanup.DELETE,
    writer="collectors; replay and run",
    about="the clickstream",
)
TRANSITIONS = Topic(
    name="transitions",
    key=PERSON,
    value="Transition",
    types=(schemas.Transition,),
    cleanup=Cleanup.DELETE,
    about="every step of every journey, with corrections",
)
CUES = Topic(
    name="cues",
    key=PERSON,
    value="Cue",
    types=(schemas.Cue,),
    cleanup=Cleanup.DELETE,
    about="what happened inside moments: a denied coupon, a slow page, with corrections",
)
TALLIES = Topic(
    name="tallies",
    key="partition, cell",
    value="Tally",
    types=(schemas.Tally,),
    cleanup=Cleanup.COMPACT,
    about="funnel counters, absolute per partition",
)
CURRENT = Topic(
    name="current",
    key=PERSON,
    value="Current",
    types=(schemas.Current,),
    cleanup=Cleanup.COMPACT,
    about="where each user is now",
)
CURRENT_DEVICES = Topic(
    name="current_devices",
    key=PERSON,
    value="Current",
    types=(schemas.Current,),
    cleanup=Cleanup.COMPACT,
    about="where each device is now on which nobody was signed in",
)
IDENTITIES = Topic(
    name="identities",
    key="the device's id",
    value="Identity",
    types=(schemas.Identity,),
    cleanup=Cleanup.COMPACT,
    about="whose each device is, by who was signed in there last",
)
JOURNEYS = Topic(
    name="journeys",
    key=PERSON,
    value="JourneyRecord or RefundRecord",
    types=(schemas.JourneyRecord, schemas.RefundRecord),
    cleanup=Cleanup.DELETE,
    about="finished journeys, never corrected",
)
LATE = Topic(
    name="late",
    key=PERSON,
    value="the item as it came, or a CanonicalEvent",
    types=(schemas.LateHeaders,),
    cleanup=Cleanup.DELETE,
    about="events that came too late to count",
)
REJECTED = Topic(
    name="rejected",
    key="none",
    value="the item as it came",
    types=(schemas.RejectedHeaders,),
    cleanup=Cleanup.DELETE,
    about="records that could not be read",
)
REDRIVEN = Topic(
    name="redriven",
    key="item, command",
    value="Receipt",
    types=(schemas.Receipt,),
    cleanup=Cleanup.DELETE,
    about="how redriven items ended: receipts for `streams redrive`",
)
PROGRESS = Topic(
    name="progress",
    key="partition",
    value="PartitionProgress",
    types=(schemas.PartitionProgress,),
    cleanup=Cleanup.COMPACT,
    about="how far each partition has come, how items ended, and which journeys are under way",
)
INBOX = Topic(
    name="inbox",
    key=PERSON,
    value="Forwarded, Redriven or WatermarkReport",
    cleanup=Cleanup.DELETE,
    writer="agent; redrive",
    about="messages to partitions: events on their way to their owner, and redriven items",
)
STATE = Topic(
    name="state",
    key="internal",
    value="internal",
    cleanup=Cleanup.COMPACT,
    about="what an agent needs to go on, with its checkpoint",
)

APP = Topic(
    name="app",
    key="app",
    value="AppRecord",
    cleanup=Cleanup.COMPACT,
    writer="worker",
    single=True,
    about="what the app runs under: its fold settings, its rules, its inputs (on Kafka only)",
)

FUNNEL = Topic(
    name="funnel",
    key="cell",
    value="FunnelTotal",
    types=(schemas.FunnelTotal,),
    cleanup=Cleanup.COMPACT,
    writer="the worker that has partition 0",
    single=True,
    about="funnel counters, added up over the partitions (on Kafka only)",
)

REPEATABLE = (
    TRANSITIONS,
    CUES,
    TALLIES,
    CURRENT,
    CURRENT_DEVICES,
    IDENTITIES,
    JOURNEYS,
    LATE,
    REJECTED,
    REDRIVEN,
)
"""What a replay writes once more."""
OUTPUTS = (*REPEATABLE, PROGRESS)
TOPICS = (EVENTS, *OUTPUTS, INBOX, STATE)
"""What every log has."""
KAFKA_TOPICS = (APP, FUNNEL)
"""What an app has on Kafka besides: there several processes share it."""
SINGLE = frozenset(topic.name for topic in KAFKA_TOPICS if topic.single)
"""Those of one partition, however many the app has."""
OWN_TOPICS = (*(topic for topic in TOPICS if topic is not EVENTS), *KAFKA_TOPICS)
"""The topics `<app>.<name>` on a cluster."""
PUBLISHED = (*OUTPUTS, FUNNEL)
"""What others read."""

AGENTS_SUFFIX = "-agents"  # of the group in which the agents of users read

_INBOX_SOURCE = f"{INBOX.name}:"


def own_topic(app: str, topic: Topic) -> str:
    """The name of one of an app's own topics on a cluster."""
    assert topic is not EVENTS, "the clickstream belongs to others"
    return f"{app}.{topic.name}"


def agents_group(app: str) -> str:
    """The group in which the agents of users read. The group of the workers is called like the app."""
    return app + AGENTS_SUFFIX


def partition_transaction(app: str, partition: int) -> str:
    """The transactional id under which the agent of a partition writes."""
    return f"{app}-{partition}"


def single_transaction(app: str, topic: Topic) -> str:
    """The transactional id of whoever writes a topic that has one partition."""
    assert topic.single, topic.name
    return own_topic(app, topic)


def source_name(topic: str, partition: int) -> str:
    """The name of a source, `topic:partition`.

    It can never change, because checkpoints store under it how far the source was read.
    """
    return f"{topic}:{partition}"


def split_source(source: str) -> tuple[str, int]:
    """The topic and the partition of a source, by its name."""
    topic, _, partition = source.rpartition(":")
    return topic, int(partition)


def is_inbox(source: str) -> bool:
    """True for the inbox: the source into which other partitions write."""
    return source.startswith(_INBOX_SOURCE)
