"""The benchmark on a broker runs: what it says is for people, that it can be run is for tests."""

import subprocess
import sys
from pathlib import Path

from tests.kafka.broker import bootstrap

ROOT = Path(__file__).parents[1]
FEW = ("--events", "3000", "--faust-events", "100", "--people", "300", "--runs", "1")
RUN_S = 300  # twenty seconds as a rule


def test_a_few_events_are_worked_off_by_all_of_them() -> None:
    """The worker, the bare loop and the Faust job each read their backlog to its
    end, and what the worker knew is restored.
    """
    command = [
        sys.executable,
        "-m",
        "benchmarks.kafka",
        "--only",
        "throughput",
        "restore",
        *FEW,
        "--bootstrap",
        bootstrap(),
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for figure in (
        "streams run: exactly once, events/s",
        "bare loop: reads and decodes",
        "Faust, idiomatic: at least once",
        "state records/s",
    ):
        assert figure in ran.stdout, ran.stdout


def test_what_a_broker_stores_is_told_by_topic() -> None:
    """As events come and as a backlog, with the sum of all that is written."""
    command = [sys.executable, "-m", "benchmarks.kafka", "--only", "volume", "--volume-events", "500", *FEW]
    ran = subprocess.run(
        [*command, "--bootstrap", bootstrap()], cwd=ROOT, capture_output=True, text=True, timeout=RUN_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    tables = ran.stdout.split("\nstored ")[1:]
    assert [table.partition(":")[0] for table in tables] == ["at 500 events/s", "as a backlog"]
    for table in tables:
        topics = [row.split()[0] for row in table.splitlines()[1:] if " MiB, " in row]
        assert {"transitions", "tallies", "current", "state", "inbox", "all"} <= set(topics)
