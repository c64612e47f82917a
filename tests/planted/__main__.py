"""`python -m tests.planted`: plants every bug and prints which laws catch it, and in which seed: the one that
docs/testing.md names, or the first one if that does not any more.

`--bug N`: one of them, as JSON (`--likely SEED` is tried first); with `--report SECONDS` what the simulator
says when it meets it. `--write`: puts the table into docs/testing.md too. `--edge N`: plants a bug of
`tests.planted.edges` and runs its test. `--serve`: does what lines of JSON ask for (`tests.planted.forking`).
"""

import argparse
import json
import sys
from collections.abc import Iterable

import pytest

from tests.planted import BUGS, Bug
from tests.planted.catching import PAGE, SEEDS, catch_all, in_page, seeds_of_page, table
from tests.planted.edges import EDGE_BUGS
from tests.planted.forking import serve
from tests.planted.planting import plant


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--bug", type=int)
    parser.add_argument("--likely", type=int, default=0)
    parser.add_argument("--edge", type=int)
    parser.add_argument("--report", type=float)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    if args.serve:
        serve({"edge": run_edge, "bug": _print_bug})
        return 0
    if args.edge is not None:
        return run_edge(args.edge)
    if args.bug is not None:
        found = hunt(BUGS[args.bug], (args.likely, *range(SEEDS)))
        if args.report is None or found is None:
            print(json.dumps(found))
        else:
            show(found[0], args.report)
        return 0
    caught = catch_all(seeds_of_page(), hunts=True)
    print(table(caught))
    if args.write:
        PAGE.write_text(in_page(PAGE.read_text(encoding="utf-8"), table(caught)), encoding="utf-8")
    return 0 if all(caught) else 1


class FirstFailure:
    """A plugin: a property that fails is not made smaller, which can take minutes."""

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings  # only now: pytest warns of a plugin that is imported before

        settings.register_profile("first failure", phases=(Phase.explicit, Phase.generate))
        settings.load_profile("first failure")


def run_edge(number: int) -> int:
    """Runs the test that must fail with this bug; its exit code."""
    edge = EDGE_BUGS[number]
    plant(edge.bug)
    options = [
        "--quiet",
        "--exitfirst",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    return int(pytest.main([*options, edge.test], plugins=[FirstFailure()]))


def _print_bug(number: int, likely: int, hunts: bool) -> None:
    print(json.dumps(hunt(BUGS[number], (likely, *range(SEEDS)) if hunts else (likely,))))


def hunt(bug: Bug, seeds: Iterable[int]) -> tuple[int, list[str]] | None:
    """The first of these seeds in which the bug breaks laws, and those laws."""
    plant(bug)
    from tests.simulation.run import NAMES, simulate  # only now: the product is imported with the bug in it
    from tests.simulation.world import draw

    for seed in seeds:
        if broken := {b.law for b in simulate(draw(seed)).broken}:
            return seed, [name for name in NAMES if name in broken]
    return None


def show(seed: int, seconds: float) -> None:
    """The report of a seed, as the simulator makes it."""
    from tests.simulation.__main__ import report
    from tests.simulation.run import simulate
    from tests.simulation.world import draw

    report(draw(seed), simulate(draw(seed)).broken, seconds)


if __name__ == "__main__":
    sys.exit(main())
