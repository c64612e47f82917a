"""The simulator in CI: hundreds of worst days, twice the same, with everything that can go wrong in them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from schemas.receipt import RedrivenOutcome
from tests.simulation import run
from tests.simulation.cluster import Cluster
from tests.simulation.laws import once
from tests.simulation.moves import NOTHING_TOLD
from tests.simulation.repeats import repeats_of_step
from tests.simulation.run import simulate
from tests.simulation.script import Look, Send, write
from tests.simulation.world import draw, sizes

SEEDS = 80  # of CI: `make check-more` lives through 300 others
PROCESSES = 2
LIVES_S = 1_800  # two minutes as a rule; the machine may be busy
ROOT = Path(__file__).parents[2]

POINTS = (
    "open.before",
    "open.after",
    "restore.before",
    "read.before",
    "commit.before",
    "commit.write",
    "commit.after",
)
KIND_NAMES = (
    "opened",
    "advanced",
    "returned",
    "stalled",
    "resumed",
    "converted",
    "abandoned",
    "partially_refunded",
    "refunded",
)
HAPPENS = (
    *(f"crash at {point}" for point in POINTS),
    *(f"{op} {kind}" for op in ("assert", "retract") for kind in KIND_NAMES),
    *(
        f"{op} cue in {moment}"
        for op in ("assert", "retract")
        for moment in ("know", "go", "do", "buy", "truth")
    ),
    *(
        "killed in mid-batch",
        "moved in mid-batch, told",
        "moved in mid-batch, not told",
        "interrupted with work left",
        "fenced",
        "impostor refused",
    ),
    *(
        "rules changed half way",
        "time alone committed",
        "timers ahead of the mark",
        "applied",
        "refused",
        "robot",
        "no_signal",
        "duplicate",
        "narrowed",
        "late: lateness",
        "forwarded",
        "on time by a slower source",
        "an open transaction hides records",
    ),
    *(
        "late: over_cap",
        "late: needs_full",
        "rejected: undecodable",
        "rejected: from_the_future",
        "rejected: bad_time",
        "final journey",
        "final refund",
    ),
    *(
        "redriven: late",
        "redriven: rejected",
        "a redriving command was killed",
        *(f"redriven, and {ending}" for ending in get_args(RedrivenOutcome) if ending != "refused"),
        "redriven to somebody who was forgotten",
        "redriven, and behind what is final",
    ),
    *(f"moves: {what}" for what in ("given", "taken", "returned", "late_links")),
)


def start(*args: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | env,
    )


@pytest.fixture(scope="module")
def lived() -> list[tuple[int, str]]:
    """Exit code and output of each process that lives through its part of the seeds."""
    each = SEEDS // PROCESSES
    running = [start(str(n * each), "--seeds", str(each), "--met") for n in range(PROCESSES)]
    outputs = [process.communicate(timeout=LIVES_S)[0] for process in running]
    return [(process.returncode, out) for process, out in zip(running, outputs, strict=True)]


def test_every_law_holds_over_many_seeds(lived: list[tuple[int, str]]) -> None:
    """When this fails, the output names the seed, the law and the shortest trace found."""
    for code, out in lived:
        assert code == 0, out


def test_every_law_holds_when_hardly_anything_happens() -> None:
    """One record in all: partitions that have read nothing must not wait for each other for ever."""
    for seed in range(60):
        world = draw(seed)
        sends = [op for op in write(world) if isinstance(op, Send)]
        for send in sends[:2]:
            assert [] == simulate(world, [send]).broken, (seed, send)


def test_a_seed_is_the_same_day_every_time() -> None:
    """In another process with other hashes of text too: to the last byte of every output."""
    for seed in ("3", "11"):
        runs = [start(seed, PYTHONHASHSEED=hashes).communicate(timeout=60)[0] for hashes in ("1", "2")]
        assert re.search("digest [0-9a-f]{32}", runs[0]), runs[0]
        assert runs[0] == runs[1]


def test_everything_that_can_go_wrong_does(lived: list[tuple[int, str]]) -> None:
    """Each fault, each ending of a record, each kind of transition and its
    retraction come about within the seeds of the first process.
    """
    _, out = lived[0]
    met = json.loads(out.splitlines()[-1])
    assert [] == [what for what in HAPPENS if not met.get(what)]


def test_any_part_of_a_script_is_a_script() -> None:
    """Operations stand alone, so that a trace can be shortened: every law holds over any subset of them."""
    for seed in range(3, 8):  # the last three have identity on
        world = draw(seed, events=40)
        script = write(world)
        for step in (2, 3):
            assert [] == simulate(world, script[::step]).broken


def test_a_step_that_is_published_twice_is_found_where_items_were_redriven() -> None:
    """With identity on, too: only what the very event that was redriven has caused may be said once more."""
    world = draw(35)
    assert world.identity
    assert world.redrives
    doubled = found = redriven = 0
    with sizes(world):
        cluster = Cluster(world)
        for op in write(world):
            if not isinstance(op, Look):
                cluster.do(op)
        assert not cluster.drain()
        for partition in range(world.partitions):
            look = run._look(cluster, partition)
            assert isinstance(look, run._Look)
            evidence = run._evidence(cluster, partition, look, NOTHING_TOLD, None)
            assert [] == [*once(evidence)]
            redriven += sum(receipt["outcome"] == "applied" for receipt in evidence.topics["redriven"])
            steps = evidence.topics["transitions"]
            for n, step in enumerate(steps):
                if step["op"] == "assert" and not repeats_of_step(evidence.repeats, step):
                    doubled += 1
                    doubled_step = [*steps[: n + 1], step, *steps[n + 1 :]]
                    evidence.topics = {**evidence.topics, "transitions": doubled_step}
                    found += bool([*once(evidence)])
    assert found == doubled > 20
    assert redriven, "an item that was redriven counts"
