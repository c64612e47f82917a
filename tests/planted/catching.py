"""Hunts each bug in a process of its own, two at a time, and tells of it in docs/testing.md."""

import json
import subprocess
import sys
from collections.abc import Sequence
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


def catch(number: int) -> Caught:
    done = subprocess.run(
        [sys.executable, "-m", "tests.planted", "--bug", str(number)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return None if found is None else (found[0], found[1])


def catch_all() -> list[Caught]:
    """In the order of BUGS."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(catch, range(len(BUGS))))


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
