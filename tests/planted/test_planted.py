"""Each law of the simulator is worth having: planted bugs are caught, and every law catches one."""

import re
import subprocess
import sys

import pytest

from tests.planted import BUGS
from tests.planted.catching import SEEDS, Caught, catch_all, rows_of_page, run_all, seeds_of_page
from tests.planted.edges import EDGE_BUGS
from tests.planted.forking import ROOT, Done
from tests.simulation.run import NAMES


@pytest.fixture(scope="module")
def caught() -> list[Caught]:
    """By the seeds that the page tells."""
    return catch_all(seeds_of_page(), hunts=False)


@pytest.mark.parametrize("number", range(len(BUGS)), ids=[bug.name.replace(" ", "-") for bug in BUGS])
def test_a_planted_bug_is_caught(caught: list[Caught], number: int) -> None:
    """A law breaks in the seed of docs/testing.md."""
    assert caught[number] is not None, (
        f"{BUGS[number].name}: no law broke in its seed; `python -m tests.planted --write` looks for another"
    )


@pytest.fixture(scope="module")
def ended() -> list[Done]:
    """How the test of each bug at an edge ended."""
    return run_all([{"do": "edge", "number": number} for number in range(len(EDGE_BUGS))])


@pytest.mark.parametrize(
    "number", range(len(EDGE_BUGS)), ids=[edge.bug.name.replace(" ", "-") for edge in EDGE_BUGS]
)
def test_a_bug_at_an_edge_is_caught(ended: list[Done], number: int) -> None:
    """The test that aims at its bound fails."""
    done = ended[number]
    assert done.code == pytest.ExitCode.TESTS_FAILED, done.said
    assert " failed" in done.said, done.said


def test_every_law_catches_a_bug(caught: list[Caught]) -> None:
    """A law that catches none is not a law."""
    assert set(NAMES) == {law for found in caught if found for law in found[1]}


def test_the_page_tells_of_each_bug() -> None:
    """docs/testing.md has all of them, with the laws that caught them when it was written: `python
    -m tests.planted --write` writes it anew.
    """
    rows = rows_of_page()
    assert [bug.name for bug in BUGS] == [row[0] for row in rows]
    assert {*NAMES, "none"} >= {law for row in rows for law in row[1].split(", ")}
    assert all(int(row[2]) < SEEDS for row in rows)


def test_a_failure_tells_how_to_see_it_again_and_the_shortest_way_there() -> None:
    """The report names the seed, the law and the commit, and its trace is a small part of the script."""
    number = [bug.name for bug in BUGS].index("half of a transaction can be seen")
    command = [sys.executable, "-m", "tests.planted", "--bug", str(number), "--report", "6"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=True).stdout
    assert re.search(
        r"^seed \d+ breaks the law `\w+` at commit ([0-9a-f]{40}|\(none\))$", said, re.MULTILINE
    ), said
    assert re.search(r"again: python -m tests.simulation \d+$", said, re.MULTILINE)
    trace = re.search(r"^trace, (\d+) of (\d+) operations:$", said, re.MULTILINE)
    assert trace is not None
    assert int(trace[1]) * 10 < int(trace[2])
    assert "  Turn(worker=" in said
