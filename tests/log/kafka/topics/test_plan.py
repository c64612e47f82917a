"""What is to be done about an app's topics, worked out from what was seen: no broker is needed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from streams.core.ingest.event import MAX_RECORD_BYTES
from streams.errors import ConfigError, Incompatible
from streams.log.kafka.client import BATCH_BYTES, REQUEST_BYTES, TRANSACTION_TIMEOUT_MS
from streams.log.kafka.topics.config import OWN_CONFIG
from streams.log.kafka.topics.model import (
    ClusterTopics,
    ExistingTopic,
    TopicLine,
    TopicPlan,
    TopicVerdict,
    WantedTopics,
)
from streams.log.kafka.topics.plan import own_topics, plan_topics
from streams.settings.durations import DAYS, HOURS
from streams.topology import OWN_TOPICS, Cleanup

INPUT = ExistingTopic(4, 3, {"cleanup.policy": "delete", "retention.ms": str(7 * DAYS)})


def seen(
    topics: Mapping[str, ExistingTopic] = MappingProxyType({}),
    brokers: int = 3,
    limit_ms: int | None = 900_000,
    hidden: str = "",
) -> ClusterTopics:
    """A cluster with the input `clicks` and these topics."""
    return ClusterTopics(
        brokers, {"clicks": INPUT, **topics}, frozenset([hidden] if hidden else []), limit_ms
    )


def made(found: TopicPlan, **changed: dict[str, str]) -> dict[str, ExistingTopic]:
    """The topics as the plan would make them, some of them with other settings."""
    topics = {}
    for line in found.to_create:
        topics[line.topic] = ExistingTopic(
            line.partitions, line.replicas, dict(line.config) | changed.get(line.topic.partition(".")[2], {})
        )
    return topics


def line(found: TopicPlan, topic: str) -> TopicLine:
    """That topic's."""
    return next(line for line in found.lines if line.topic == topic)


WANTED = WantedTopics("shop", ["clicks"])


def test_a_new_app() -> None:
    """All its topics are made, with the partitions of the first input, three copies of which two
    must have a record; the input is left alone.
    """
    found = plan_topics(seen(), WANTED)
    assert (
        [f"shop.{topic.name}" for topic in OWN_TOPICS]
        == [one.topic for one in found.to_create]
        == own_topics("shop")
    )
    assert {(3, "2")} == {(one.replicas, one.config["min.insync.replicas"]) for one in found.to_create}
    assert [1 if topic.single else 4 for topic in OWN_TOPICS] == [one.partitions for one in found.to_create]
    assert (None, [], TopicVerdict.FINE) == (found.wrong, found.warnings, line(found, "clicks").verdict)
    assert all(
        one.config["cleanup.policy"] == topic.cleanup
        for one, topic in zip(found.to_create, OWN_TOPICS, strict=True)
    )


def test_every_topic_has_its_settings() -> None:
    """None is left to what a broker happens to have: each topic says how
    long it is kept, or how it is compacted.
    """
    assert set(OWN_CONFIG) == {topic.name for topic in OWN_TOPICS}
    for topic in OWN_TOPICS:
        assert ("retention.ms" in OWN_CONFIG[topic.name]) == (topic.cleanup is Cleanup.DELETE)


def test_the_largest_record_fits() -> None:
    """An input record as large as can be, forwarded with its headers; a batch; and what
    no client of ours could send need not fit.
    """
    for one in plan_topics(seen(), WANTED).to_create:
        takes = int(one.config["max.message.bytes"])
        assert max(MAX_RECORD_BYTES + 64 * 1024, BATCH_BYTES) < takes <= REQUEST_BYTES


def test_made_once_there_is_nothing_to_do() -> None:
    """What a plan would make satisfies the next one."""
    again = plan_topics(seen(made(plan_topics(seen(), WANTED))), WANTED)
    assert {TopicVerdict.FINE} == {one.verdict for one in again.lines}
    assert ([], None, []) == (again.to_create, again.wrong, again.warnings)


