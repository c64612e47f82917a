"""Works out what is to be done about an app's topics, from how they must be and how they are. It asks nobody.

What must hold for the numbers to be right is *wrong* if it does not, and nothing runs: one number of
partitions for all topics, and the cleanup policy. A compacted journal of transitions has holes; a state topic
that is deleted by age forgets people. What is only unwise is reported, and no more. Settings are made once,
with the topic: a person who changed one later meant it.
"""

from collections.abc import Mapping, Sequence

from streams.errors import ConfigError
from streams.log.kafka.client import TRANSACTION_TIMEOUT_MS
from streams.log.kafka.topics.config import (
    FOREVER,
    MIN_IN_SYNC,
    OWN_CONFIG,
    RECORD_BYTES,
    REPLICAS,
    SHORT_RETENTION_MS,
    SHOWN_SETTINGS,
)
from streams.log.kafka.topics.model import (
    ClusterTopics,
    ExistingTopic,
    TopicLine,
    TopicPlan,
    TopicVerdict,
    WantedTopics,
)
from streams.settings.durations import duration_text
from streams.topology import INBOX, OWN_TOPICS, STATE, Cleanup, Topic, own_topic

HIDDEN = "does not exist, or we have no right to see it: Describe"


def own_topics(app: str) -> list[str]:
    """The names of the app's own topics."""
    return [own_topic(app, topic) for topic in OWN_TOPICS]


def plan_topics(existing: ClusterTopics, wanted: WantedTopics) -> TopicPlan:
    """What is to be done. Raises ConfigError for what cannot be done on this cluster at all."""
    replicas = wanted.replicas or min(REPLICAS, existing.brokers)
    if replicas > existing.brokers:
        raise ConfigError(
            f"--replication {replicas}: there are {existing.brokers} brokers: at most one copy on each"
        )
    missing_input = any(name not in existing.topics for name in wanted.inputs)
    if wanted.create_inputs and wanted.partitions is None and missing_input:
        raise ConfigError("--create-inputs: give the number of partitions of an input: --partitions N")
    partitions = wanted.partitions or _partitions(existing, wanted)
    safety = {"min.insync.replicas": str(min(MIN_IN_SYNC, max(1, replicas - 1)))}
    planner = _Planner(existing, partitions, replicas, safety)
    lines = [planner.input(name, wanted.create_inputs) for name in wanted.inputs]
    lines += [planner.own(wanted.app, topic) for topic in OWN_TOPICS]
    notes, errors = _cluster(existing, replicas, chosen=wanted.replicas is None)
    return TopicPlan(wanted.app, partitions, tuple(lines), notes, errors)


def _partitions(existing: ClusterTopics, wanted: WantedTopics) -> int:
    """As many as the app has, which its state depends on; else as many as the first input has.

    No other topic has a say: a broker may have made one by itself, with one partition, for a reader who came
    before the app. It would not have compacted it, so a state topic that is not compacted has no say either.
    """
    state = existing.topics.get(own_topic(wanted.app, STATE))
    if state is not None and _policy(state) in (None, STATE.cleanup):
        return state.partitions
    for name in wanted.inputs[:1]:
        if (topic := existing.topics.get(name)) is not None:
            return topic.partitions
    return 0


def _policy(topic: ExistingTopic) -> str | None:
    """The cleanup policy of a topic; None if we may not see it."""
    return None if topic.config is None else topic.config.get("cleanup.policy")


class _Planner:
    """Judges one topic after the other."""

    def __init__(
        self, existing: ClusterTopics, partitions: int, replicas: int, safety: Mapping[str, str]
    ) -> None:
        self._existing, self._partitions, self._replicas = existing, partitions, replicas
        self._safety = safety

    def input(self, name: str, create: bool) -> TopicLine:
        """The line of a topic that other people write."""
        topic = self._existing.topics.get(name)
        if topic is None and create:
            return self._created(
                name, True, {"cleanup.policy": "delete", **self._safety}, partitions=self._partitions
            )
        if topic is None:
            absent = (
                HIDDEN
                if name in self._existing.hidden
                else "does not exist: make it, or see `streams topics apply --create-inputs`"
            )
            return TopicLine(
                topic=name, input=True, verdict=TopicVerdict.WRONG, details=(absent,), error=ConfigError
            )
        unwise = _unwise_input(topic, self._partitions)
        return _line(name, topic, TopicVerdict.UNWISE if unwise else TopicVerdict.FINE, unwise, input=True)

    def own(self, app: str, topic: Topic) -> TopicLine:
        """The line of one of the app's own topics."""
        name, partitions = own_topic(app, topic), 1 if topic.single else self._partitions
        config = {
            "cleanup.policy": topic.cleanup.value,
            "max.message.bytes": str(RECORD_BYTES),
            **OWN_CONFIG[topic.name],
            **self._safety,
        }
        found = self._existing.topics.get(name)
        if found is None:
            details = (HIDDEN,) if name in self._existing.hidden else ()
            return self._created(name, False, config, details, partitions=partitions)
        if wrong := _wrong(found, partitions, config["cleanup.policy"]):
            return _line(name, found, TopicVerdict.WRONG, wrong)
        unwise = []
        possible = min(self._existing.brokers, self._replicas)
        if found.replicas < min(REPLICAS, possible):
            unwise.append(
                f"has {found.replicas} replicas where there could be {possible}: what is on a broker that is "
                "lost is lost"
            )
        if found.config is None:
            unwise.append("its settings could not be looked at: that needs the right DescribeConfigs")
        else:
            unwise += _unwise(found.config, config)
        return _line(name, found, TopicVerdict.UNWISE if unwise else TopicVerdict.FINE, unwise)

    def _created(
        self,
        name: str,
        input: bool,
        config: Mapping[str, str],
        details: tuple[str, ...] = (),
        *,
        partitions: int,
    ) -> TopicLine:
        return TopicLine(
            topic=name,
            input=input,
            verdict=TopicVerdict.CREATE,
            partitions=partitions,
            replicas=self._replicas,
            config=config,
            details=details,
        )


