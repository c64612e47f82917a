"""What an app has on a cluster has a name that no other app has."""

from itertools import product

import pytest
from pydantic import ValidationError

from streams.settings.kafka import KafkaSettings
from streams.topology import (
    KAFKA_TOPICS,
    OWN_TOPICS,
    agents_group,
    own_topic,
    partition_transaction,
    single_transaction,
)

PARTS = ("shop", "2", "app", "state", "-", ".", "_", "-agents", "-2", "-22", ".app", ".state")
LONGEST = 3  # parts of a name


def is_allowed(app: str) -> bool:
    try:
        KafkaSettings.model_validate({"app": app})
    except ValidationError:
        return False
    return True


APPS = {
    name
    for count in range(1, LONGEST + 1)
    for parts in product(PARTS, repeat=count)
    if is_allowed(name := "".join(parts))
}


def groups(app: str) -> set[str]:
    return {app, agents_group(app)}


def transactions(app: str) -> set[str]:
    return {
        *(partition_transaction(app, number) for number in (0, 1, 2, 22, 222)),
        *(single_transaction(app, topic) for topic in KAFKA_TOPICS),
    }


def topics(app: str) -> set[str]:
    return {own_topic(app, topic) for topic in OWN_TOPICS}


@pytest.mark.parametrize("names", [groups, transactions, topics])
def test_two_apps_share_no_name(names: object) -> None:
    """No topic, no group and no transactional id, whatever the apps are called."""
    assert callable(names)
    owners: dict[str, str] = {}
    for app in sorted(APPS):
        for name in names(app):
            assert app == owners.setdefault(name, app), name


def test_one_writer_of_an_app_does_not_fence_another() -> None:
    """Each has a transactional id of its own."""
    assert len(transactions("shop")) == 5 + len(KAFKA_TOPICS)
