"""A real broker for the tests: the one that KAFKA_BOOTSTRAP names, else one of our own, for as long as the tests run.

Our own is Apache Kafka as Maven fetches it (pom.xml beside this file), one node that is broker and controller, on free loopback ports, in a
directory that is deleted afterwards. It dies with this process, however that ends: a shell waits at the other end of a pipe and kills it when the
pipe closes. Without a broker the tests that need one are skipped and the summary says so; with CI=true or REQUIRE_KAFKA=1 they fail.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

VERSION = "4.1.1"  # the one in pom.xml
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "customer-journey-streams" / f"kafka-{VERSION}"
FETCH_S = 300  # some 45 MB over a slow line
START_S = 60  # two seconds as a rule; a busy machine takes longer
HEAP = "-Xmx512m"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=1048576
"""
# The shell's own number becomes the broker's: what is killed at the end of the pipe is exactly that process. Then its directory goes.
WATCHED = """
directory=$1; shift; exec 3<&0
(read -r _ <&3; kill -9 $$; while kill -0 $$; do sleep 0.1; done; rm -rf "$directory") 2>/dev/null &
exec "$@" 3<&- </dev/null
"""


class Missing(Exception):
    """There is no broker, and why."""


def from_environment() -> str | None:
    return os.environ.get("KAFKA_BOOTSTRAP")


def from_maven() -> str:
    return start()[0]


def start() -> tuple[str, "subprocess.Popen[bytes]"]:
    """A broker of our own: its address and its process."""
    if shutil.which("java") is None:
        raise Missing("KAFKA_BOOTSTRAP is not set, and there is no java to run a broker with")
    port, controller = free_ports(2)
    directory = Path(tempfile.mkdtemp(prefix="kafka-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    java = ["java", HEAP, f"-Dkafka.logs.dir={directory}", "-cp", f"{libraries()}/*"]
    properties = directory / "server.properties"
    properties.write_text(PROPERTIES.format(port=port, controller=controller, directory=directory))
    with (directory / "log").open("wb") as log:
        format_ = ["kafka.tools.StorageTool", "format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(properties)]
        subprocess.run([*java, *format_], stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=START_S, check=True)
        process = subprocess.Popen(
            ["sh", "-c", WATCHED, "broker", str(directory), *java, "kafka.Kafka", str(properties)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    atexit.register(end, process)
    deadline = time.monotonic() + START_S
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Missing(f"the broker did not start: {(directory / 'log').read_text(errors='replace')[-2_000:]}")
        time.sleep(0.05)
    return f"127.0.0.1:{port}", process


# The first that has one. A container engine would be an entry between the two: it starts an image and gives its address, or None.
SOURCES: tuple[Callable[[], str | None], ...] = (from_environment, from_maven)


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
    """For a test that does to a broker what nobody else's may suffer: one of our own can be started, or the end of the test."""
    try:
        if shutil.which("java") is None:
            raise Missing("there is no java to run a broker with")
        libraries()
    except Missing as why:
        if from_environment():
            pytest.skip(f"the broker that KAFKA_BOOTSTRAP names is not ours to stop, and {why}")
        without(why)


def without(why: Missing) -> NoReturn:
    """The end of a test that has no broker: where one is required it fails, elsewhere it is skipped."""
    if os.environ.get("CI") == "true" or os.environ.get("REQUIRE_KAFKA") == "1":
        pytest.fail(f"no Kafka broker to test with: {why}", pytrace=False)
    pytest.skip(f"no Kafka broker to test with: {why}")  # said once more, loudly, in the summary


def missing() -> str | None:
    """Why tests went without a broker, if any did."""
    if not found.cache_info().currsize:
        return None
    address = found()
    return None if isinstance(address, str) else str(address)


def libraries() -> Path:
    """Where the broker's libraries are. Fetched if they are not there, and put in place at once or not at all."""
    if CACHE.is_dir():
        return CACHE
    if shutil.which("mvn") is None:
        raise Missing("KAFKA_BOOTSTRAP is not set, and there is no mvn to fetch a broker with")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    new = CACHE.with_name(f"{CACHE.name}.{uuid4().hex}")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={new}"]
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(Path(__file__).with_name("pom.xml")), *goal],
        capture_output=True, text=True, timeout=FETCH_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if fetched.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise Missing(f"Maven could not fetch a broker: {(fetched.stdout + fetched.stderr)[-1_000:]}")
    try:
        new.rename(CACHE)
    except OSError:  # another run was quicker
        shutil.rmtree(new, ignore_errors=True)
    return CACHE


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: "subprocess.Popen[bytes]") -> None:
    """Also of one that has ended already."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