def _line(
    name: str, topic: ExistingTopic, verdict: TopicVerdict, details: Sequence[str], *, input: bool = False
) -> TopicLine:
    """The line of a topic that exists."""
    config = topic.config or {}
    return TopicLine(
        topic=name,
        input=input,
        verdict=verdict,
        partitions=topic.partitions,
        replicas=topic.replicas,
        config={setting: config[setting] for setting in SHOWN_SETTINGS if setting in config},
        details=tuple(details),
    )


def _unwise_input(topic: ExistingTopic, partitions: int) -> list[str]:
    """What an input should have and has not."""
    config, details = topic.config or {}, []
    if topic.partitions != partitions and partitions:
        details.append(
            f"has {topic.partitions} partitions, the app {partitions}: its events take a way round through "
            f"{INBOX.name}, which costs about as much as reading them twice"
        )
    if "compact" in config.get("cleanup.policy", ""):
        details.append("is compacted: of each key only the last event is sure to be read")
    if 0 <= (retention_ms := int(config.get("retention.ms", FOREVER))) < SHORT_RETENTION_MS:
        details.append(
            f"is kept for {_text(retention_ms)}: events are lost when nothing runs for longer than that: "
            f"retention.ms, at least {_text(SHORT_RETENTION_MS)}"
        )
    return details


def _wrong(topic: ExistingTopic, partitions: int, cleanup: str) -> list[str]:
    """What one of the app's own topics must have and has not."""
    anew, details = "start a new app id (--app), make its topics, and replay", []
    if topic.partitions != partitions and partitions:
        details.append(
            f"has {_count(topic.partitions)}, and must have {partitions}: if no worker of this app has run "
            "yet, a broker may have made the topic by itself for a reader who came too early "
            f"(auto.create.topics.enable): delete it and apply again; else {anew}"
        )
    policy = _policy(topic)
    if policy is not None and policy != cleanup:
        lost = "records" if cleanup == Cleanup.DELETE.value else "what is known of people"
        details.append(
            f"has cleanup.policy={policy}, and must have {cleanup}; {lost} may be lost by now: {anew}"
        )
    return details


def _unwise(config: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What one of the app's own topics should have and has not."""
    details = []
    needed_bytes = int(wanted["max.message.bytes"])
    if (taken_bytes := int(config.get("max.message.bytes", needed_bytes))) < needed_bytes:
        details.append(
            f"takes records of {taken_bytes:,} bytes; one that is larger stops its partition: set "
            f"max.message.bytes={needed_bytes}"
        )
    kept_ms, wanted_ms = int(config.get("retention.ms", FOREVER)), int(wanted.get("retention.ms", FOREVER))
    deleted = wanted["cleanup.policy"] == Cleanup.DELETE.value
    if deleted and kept_ms >= 0 and (kept_ms < wanted_ms or wanted_ms == FOREVER):
        details.append(
            f"is kept for {_text(kept_ms)} and not for {_text(wanted_ms)}: set retention.ms={wanted_ms} if "
            "that is not on purpose"
        )
    if config.get("unclean.leader.election.enable") == "true":
        details.append(
            "may lose what was committed when brokers fail: set unclean.leader.election.enable=false"
        )
    return details


def _cluster(
    existing: ClusterTopics, replicas: int, *, chosen: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and errors about the cluster. `chosen`: the number of replicas is ours, and not the person's."""
    notes, errors = [], []
    if replicas < REPLICAS and chosen:
        there = "is one broker" if existing.brokers == 1 else f"are {existing.brokers} brokers"
        notes.append(
            f"there {there}: {replicas} {'copy' if replicas == 1 else 'copies'} of everything instead of "
            f"{REPLICAS}: not for production"
        )
    if existing.transaction_max_ms is None:
        notes.append(
            "the brokers' transaction.max.timeout.ms could not be looked at: that needs the right "
            "DescribeConfigs on the cluster"
        )
    elif existing.transaction_max_ms < TRANSACTION_TIMEOUT_MS:
        errors.append(
            f"the brokers allow transactions of {existing.transaction_max_ms} ms, and ours may take "
            f"{TRANSACTION_TIMEOUT_MS}: raise their transaction.max.timeout.ms"
        )
    return tuple(notes), tuple(errors)


def _count(partitions: int) -> str:
    return f"{partitions} partition{'' if partitions == 1 else 's'}"


def _text(ms: int) -> str:
    return "ever" if ms < 0 else duration_text(ms)
