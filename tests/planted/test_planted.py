"""Each law of the simulator is worth having: planted bugs are caught, and every law catches one."""

import pytest

from tests.planted import BUGS
from tests.planted.catching import BEGIN, END, PAGE, SEEDS, Caught, catch_all
from tests.simulation.run import NAMES


@pytest.fixture(scope="module")
def caught() -> list[Caught]:
    return catch_all()


@pytest.mark.parametrize("number", range(len(BUGS)), ids=[bug.name.replace(" ", "-") for bug in BUGS])
def test_a_planted_bug_is_caught(caught: list[Caught], number: int) -> None:
    """A law breaks within some hundred seeds."""
    assert caught[number] is not None, f"{BUGS[number].name}: no law broke in {SEEDS} seeds"


def test_every_law_catches_a_bug(caught: list[Caught]) -> None:
    """A law that catches none is not a law."""
    assert set(NAMES) == {law for found in caught if found for law in found[1]}


def test_the_page_tells_of_each_bug() -> None:
    """docs/testing.md has all of them, with the laws that caught them when it was written: `python -m tests.planted --write` writes it anew."""
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in written.splitlines() if line.startswith("| ")][1:]
    assert [bug.name for bug in BUGS] == [row[0] for row in rows]
    assert {*NAMES, "none"} >= {law for row in rows for law in row[1].split(", ")}
    assert all(int(row[2]) < SEEDS for row in rows)
