"""A real broker for the tests: the one that KAFKA_BOOTSTRAP names, else one in a container, else one
of our own, for as long as the tests run.

The container is Apache's own image, if a Docker engine answers. Our own is Apache Kafka as Maven fetches it
(pom.xml beside this file), one node that is broker and controller, on free loopback ports, in a directory
that is deleted afterwards. Without a broker the tests that need one are skipped and the summary says so;
with CI=true or REQUIRE_KAFKA=1 they fail.
"""

import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import pytest

from tests.kafka.nodes import (
    ALONE,
    COMMON,
    FETCH_S,
    START_S,
    VERSION,
    Brokers,
    Missing,
    answers,
    end,
    free_ports,
    libraries,
    needs_java,
    run,
)

__all__ = ["Brokers", "Missing", "answers", "bootstrap", "cluster", "end", "free_ports", "our_own", "start"]

IMAGE = f"apache/kafka:{VERSION}"
WHICH_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # the first thing that any client asks
WATCHES: list["subprocess.Popen[bytes]"] = []  # their pipes are to stay open
ENGINE_S = 10  # an engine that takes longer to say its version would not help


def from_environment() -> str | None:
    return os.environ.get("KAFKA_BOOTSTRAP")


def from_docker() -> str | None:
    """In a container, if an engine answers.

    It goes with this process: a shell at the other end of a pipe sees to that.
    """
    if not run(["docker", "version", "--format", "{{.Server.Version}}"], ENGINE_S):
        return None
    port, controller = free_ports(2)
    listeners = {
        "node.id": 1,
        "log.dirs": "/tmp/kafka",  # in the container
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller}",
        # the same inside and outside: it talks to itself too
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    options = [
        f"-eKAFKA_{key.upper().replace('.', '_')}={value}"
        for key, value in {**COMMON, **ALONE, **listeners}.items()
    ]
    name = run(["docker", "run", "--rm", "-d", "-p", f"127.0.0.1:{port}:{port}", *options, IMAGE], FETCH_S)
    if not name:
        return None
    command = ["sh", "-c", 'cat >/dev/null; exec docker rm -f "$1" >/dev/null 2>&1', "watch", name.strip()]
    watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + START_S
    while not _speaks(port):
        if time.monotonic() > deadline:
            end(watch)
            return None
        time.sleep(0.2)
    WATCHES.append(watch)
    return f"127.0.0.1:{port}"


def _speaks(port: int) -> bool:
    """Whether a broker answers there. The engine's own proxy accepts connections before there is one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(WHICH_VERSIONS)
            return bool(probe.recv(4))
    except OSError:
        return False


def from_maven() -> str:
    return start()[0]


def start() -> tuple[str, "subprocess.Popen[bytes]"]:
    """A broker of our own: its address and its process."""
    node = cluster(1).nodes[0]
    assert node.process is not None
    return node.address, node.process


def cluster(count: int = 3) -> Brokers:
    """Brokers of our own, each of which can be killed and started again; `end()` them. Raises Missing."""
    return Brokers(count)


# The first that has one.
SOURCES: tuple[Callable[[], str | None], ...] = (
    from_environment,
    from_docker,
    from_maven,
)


@cache
def found() -> str | Missing:
    """The address of the broker; started once."""
    try:
        return next(address for source in SOURCES if (address := source()))
    except Missing as missing:
        return missing
    except subprocess.SubprocessError as error:
        return Missing(f"the broker did not start: {error}")


def bootstrap() -> str:
    """The address of the broker, or the end of the test that asked."""
    address = found()
    return address if isinstance(address, str) else without(address)


def our_own() -> None:
    """For a test that does to a broker what nobody else's may suffer: one of our
    own can be started, or the end of the test.
    """
    try:
        needs_java()
        libraries()
    except Missing as why:
        if from_environment():
            pytest.skip(f"the broker that KAFKA_BOOTSTRAP names is not ours to stop, and {why}")
        without(why)


def without(why: Missing) -> NoReturn:
    """The end of a test that has no broker: where one is required it fails, elsewhere it is skipped."""
    if os.environ.get("CI") == "true" or os.environ.get("REQUIRE_KAFKA") == "1":
        pytest.fail(f"no Kafka broker to test with: {why}", pytrace=False)
    pytest.skip(f"no Kafka broker to test with: {why}")  # the summary repeats it


def missing() -> str | None:
    """Why tests went without a broker, if any did."""
    if not found.cache_info().currsize:
        return None
    address = found()
    return None if isinstance(address, str) else str(address)
