"""The broker of docker-compose.yml: what its container is told, told to a broker
of the same version without a container.
"""

import re

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.compose.files import services
from tests.kafka.broker import our_own
from tests.kafka.nodes import HEAP_MB, START_S, VERSION, Node, free_ports, libraries, run

CONTAINER, HOST, CONTROLLER = "kafka:9092", "127.0.0.1:29092", "kafka:9093"


def cluster_errors() -> dict[str, str]:
    """As the image reads its environment: KAFKA_LOG_DIRS is log.dirs."""
    given = services()["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in given.items()
        if name.startswith("KAFKA_")
    }


@pytest.fixture
def own() -> None:
    our_own()


@pytest.mark.usefixtures("own")
async def test_a_broker_starts_with_it() -> None:
    """It is one node of one cluster, and answers inside and outside by addresses that lead back to it."""
    inside, outside, controller = free_ports(3)
    placed = {
        CONTAINER: f"127.0.0.1:{inside}",
        HOST: f"127.0.0.1:{outside}",
        CONTROLLER: f"127.0.0.1:{controller}",
    }
    properties = cluster_errors()
    del properties["log.dirs"]  # the node has a directory of its own
    listening = {f"://:{address.rpartition(':')[2]}": f"://{place}" for address, place in placed.items()}
    for key in ("listeners", "advertised.listeners", "controller.quorum.voters"):
        for old, new in {**listening, **placed}.items():
            properties[key] = properties[key].replace(old, new)
    assert not re.search(r"kafka:|29092|//:", " ".join(properties.values()))
    node = Node(1, inside, controller, properties, HEAP_MB, {})
    try:
        node.format()
        node.start()
        node.answering()
        for address in (placed[CONTAINER], placed[HOST]):
            admin = AIOKafkaAdminClient(bootstrap_servers=address)
            await admin.start()
            try:
                brokers = (await admin.describe_cluster())["brokers"]
                assert [address] == [f"{broker['host']}:{broker['port']}" for broker in brokers]
            finally:
                await admin.close()
    finally:
        node.end()


@pytest.mark.usefixtures("own")
def test_every_setting_is_one() -> None:
    """The broker's own list of its settings has it: of a name that it does not know it would say nothing."""
    page = run(["java", "-cp", f"{libraries()}/*", "kafka.server.KafkaConfig"], START_S)
    known = set(re.findall(r'<a id="([a-z.]+)"', page or ""))
    assert {"log.dirs", "process.roles"} <= known
    assert [key for key in cluster_errors() if key not in known] == []


def test_it_is_the_version_that_is_tested() -> None:
    """It is that of the tests' own brokers."""
    assert f"apache/kafka:{VERSION}" == services()["kafka"]["image"]


def test_it_publishes_the_ports_that_it_advertises() -> None:
    """A client on the machine comes in by the published port and is sent back to the same address."""
    assert [f"{HOST}:29092"] == services()["kafka"]["ports"]
    assert f"HOST://{HOST}" in cluster_errors()["advertised.listeners"]