@pytest.mark.parametrize(
    ("brokers", "asked", "copies", "in_sync", "note"),
    [
        (1, None, 1, "1", "there is one broker: 1 copy of everything instead of 3: not for production"),
        (2, None, 2, "1", "there are 2 brokers: 2 copies of everything instead of 3: not for production"),
        (5, None, 3, "2", None),
        (5, 5, 5, "2", None),
        (3, 1, 1, "1", None),
    ],
)
def test_copies(brokers: int, asked: int | None, copies: int, in_sync: str, note: str | None) -> None:
    """As many as make sense, or as were asked for; fewer than three are
    reported, unless somebody wanted it so.
    """
    found = plan_topics(seen(brokers=brokers), WANTED._replace(replicas=asked))
    assert {(copies, in_sync)} == {
        (one.replicas, one.config["min.insync.replicas"]) for one in found.to_create
    }
    assert ([] if note is None else [note]) == found.warnings


def test_more_copies_than_brokers() -> None:
    """Cannot be."""
    with pytest.raises(ConfigError, match="--replication 3: there are 2 brokers"):
        plan_topics(seen(brokers=2), WANTED._replace(replicas=3))


ANEW = r"start a new app id \(--app\), make its topics, and replay"


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        (
            {"shop.late": ExistingTopic(5, 3, {}), "shop.state": ExistingTopic(4, 3, {})},
            rf"^shop\.late: has 5 partitions, and must have 4: .*; else {ANEW}$",
        ),
        (
            {"shop.late": ExistingTopic(1, 3, {"cleanup.policy": "delete"})},
            r"^shop\.late: has 1 partition, and must have 4: if no worker of this app has run yet, a broker "
            r"may have made the topic by itself .*: delete it and apply again; else ",
        ),
        (
            {"shop.state": ExistingTopic(1, 3, {"cleanup.policy": "delete"})},
            r"^shop\.state: has 1 partition, and must have 4: .*\n"
            r"shop\.state: has cleanup\.policy=delete, and must have compact",
        ),
        (
            {"shop.app": ExistingTopic(4, 3, {"cleanup.policy": "compact"})},
            r"^shop\.app: has 4 partitions, and must have 1: ",
        ),
        (
            {"shop.transitions": ExistingTopic(4, 3, {"cleanup.policy": "compact"})},
            rf"^shop\.transitions: has cleanup\.policy=compact, and must have delete; "
            rf"records may be lost by now: {ANEW}$",
        ),
        (
            {"shop.state": ExistingTopic(4, 3, {"cleanup.policy": "compact,delete"})},
            r"^shop\.state: has cleanup\.policy=compact,delete, and must have compact; "
            r"what is known of people may be lost by now",
        ),
        (
            {"shop.current": ExistingTopic(4, 3, {"cleanup.policy": "delete"})},
            r"^shop\.current: has cleanup\.policy=delete, and must have compact",
        ),
    ],
)
def test_topics_that_are_wrong(topics: dict[str, ExistingTopic], message: str) -> None:
    """Another number of partitions or another policy is refused with what
    was found, what must be, and how to go on.
    """
    wrong = plan_topics(seen(topics), WANTED).wrong
    assert isinstance(wrong, Incompatible)
    with pytest.raises(Incompatible, match=message):
        raise wrong


def test_an_input_that_is_not_there() -> None:
    """Is named, and nothing but that is to be done first; it is only made
    when somebody asks for it, with its partitions.
    """
    wanted = WANTED._replace(inputs=["orders", "clicks"])
    wrong = plan_topics(seen(), wanted).wrong
    assert isinstance(wrong, ConfigError)
    assert "orders: does not exist: make it, or see `streams topics apply --create-inputs`" == str(wrong)
    assert "orders: does not exist, or we have no right to see it: Describe" == str(
        plan_topics(seen(hidden="orders"), wanted).wrong
    )
    with pytest.raises(ConfigError, match="--partitions N"):
        plan_topics(seen(), wanted._replace(create_inputs=True))
    found = plan_topics(seen(), wanted._replace(create_inputs=True, partitions=4))
    assert found.wrong is None
    assert (TopicVerdict.CREATE, 4, 3, "delete") == (
        (one := line(found, "orders")).verdict,
        one.partitions,
        one.replicas,
        one.config["cleanup.policy"],
    )


