"""The broker of the tests goes when they go, and its absence is not overlooked."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import TIMEOUT_S
from tests.kafka.broker import answers, from_docker, our_own

ROOT = Path(__file__).parents[2]
STARTED = (
    "import time; from tests.kafka.broker import from_maven; print(from_maven(), flush=True); time.sleep(600)"
)
GONE_S = 60  # at once as a rule; the machine may be busy


def test_a_broker_ends_with_whoever_started_it() -> None:
    """Also when that one is killed and can do nothing about it."""
    our_own()
    owner = subprocess.Popen([sys.executable, "-c", STARTED], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout is not None
    with owner.stdout:
        port = int(owner.stdout.readline().rpartition(":")[2])
    assert answers(port)
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + GONE_S
    while answers(port):
        assert time.monotonic() < deadline, "it outlived its owner"
        time.sleep(0.05)


@pytest.mark.parametrize("processes", ["0", "1"])
@pytest.mark.parametrize(
    ("required", "code", "message"),
    [({}, 0, "1 skipped"), ({"CI": "true"}, 1, "1 error"), ({"REQUIRE_KAFKA": "1"}, 1, "1 error")],
)
def test_without_a_broker(
    tmp_path: Path, required: dict[str, str], code: int, message: str, processes: str
) -> None:
    """Tests that need one are skipped and the summary says why; where it is required, they fail."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "REQUIRE_KAFKA", "KAFKA_BOOTSTRAP")
    }
    test = "tests/contract/test_commit.py::test_a_first_start_has_nothing[kafka]"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", processes, test],
        cwd=ROOT,
        env={**env, **required, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert ran.returncode == code, ran.stdout
    assert message in ran.stdout.splitlines()[-1]
    assert "KAFKA WAS NOT TESTED" in ran.stdout
    assert "there is no java" in ran.stdout


ENGINE = """#!{python}
# An engine that knows no images: its container is a listener that answers anything with one byte.
import os, pathlib, socket, subprocess, sys
home = pathlib.Path(__file__).parent
with (home / "calls").open("a") as calls:
    print(*sys.argv[1:], file=calls)
if sys.argv[1] == "version":
    print("1.0")
elif sys.argv[1] == "run":
    port = next(word for word in sys.argv if word.startswith("127.0.0.1:")).rpartition(":")[2]
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\\n"
        "while True: s.accept()[0].sendall(b'x')"
    )
    nowhere = subprocess.DEVNULL
    command = [sys.executable, "-c", code, port]
    child = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
    (home / "child").write_text(str(child.pid))
    print("named")
elif sys.argv[1:] == ["rm", "-f", "named"]:
    os.kill(int((home / "child").read_text()), 9)
"""
IN_A_CONTAINER = STARTED.replace("from_maven", "from_docker")


@pytest.mark.parametrize("engine", [None, "exit 1", "sleep 60", 'test "$1" = version && echo 1.0'])
def test_an_engine_that_does_not_answer_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str | None
) -> None:
    """It is not installed, does not run, hangs, or has not the image: then there is no broker in a
    container, and the next source is asked.
    """
    if engine is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{engine}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if engine else str(tmp_path))
    monkeypatch.setattr("tests.kafka.broker.ENGINE_S", 0.5)
    assert from_docker() is None


def test_a_container_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """It is asked for with Apache's own image and a port of this machine alone,
    and removed even when the tests are killed.
    """
    (tmp_path / "docker").write_text(ENGINE.format(python=sys.executable))
    (tmp_path / "docker").chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    owner = subprocess.Popen(
        [sys.executable, "-c", IN_A_CONTAINER], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=path
    )
    assert owner.stdout is not None
    with owner.stdout:
        address = owner.stdout.readline().strip()
    port = int(address.rpartition(":")[2])
    assert answers(port)
    ran = (tmp_path / "calls").read_text().splitlines()[1]
    assert ran.startswith(f"run --rm -d -p 127.0.0.1:{port}:{port} -eKAFKA_PROCESS_ROLES=broker,controller")
    assert f"-eKAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{address}" in ran
    assert ran.endswith("apache/kafka:4.1.1")
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + GONE_S
    while answers(port):
        assert time.monotonic() < deadline, "it outlived its owner"
        time.sleep(0.05)
