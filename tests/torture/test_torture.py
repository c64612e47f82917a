"""A short run in CI, and that it would find what it is there to find. `make torture` is the long one."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.kafka.broker import our_own
from tests.torture.bugs import BUGS
from tests.torture.in_memory import run_in_memory
from tests.torture.plan import LONG, SHORT, Plan, draw
from tests.torture.redrives import begin
from tests.torture.sharing import Sharing
from tests.torture.shop import Shop

ROOT = Path(__file__).parents[2]
LINKED_SEED = 2  # has identity on
FIRST_RANDOM = Plan._fields.index("rnd")  # two of them are never equal
RUN_S = 900  # two minutes as a rule; a busy machine takes longer
FEW = ("--events", "4000", "--hits", "2", "--seconds", "8", "--kinds", "refuse")


def torture(directory: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a run."""
    our_own()
    command = [sys.executable, "-m", "tests.torture", *arguments, "--short", "--logs", str(directory)]
    ran = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_S
    )
    return ran.returncode, ran.stdout


def test_workers_that_are_killed_frozen_and_replaced_are_exact(tmp_path: Path) -> None:
    """Every transition, counter and final journey is the oracle's; every record ended in exactly one way."""
    code, said = torture(tmp_path, str(LINKED_SEED))
    assert code == 0, said


def test_a_commit_that_does_not_wait_for_its_batches_is_found(tmp_path: Path) -> None:
    """Its outputs are refused for a while, and it commits all the same."""
    code, said = torture(tmp_path, str(LINKED_SEED), *FEW, "--plant", "unawaited")
    assert code == 1, said
    assert "BROKEN rev" in said


def test_a_run_in_memory_is_exact() -> None:
    """With identity on: people of many devices, read by turns, whose dead letters are redriven."""
    plan = draw(LINKED_SEED, SHORT._replace(events=3_000, people=150))
    outcome = asyncio.run(run_in_memory(plan, LINKED_SEED, lambda what: None))
    assert [] == outcome.broken
    assert outcome.figures["events taken back"]
    assert outcome.figures["redriven, and applied"]


def test_a_redrive_that_says_much_comes_to_its_end(tmp_path: Path) -> None:
    """One that moved a thousand counters once waited for the run to read them, and the run for its end."""
    much = [sys.executable, "-c", "print('x' * 1_000_000)"]
    assert begin(much, tmp_path / "out", tmp_path / "err").wait(RUN_S) == 0
    assert (tmp_path / "out").stat().st_size == 1_000_001


def test_bugs_can_be_planted() -> None:
    """The places that they change are there: a bug whose place has moved would be found by nobody."""
    for bug in BUGS.values():
        source = (ROOT / f"{bug.module.replace('.', '/')}.py").read_text("utf-8")
        for old, _ in bug.changes:
            assert source.count(old) == 1, f"{bug.name}: {old!r}"


def test_a_seed_is_the_same_day_every_time() -> None:
    """As far as it is drawn: hits, their times, and the events to the byte."""
    for size in (SHORT, LONG):
        drawn, again = draw(LINKED_SEED, size), draw(LINKED_SEED, size)
        assert drawn[:FIRST_RANDOM] == again[:FIRST_RANDOM]
        assert drawn.redrives == again.redrives
        assert drawn.links is not None, "identity is on"
        assert drawn.links == again.links
        assert len(drawn.hits) == size.hits
        assert {"kill", "zombie", "freeze", "term", "join", "broker", "refuse"} == {
            hit.kind for hit in drawn.hits
        }
    plans = [draw(LINKED_SEED, SHORT) for _ in range(2)]
    runs = [Shop(plan.rnd, 100, Sharing(plan.sharing)).records(2_000) for plan in plans]
    assert runs[0] == runs[1]
