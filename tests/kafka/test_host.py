"""The real command works on a real broker in both forms, from the first event to the exit code."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from streams.core.ingest.partition import partition_of
from streams.core.moments import rules
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.end_to_end import shop
from tests.end_to_end.running import COMMAND
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports
from tests.reading import key_of

PARTITIONS, EVENTS = 4, 600
FAUST = [sys.executable, "-m", "faust", "-A", "streams.host", "worker"]
SOON_S = 180.0  # some seconds as a rule; the machine may be busy
GRACE_S = 8.0
AGENTS_OPTION = ["--agents", "steps.py"]
ROOT = Path(__file__).parents[2]
AGENTS = """
import os
from streams.host import Recent, app, transitions

recent = Recent()
seen = open("seen", "a", buffering=1)

@app.agent(transitions)
async def note(steps):
    async for step in steps:
        if not recent.knows(step.id, step.rev):
            seen.write(f"{step.id} {step.rev}\\n")
            recent.add(step.id, step.rev)
"""


class Process:
    """A worker process and its output."""

    def __init__(self, command: list[str], directory: Path, env: dict[str, str]) -> None:
        self.output = directory / f"output-{time.monotonic_ns()}"
        with self.output.open("wb") as file:
            self.popen = subprocess.Popen(
                command,
                cwd=directory,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **env},
            )

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.output.read_text().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return found

    def web(self) -> str:
        """The URL of its pages."""
        return str(
            self.until(
                lambda: next((line["web"] for line in self.lines() if line["event"] == "serving"), None)
            )
        )

    def until(self, look: Any) -> Any:
        deadline = time.monotonic() + SOON_S
        while not (found := look()):
            assert self.popen.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)
        return found

    def ended(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(GRACE_S + 5)


@contextmanager
def worker(
    app: str, directory: Path, args: Sequence[str] = (), env: Mapping[str, str] = {}, faust: bool = False
) -> Iterator[Process]:
    """A worker in one of the two forms. It is killed in the end, if it still runs."""
    named = {
        "STREAMS_KAFKA__BOOTSTRAP": bootstrap(),
        "STREAMS_KAFKA__APP": app,
        "STREAMS_KAFKA__INPUTS": f"{app}.events",
    }
    here = {
        "PYTHONPATH": str(ROOT),
        "STREAMS_RULES": str(shop.RULES),
        "STREAMS_LOG_FORMAT": "json",
        "STREAMS_WEB__PORT": "0",
    }
    here |= {"STREAMS_KAFKA__GRACE": f"{GRACE_S}s", **env}
    if faust:
        process = Process([*FAUST, *args], directory, {**named, **here})
    else:
        process = Process(
            [*COMMAND, "run", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events", *args],
            directory,
            here,
        )
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.wait()


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def received(url: str) -> int:
    """The number of events received, as /metrics counts them."""
    _, text = get(f"{url}/metrics")
    return sum(
        int(float(line.split()[-1]))
        for line in text.decode().splitlines()
        if line.startswith("streams_events_received_total{")
    )


async def fill(app: str, count: int = EVENTS) -> None:
    """Appends the first events of the real shop, keyed and partitioned as collectors do."""
    log = topics.log(app, PARTITIONS)
    now = time.time_ns() // 1_000_000
    keyed = [(key_of(value), value) for value in shop.calls(count)]
    await log.append([NewRecord(partition_of(key, PARTITIONS), key, value, now) for key, value in keyed])
    await log.close()


async def exact(app: str, count: int = EVENTS) -> set[str]:
    """Asserts that a recomputation gives the same outputs. Returns "id rev" of each transition."""
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    verified = await verify(log, lambda done, total: None)
    assert verified.difference is None
    assert verified.records == count
    found = [
        json.loads(record.value) async for _, record in log.scan("transitions") if record.value is not None
    ]
    await log.close()
    assert len(found) > count / 4
    return {f"{step['id']} {step['rev']}" for step in found}


@pytest.mark.parametrize("faust", [False, True], ids=["streams run", "faust worker"])
async def test_from_the_first_event_to_the_exit(faust: bool, tmp_path: Path) -> None:
    """Numbers are exact, an agent gets every step, a signal ends it in time with 0; no file is left."""
    app = topics.new_app(PARTITIONS)
    await fill(app)
    (tmp_path / "steps.py").write_text(AGENTS)
    args, env = ([], {"STREAMS_AGENTS": "steps.py"}) if faust else (AGENTS_OPTION, {})
    with worker(app, tmp_path, args, env, faust) as process:
        url = process.web()
        assert get(f"{url}/livez") == (200, b"ok\n")
        process.until(lambda: get(f"{url}/readyz")[0] == 200)
        process.until(lambda: received(url) == EVENTS)
        expected = await exact(app)
        seen = tmp_path / "seen"
        process.until(lambda: set(seen.read_text().splitlines()) == expected)
        began = time.monotonic()
        assert process.ended(signal.SIGINT if faust else signal.SIGTERM) == 0
        assert time.monotonic() - began < GRACE_S
    events = [line["event"] for line in process.lines()]
    assert {"serving", "joined", "assigned", "opened", "stopping", "closed", "left", "stopped"} <= set(events)
    assert sorted(seen.read_text().splitlines()) == sorted(expected)
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {
        "seen",
        "steps.py",
        process.output.name,
    }


async def test_killed_and_started_again(tmp_path: Path) -> None:
    """A second worker takes over from one that is killed, and agents get every step, some of them twice."""
    app = topics.new_app(PARTITIONS)
    (tmp_path / "steps.py").write_text(AGENTS)
    await fill(app, 200)
    with worker(app, tmp_path, AGENTS_OPTION) as first, worker(app, tmp_path, AGENTS_OPTION) as second:
        first.until(lambda: get(f"{first.web()}/readyz")[0] == 200)
        second.until(lambda: get(f"{second.web()}/readyz")[0] == 200)
        first.until(lambda: received(first.web()) + received(second.web()) >= 200)
        first.popen.kill()
        await fill(app)
        second.until(lambda: received(second.web()) == 200 + EVENTS)
        expected = await exact(app, 200 + EVENTS)
        second.until(lambda: set((tmp_path / "seen").read_text().splitlines()) == expected)
        assert second.ended() == 0


WRONG: dict[str, tuple[int, dict[str, str], list[str], str]] = {
    "nobody answers": (
        5,
        {"STREAMS_KAFKA__START_TIMEOUT": "2s"},
        ["--kafka", "NOBODY"],
        "tried for 2 s (kafka.start_timeout)",
    ),
    "no such topic": (2, {}, ["--input", "not.there"], "not.there"),
    "a broken file of agents": (2, {}, ["--agents", "gone.py"], "--agents gone.py: does not exist"),
    "an agent that fails": (1, {}, ["--agents", "fails.py"], "agent fails.always failed"),
    "an agent's address is taken": (2, {"STREAMS_WEB__PORT": "TAKEN"}, [], "is taken on 127.0.0.1"),
}
FAILS = """
from streams.host import app, transitions
from streams.host import faust_agents

