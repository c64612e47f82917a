"""The broker of the tests goes when they go, and its absence is not overlooked."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kafka.broker import answers, our_own

ROOT = Path(__file__).parents[2]
STARTED = "import time; from tests.kafka.broker import from_maven; print(from_maven(), flush=True); time.sleep(60)"
GONE_S = 10


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


@pytest.mark.parametrize(("required", "code", "said"), [({}, 0, "1 skipped"), ({"CI": "true"}, 1, "1 error"), ({"REQUIRE_KAFKA": "1"}, 1, "1 error")])
def test_without_a_broker(tmp_path: Path, required: dict[str, str], code: int, said: str) -> None:
    """Tests that need one are skipped and the summary says why; where it is required, they fail."""
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "REQUIRE_KAFKA", "KAFKA_BOOTSTRAP")}
    test = "tests/contract/test_commit.py::test_a_first_start_has_nothing[kafka]"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        cwd=ROOT, env={**env, **required, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == code, ran.stdout
    assert said in ran.stdout.splitlines()[-1]
    assert "KAFKA WAS NOT TESTED" in ran.stdout
    assert "there is no java" in ran.stdout
