"""Brokers as processes of our own: one, or three that are a cluster, each of which
can be killed, frozen and started again.

A process dies with the one that started it, however that ends: a shell waits at the other end of a pipe and
kills it when the pipe closes, and takes its directory away.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

VERSION = "4.1.1"  # the one in pom.xml
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    / "customer-journey-streams"
    / f"kafka-{VERSION}"
)
FETCH_S = 300  # some 45 MB over a slow line
START_S = 180  # two seconds as a rule; a busy machine takes longer
HEAP_MB, HEAP_OF_THREE_MB = 512, 384
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"
# What all of them have: topics are made by whoever needs them, and the broker's own are few and small.
COMMON: Mapping[str, object] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    "group.initial.rebalance.delay.ms": 0,
    "log.index.size.max.bytes": 1 << 20,
}
ALONE: Mapping[str, object] = {
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
}
OF_THREE: Mapping[str, object] = {
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    "broker.session.timeout.ms": 3000,  # a dead broker's partitions move after 3 s instead of 9
}
# The shell's own number becomes the broker's: what is killed at the end of the pipe is exactly that process.
# Then its directory goes, unless it is to be started again.
WATCHED = """
directory=$1; shift; exec 3<&0
(
    read -r _ <&3; kill -9 $$; while kill -0 $$; do sleep 0.1; done
    [ -e "$directory/again" ] || rm -rf "$directory"
) 2>/dev/null &
exec "$@" 3<&- </dev/null
"""


class Missing(Exception):
    """There is no broker, and why."""


class Node:
    """One broker, which is a controller too. `start` begins it; it is not there before."""

    def __init__(
        self,
        number: int,
        port: int,
        controller: int,
        properties: Mapping[str, object],
        heap_mb: int,
        more: Mapping[str, str],
    ) -> None:
        """`more`: listeners beside the plain one, by name, with their protocols."""
        self.port, self.address, self.controller = port, f"127.0.0.1:{port}", f"127.0.0.1:{controller}"
        self.number, self.directory_id = number, f"{number}AAAAAAAAAAAAAAAAAAAAA"
        self.directory = Path(tempfile.mkdtemp(prefix="kafka-"))
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        self._properties = self.directory / "server.properties"
        given = {
            **COMMON,
            "node.id": number,
            "log.dirs": self.directory / "data",
            **self._listeners(more),
            **properties,
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        self._java = [
            "java",
            f"-Xmx{heap_mb}m",
            f"-Dkafka.logs.dir={self.directory}",
            "-cp",
            f"{libraries()}/*",
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def _listeners(self, more: Mapping[str, str]) -> dict[str, object]:
        self.more = dict(zip(more, (f"127.0.0.1:{port}" for port in free_ports(len(more))), strict=True))
        ours = ",".join(
            f"{name}://{address}" for name, address in {"PLAINTEXT": self.address, **self.more}.items()
        )
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **more}
        return {
            "listeners": f"{ours},CONTROLLER://{self.controller}",
            "advertised.listeners": ours,
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in protocols.items()
            ),
            "inter.broker.listener.name": "PLAINTEXT",
        }

    def format(self, *options: str) -> None:
        """Once, before it is started."""
        with (self.directory / "log").open("ab") as log:
            command = [
                *self._java,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                CLUSTER_ID,
                "-c",
                str(self._properties),
                *options,
            ]
            subprocess.run(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=START_S, check=True
            )

    def start(self) -> "subprocess.Popen[bytes]":
        """Also again, after it was killed: it has what it had."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", WATCHED, "broker", str(self.directory), *self._java, "kafka.Kafka",
                str(self._properties)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        atexit.register(end, self.process)
        return self.process

    def answering(self) -> None:
        """Returns when it answers. Raises Missing when it does not."""
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while not all(
            answers(int(address.rpartition(":")[2])) for address in (self.address, *self.more.values())
        ):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Missing(
                    "the broker did not start: "
                    f"{(self.directory / 'log').read_text(errors='replace')[-2_000:]}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """As by a power cut. It can be started again."""
        assert self.process is not None
        (self.directory / "again").touch()
        self.process.kill()
        end(self.process)

    def freeze(self) -> None:
        """It stays as it is, answers nobody, and knows nothing of it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """And goes on as if nothing had been."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """For good."""
        if self.process is not None:
            end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)


class Brokers:
    """One broker or a cluster of three, on loopback, answering once it is made.

    With three, topics want 3 replicas and min.insync.replicas 2.
    """

    def __init__(
        self,
        count: int,
        properties: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        """`properties`, `options` (for formatting), `listeners` (beside the
        plain one: name and protocol): of each.
        """
        assert count in (1, 3), count
        needs_java()
        ports = free_ports(2 * count)
        controllers = ",".join(f"127.0.0.1:{port}" for port in ports[1::2])
        given = {
            **(ALONE if count == 1 else OF_THREE),
            "controller.quorum.bootstrap.servers": controllers,
            **(properties or {}),
        }
        heap_mb = HEAP_MB if count == 1 else HEAP_OF_THREE_MB
        self.nodes = [
            Node(at + 1, ports[2 * at], ports[2 * at + 1], given, heap_mb, listeners or {})
            for at in range(count)
        ]
        who = ",".join(f"{node.number}@{node.controller}:{node.directory_id}" for node in self.nodes)
        self.bootstrap = ",".join(node.address for node in self.nodes)
        try:
            for node in self.nodes:
                node.format("--initial-controllers", who, *options)
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.answering()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """For good."""
        for node in self.nodes:
            node.end()


def needs_java() -> None:
    if shutil.which("java") is None:
        raise Missing("there is no java to run a broker with: set KAFKA_BOOTSTRAP, or start a Docker engine")


def libraries() -> Path:
    """Where the broker's libraries are. They are fetched if they are not there. Raises Missing."""
    return fetched(Path(__file__).with_name("pom.xml"), CACHE)


def fetched(pom: Path, cache: Path) -> Path:
    """Where what a POM depends on is, which Maven fetches once. Raises Missing.

    It is put in place at once or not at all.
    """
    if cache.is_dir():
        return cache
    if shutil.which("mvn") is None:
        raise Missing("there is no mvn to fetch a broker with: set KAFKA_BOOTSTRAP, or start a Docker engine")
    cache.parent.mkdir(parents=True, exist_ok=True)
    new = cache.with_name(f"{cache.name}.{uuid4().hex}")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={new}"]
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(pom), *goal],
        capture_output=True, text=True, timeout=FETCH_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if fetched.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise Missing(f"Maven could not fetch what {pom} names: {(fetched.stdout + fetched.stderr)[-1_000:]}")
    try:
        new.rename(cache)
    except OSError:  # another run was quicker
        shutil.rmtree(new, ignore_errors=True)
    return cache


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


def run(command: Sequence[str], timeout_s: float) -> str | None:
    """What a command prints; None when it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
