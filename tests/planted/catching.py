"""Hunts each bug in a process of its own, two at a time, and tells of it in docs/testing.md."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.planted import BUGS

SEEDS = 300  # a bug that lives through so many days is not caught
PROCESSES = 2
HANGS_S = 3_600  # a hunt through all seeds takes minutes; a busy machine is ten times slower
ROOT = Path(__file__).parents[2]
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


def catch(number: int, likely: int = 0) -> Caught:
    """Hunts a bug. `likely`: the seed that is tried first."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.planted", "--bug", str(number), "--likely", str(likely)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return None if found is None else (found[0], found[1])


def catch_all(likely: Mapping[str, int] | None = None) -> list[Caught]:
    """In the order of BUGS. `likely`: by name, the seed that is tried first; without it they are hunted."""
    seeds = [(likely or {}).get(bug.name, 0) for bug in BUGS]
    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(catch, range(len(BUGS)), seeds))


def table(caught: Sequence[Caught]) -> str:
    """As Markdown."""
    lines = ["| planted bug | caught by the laws | first in seed |", "|---|---|---|"]
    for bug, found in zip(BUGS, caught, strict=True):
        seed, laws = found if found else ("none", ["none"])
        lines.append(f"| {bug.name} | {', '.join(laws)} | {seed} |")
    return "\n".join(lines) + "\n"


def in_page(page: str, text: str) -> str:
    """The page with this table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
