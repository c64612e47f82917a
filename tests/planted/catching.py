"""Hunts each bug in a process of its own, two at a time, and tells of it in docs/testing.md."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tests.planted import BUGS
from tests.planted.forking import ROOT, Done, Forks, Task

SEEDS = 300  # a bug that lives through so many days is not caught
PROCESSES = 2
PAGE = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- planted -->\n", "<!-- /planted -->\n"

Caught = tuple[int, list[str]] | None
"""The first seed that catches a bug, and the laws that do."""


def rows_of_page() -> list[list[str]]:
    """The table in docs/testing.md: bug, laws, seed."""
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line for line in written.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def seeds_of_page() -> dict[str, int]:
    """By bug, the seed that caught it when the page was written."""
    return {name: int(seed) for name, _, seed in rows_of_page() if seed.isdigit()}


def catch_all(likely: Mapping[str, int], *, hunts: bool) -> list[Caught]:
    """In the order of BUGS. `likely`: by name, the seed that is tried first. `hunts`: if no law breaks there,
    others are looked through, which takes minutes for a bug.
    """
    seeds = [likely.get(bug.name, 0) for bug in BUGS]
    done = run_all(
        [{"do": "bug", "number": n, "likely": seed, "hunts": hunts} for n, seed in enumerate(seeds)]
    )
    assert not any(d.code for d in done), [d.said for d in done if d.code]
    found = [json.loads(d.said.splitlines()[-1]) for d in done]
    return [None if f is None else (f[0], f[1]) for f in found]


def run_all(tasks: Sequence[Task]) -> list[Done]:
    """Does tasks in two processes; their ends in the same order."""
    waiting, done = iter(enumerate(tasks)), dict[int, Done]()
    lock = Lock()

    def work() -> None:
        forks = Forks()
        try:
            while True:
                with lock:
                    number, task = next(waiting, (-1, {}))
                if number < 0:
                    return
                done[number] = forks.run(**task)
        finally:
            forks.close()

    with ThreadPoolExecutor(PROCESSES) as pool:
        for running in [pool.submit(work) for _ in range(PROCESSES)]:
            running.result()
    return [done[number] for number in range(len(tasks))]


def table(caught: Sequence[Caught]) -> str:
    """As Markdown."""
    lines = ["| planted bug | caught by the laws | in seed |", "|---|---|---|"]
    for bug, found in zip(BUGS, caught, strict=True):
        seed, laws = found if found else ("none", ["none"])
        lines.append(f"| {bug.name} | {', '.join(laws)} | {seed} |")
    return "\n".join(lines) + "\n"


def in_page(page: str, text: str) -> str:
    """The page with this table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