faust_agents.FIRST_RESTART_S = 0.01

@app.agent(transitions)
async def always(steps):
    async for step in steps:
        raise ValueError("not ever")
"""


@pytest.fixture(scope="module")
def filled() -> str:
    """An app with events in its input."""
    app = topics.new_app(PARTITIONS)
    topics.elsewhere(fill(app))
    return app


@pytest.mark.parametrize("what", WRONG)
def test_what_ends_a_worker(what: str, filled: str, tmp_path: Path) -> None:
    """The exit code is the error's, the last line says what to change, and only user code has a traceback."""
    code, env, args, expected = WRONG[what]
    (tmp_path / "fails.py").write_text(FAILS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {name: value.replace("TAKEN", str(taken.getsockname()[1])) for name, value in env.items()}
        named = [f"127.0.0.1:{free_ports(1)[0]}" if arg == "NOBODY" else arg for arg in args]
        with worker(filled, tmp_path, named, {"STREAMS_LOG_FORMAT": "console", **values}) as process:
            assert process.popen.wait(SOON_S) == code, process.output.read_text()
    text = process.output.read_text()
    assert expected in text.splitlines()[-1]
    assert text.splitlines()[-1].startswith("error: ")
    assert ("Traceback" in text) == (what == "an agent that fails")


async def test_other_fold_settings(tmp_path: Path) -> None:
    """Other settings end a worker with 3 and a line that says how to go on, in both forms and in JSON."""
    app = topics.new_app(PARTITIONS)
    await fill(app)
    log = topics.log(app, PARTITIONS)
    for partition in range(PARTITIONS):
        agent = await PartitionAgent.open(log, partition, Settings(), rules.default_rules())
        await agent.step()
        await agent.close()
    await log.close()
    other = {"STREAMS_PATIENCE__BUY": "2h"}
    with worker(app, tmp_path, env={**other, "STREAMS_LOG_FORMAT": "console"}, faust=True) as process:
        assert process.popen.wait(SOON_S) == 3, process.output.read_text()
    assert "was folded under other settings" in process.output.read_text()
    with worker(app, tmp_path, env=other) as process:
        assert process.popen.wait(SOON_S) == 3, process.output.read_text()
    last = process.lines()[-1]
    assert (last["event"], last["exit_code"]) == ("ended", 3)
    assert "patience.buy" in last["reason"]


def test_a_second_signal_ends_it_at_once(filled: str, tmp_path: Path) -> None:
    """The process dies of the second signal; uncommitted work is done again."""
    with worker(filled, tmp_path) as process:
        url = process.web()
        process.until(lambda: get(f"{url}/readyz")[0] == 200)
        process.popen.send_signal(signal.SIGSTOP)
        for _ in range(2):
            process.popen.send_signal(signal.SIGTERM)
            process.popen.send_signal(signal.SIGINT)
        process.popen.send_signal(signal.SIGCONT)
        assert process.popen.wait(GRACE_S) in (-signal.SIGTERM, -signal.SIGINT)


def test_waiting_can_be_interrupted(tmp_path: Path) -> None:
    """A worker that waits for a cluster ends by a signal at once, with 0."""
    with worker("x", tmp_path, ["--kafka", f"127.0.0.1:{free_ports(1)[0]}"]) as process:
        process.until(lambda: any(line["event"] == "waiting" for line in process.lines()))
        assert process.ended() == 0
