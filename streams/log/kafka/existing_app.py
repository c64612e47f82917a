"""Opens the log of an app that runs already, for those who ask it questions: nobody has to name its inputs.

What an app has read is in its record, and in its checkpoints, which name each source `topic:partition`. The
cluster is asked for all of its topics and for none by name: some brokers make each topic that somebody asks
for.
"""

from collections.abc import Callable, Iterable, Mapping

from streams.errors import ConfigError, Incompatible, InputError
from streams.log.kafka import quirks
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.reader import SETTLE_S
from streams.log.kafka.topic_ids import topic_ids
from streams.log.kafka.topics.cluster import admin
from streams.topology import OWN_TOPICS, STATE, TALLIES, TRANSITIONS, is_inbox, own_topic, split_source

MAX_APPS_NAMED = 10  # in the message about an app that does not exist


async def open_existing_app(
    cluster: Cluster, app: str, sources_of: Callable[[bytes], Iterable[str]], settle_s: float = SETTLE_S
) -> KafkaLog:
    """A log to read, whose `inputs` are those that the app has read so far; it may have read none yet.

    `sources_of` gives the names of the sources in a checkpoint. `settle_s`: see KafkaLog. An input that was
    deleted is among the inputs with as many partitions as the app has read of it, and its name is in
    `deleted_inputs`; one that was made anew is in `stopped`, since it holds other records than were read.

    Raises ConfigError if the app or one of its topics does not exist, InputError if another release wrote its
    record, Incompatible if its topics do not belong together, whatever `sources_of` raises, Refused,
    Unavailable.
    """
    counts = await _partition_counts(cluster)
    partitions = _checked(cluster, app, counts)
    unaware = KafkaLog(cluster, app, {}, partitions, settle_s=settle_s)
    try:
        checkpoints, record = await unaware.checkpoints(), await unaware.app_record()
    except Incompatible as error:
        raise InputError(f"app {app} on {cluster.bootstrap} cannot be asked: {error}") from error
    finally:
        await unaware.close()
    # The partitions of each input, as far as the app has read them.
    known = {} if record is None else record.inputs
    read = {topic: len(seen.offsets) for topic, seen in known.items()}
    for raw in checkpoints:
        for source in () if raw is None else sources_of(raw):
            if not is_inbox(source):
                topic, partition = split_source(source)
                read[topic] = max(read.get(topic, 0), partition + 1)
    inputs = {topic: counts.get(topic, at_least) for topic, at_least in read.items()}
    deleted = tuple(topic for topic in read if topic not in counts)
    log = KafkaLog(cluster, app, inputs, partitions, settle_s=settle_s, deleted_inputs=deleted)
    for topic, seen in known.items():
        if seen.stopped is not None:
            log.stopped.stop(topic, seen.stopped)
    return log


async def id_of_app(log: KafkaLog) -> str | None:
    """A text that another app of this name would not have; None: the brokers give topics no ids."""
    topic = log.topic(TALLIES.name)
    async with admin(log.cluster, f"the id of {topic} cannot be asked for") as client:
        found = await topic_ids(client, [topic])
    return found.get(topic)


async def _partition_counts(cluster: Cluster) -> dict[str, int]:
    """The number of partitions of each topic of the cluster that we may see."""
    async with admin(cluster, f"the topics of {cluster.bootstrap} cannot be looked at") as client:
        listed = await quirks.cluster_metadata(client)
    return {topic["topic"]: len(topic["partitions"]) for topic in listed["topics"] if topic["partitions"]}


def _checked(cluster: Cluster, app: str, counts: Mapping[str, int]) -> int:
    """The number of partitions of the app."""
    own = [own_topic(app, topic) for topic in OWN_TOPICS]
    missing = [name for name in own if name not in counts]
    if missing == own:
        raise ConfigError(
            f"there is no app {app} on {cluster.bootstrap}, or the right to see its topics is missing: "
            f"Describe. {_apps_text(counts)}"
        )
    if missing:
        raise ConfigError(
            f"app {app} on {cluster.bootstrap} has no topic {', '.join(missing)} (or we have no right to see "
            "some of them: Describe): `streams topics apply` makes what is missing"
        )
    state = own_topic(app, STATE)
    partitions = counts[state]
    for topic in OWN_TOPICS:
        name, wanted = own_topic(app, topic), 1 if topic.single else partitions
        if counts[name] != wanted:
            raise Incompatible(
                f"{name} has {counts[name]} partitions and must have {wanted}, since {state} has "
                f"{partitions}: `streams topics plan` says what is wrong"
            )
    return partitions


def _apps_text(counts: Mapping[str, int]) -> str:
    """Which apps there are: what has both of the topics that no app is without."""
    apps = sorted(
        app
        for name in counts
        if (app := name.removesuffix(f".{STATE.name}")) != name and own_topic(app, TRANSITIONS) in counts
    )
    if not apps:
        return "No app that we can see is there"
    more = ", ..." if len(apps) > MAX_APPS_NAMED else ""
    return f"Apps there: {', '.join(apps[:MAX_APPS_NAMED])}{more}"