def test_partitions_of_the_app_stay() -> None:
    """An input may have other numbers than the app, also one that has grown since.

    Asking the app for other numbers is refused.
    """
    there = made(plan_topics(seen(), WANTED))
    grown = seen({"clicks": ExistingTopic(8, 3, {}), "orders": ExistingTopic(2, 3, {}), **there})
    found = plan_topics(grown, WANTED._replace(inputs=["clicks", "orders"]))
    assert (4, None, []) == (found.partitions, found.wrong, found.to_create)
    assert [TopicVerdict.UNWISE] * 2 == [line(found, name).verdict for name in ("clicks", "orders")]
    assert found.warnings[0].startswith(
        "clicks: has 8 partitions, the app 4: its events take a way round through inbox"
    )
    wrong = plan_topics(grown, WANTED._replace(partitions=8)).wrong
    assert isinstance(wrong, Incompatible)
    assert sum(not topic.single for topic in OWN_TOPICS) == len(str(wrong).splitlines())
    assert 16 == plan_topics(seen(), WANTED._replace(partitions=16)).to_create[0].partitions


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"state": {"max.message.bytes": "1048588"}},
            "shop.state: takes records of 1,048,588 bytes; one that is larger stops its partition: set",
        ),
        (
            {"inbox": {"retention.ms": str(HOURS)}},
            "shop.inbox: is kept for 1h and not for 14d: set retention.ms=1209600000 if",
        ),
        (
            {"journeys": {"retention.ms": str(7 * DAYS)}},
            "shop.journeys: is kept for 7d and not for ever: set retention.ms=-1 if",
        ),
        ({"late": {"retention.ms": "-1"}}, None),
        (
            {"state": {"unclean.leader.election.enable": "true"}},
            "shop.state: may lose what was committed when brokers fail",
        ),
        ({"state": {"segment.ms": "1"}}, None),
    ],
)
def test_settings_that_are_unwise(changed: dict[str, dict[str, str]], message: str | None) -> None:
    """A topic that works is reported and left as it is."""
    found = plan_topics(seen(made(plan_topics(seen(), WANTED), **changed)), WANTED)
    assert (None, []) == (found.wrong, found.to_create)
    assert (
        [] == found.warnings
        if message is None
        else [one[: len(message)] for one in found.warnings] == [message]
    )


@pytest.mark.parametrize(
    ("clicks", "message"),
    [
        (
            {"retention.ms": str(48 * HOURS)},
            "clicks: is kept for 48h: events are lost when nothing runs for longer than that: "
            "retention.ms, at least 3d",
        ),
        (
            {"cleanup.policy": "compact"},
            "clicks: is compacted: of each key only the last event is sure to be read",
        ),
        ({"retention.ms": "-1"}, None),
    ],
)
def test_inputs_that_are_unwise(clicks: dict[str, Any], message: str | None) -> None:
    """An input belongs to somebody else: it is reported, never refused."""
    found = plan_topics(seen({"clicks": ExistingTopic(4, 3, clicks)}), WANTED)
    assert ([] if message is None else [message]) == found.warnings
    assert found.wrong is None


def test_fewer_copies_than_there_could_be() -> None:
    """An app that was made while the cluster was small."""
    found = plan_topics(seen(made(plan_topics(seen(brokers=1), WANTED))), WANTED)
    assert found.wrong is None
    assert (
        "shop.transitions: has 1 replicas where there could be 3: what is on a broker that is lost is lost"
        == found.warnings[0]
    )


def test_what_may_not_be_looked_at() -> None:
    """This is no reason not to run: the missing right is reported."""
    there = {name: found._replace(config=None) for name, found in made(plan_topics(seen(), WANTED)).items()}
    found = plan_topics(seen(there, limit_ms=None), WANTED)
    assert found.wrong is None
    assert [True] * (len(there) + 1) == ["DescribeConfigs" in one for one in found.warnings]
    hidden = plan_topics(seen(hidden="shop.late"), WANTED)
    assert ("does not exist, or we have no right to see it: Describe",) == line(hidden, "shop.late").details


def test_transactions_must_be_admitted() -> None:
    """A broker that admits none as long as ours would stop every worker at its first commit."""
    wrong = plan_topics(seen(limit_ms=TRANSACTION_TIMEOUT_MS - 1), WANTED).wrong
    assert isinstance(wrong, ConfigError)
    assert f"ours may take {TRANSACTION_TIMEOUT_MS}: raise their transaction.max.timeout.ms" in str(wrong)
    assert plan_topics(seen(limit_ms=TRANSACTION_TIMEOUT_MS), WANTED).wrong is None
