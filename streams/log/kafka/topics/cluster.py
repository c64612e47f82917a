"""Looks at a cluster's topics and makes new ones, for `streams topics` and when a worker starts.

Nothing is asked for by name: a broker that makes topics by itself would make each one that is asked for, with
one partition. So all topics are listed, and only what exists is looked at more closely.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.errors import ConfigError, Refused, Unavailable
from streams.log.kafka import quirks
from streams.log.kafka.client import Cluster
from streams.log.kafka.errors import cluster_errors, failure
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.topics.model import ClusterTopics, ExistingTopic, TopicPlan, WantedTopics
from streams.log.kafka.topics.plan import own_topics, plan_topics

TRANSACTION_MAX = "transaction.max.timeout.ms"
CREATE_TIMEOUT_MS = 30_000  # a controller with many topics takes a while
APPEAR_S = 30.0  # brokers learn of a new topic from the controller, one after the other
APPEAR_POLL_S = 0.2


@asynccontextmanager
async def admin(cluster: Cluster, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises Refused or Unavailable, whose messages begin with `what`."""
    client = cluster.admin()
    await start(client, cluster, what)
    try:
        async with cluster_errors(what):
            yield client
    finally:
        await stop(client)


async def look(client: Any, names: Iterable[str]) -> ClusterTopics:
    """Looks at these topics, as far as they exist and we may see them."""
    wanted = set(names)
    listed = await quirks.cluster_metadata(client)
    there = {
        topic["topic"]: topic["partitions"]
        for topic in listed["topics"]
        if topic["topic"] in wanted and topic["partitions"]
    }
    brokers = sorted(broker["node_id"] for broker in listed["brokers"])
    configs, refused = await _configs(
        client, [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(wanted)]
    )
    limits, _ = await _configs(
        client,
        [ConfigResource(ConfigResourceType.BROKER, str(node), {TRANSACTION_MAX: None}) for node in brokers],
    )
    topics = {
        name: ExistingTopic(
            len(partitions), min(len(partition["replicas"]) for partition in partitions), configs.get(name)
        )
        for name, partitions in there.items()
    }
    allowed_ms = [int(limit[TRANSACTION_MAX]) for limit in limits.values() if TRANSACTION_MAX in limit]
    return ClusterTopics(
        len(brokers), topics, frozenset(refused - topics.keys()), min(allowed_ms, default=None)
    )


async def _configs(
    client: Any, resources: Sequence[ConfigResource]
) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Settings by topic or broker, and the names whose settings we may not see. What does not exist is in
    neither.
    """
    found: dict[str, dict[str, str]] = {}
    refused: set[str] = set()
    for answer in await client.describe_configs(list(resources)):
        for code, message, _, name, entries, *_ in answer.resources:
            if code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
            elif code in (
                errors.TopicAuthorizationFailedError.errno,
                errors.ClusterAuthorizationFailedError.errno,
            ):
                refused.add(name)
            elif code != errors.UnknownTopicOrPartitionError.errno:
                raise errors.for_code(code)(message or name)
    return found, refused


async def topic_setting(cluster: Cluster, topic: str, name: str) -> str | None:
    """One setting of a topic; None if we have no right to see it. Raises Refused, Unavailable."""
    async with admin(cluster, f"the settings of {topic} cannot be read") as client:
        found, _ = await _configs(client, [ConfigResource(ConfigResourceType.TOPIC, topic, {name: None})])
    return found.get(topic, {}).get(name)


async def planned(cluster: Cluster, wanted: WantedTopics) -> TopicPlan:
    """What `streams topics plan` shows. Raises ConfigError, Refused or Unavailable."""
    async with admin(cluster, f"the topics of {cluster.bootstrap} cannot be looked at") as client:
        return plan_topics(await look(client, [*wanted.inputs, *own_topics(wanted.app)]), wanted)


async def applied(cluster: Cluster, wanted: WantedTopics) -> tuple[TopicPlan, TopicPlan]:
    """Makes what is missing and waits until brokers know of it: the plan, and how it is then. Nothing is made
    when anything is wrong.

    Raises ConfigError or Incompatible for what is wrong, Refused, Unavailable. What others make in the
    meantime is left as they made it.
    """
    async with admin(cluster, f"the topics of {cluster.bootstrap} cannot be made") as client:
        names = [*wanted.inputs, *own_topics(wanted.app)]
        existing = await look(client, names)
        before = plan_topics(existing, wanted)
        if before.wrong is not None:
            raise before.wrong
        if before.to_create:
            new = [
                NewTopic(line.topic, line.partitions, line.replicas, topic_configs=dict(line.config))
                for line in before.to_create
            ]
            for name, code, message in (
                await client.create_topics(new, timeout_ms=CREATE_TIMEOUT_MS)
            ).topic_errors:
                if code == errors.TopicAlreadyExistsError.errno and name in existing.hidden:
                    raise Refused(f"{name} cannot be seen, but exists: the right Describe is missing")
                if code not in (0, errors.TopicAlreadyExistsError.errno):
                    raise failure(f"{name} cannot be made", errors.for_code(code)(message or name), of=name)
        deadline = asyncio.get_running_loop().time() + APPEAR_S
        while True:
            after = plan_topics(await look(client, names), wanted)
            if not after.to_create or after.wrong is not None:
                return before, after
            if asyncio.get_running_loop().time() > deadline:
                waiting = ", ".join(line.topic for line in after.to_create)
                raise Unavailable(
                    f"{waiting} cannot be seen {APPEAR_S:.0f} s after being made: is the right Describe "
                    "missing?"
                )
            await asyncio.sleep(APPEAR_POLL_S)


async def checked(cluster: Cluster, app: str, inputs: Sequence[str]) -> tuple[int, dict[str, int], list[str]]:
    """For a worker: the app's partitions, those of each input, and what is unwise, a line each.

    Raises ConfigError for a topic that is missing, Incompatible for one that is wrong, Refused, Unavailable.
    """
    found = await planned(cluster, WantedTopics(app, inputs))
    if (wrong := found.wrong) is not None:
        raise wrong
    if found.to_create:
        missing = ", ".join(line.topic for line in found.to_create)
        hidden = (
            " (or we have no right to see some of them: Describe)"
            if any(line.details for line in found.to_create)
            else ""
        )
        raise ConfigError(
            f"there is no topic {missing} on {cluster.bootstrap}{hidden}: `streams topics apply` makes what "
            "is missing"
        )
    return (
        found.partitions,
        {line.topic: line.partitions for line in found.lines if line.input},
        found.warnings,
    )
