"""`streams export`, and what the page about it tells people to do with the files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from docs.generate import HERE
from tests.cli.running import ROOT, SMALL, TIMEOUT_S, lines, streams, write
from tests.commands_on_pages import command

NOTEBOOK = ROOT / "examples" / "notebook" / "bought_by_day.ipynb"
SHOWN = "\nprint(days['opened'].sum(), days['bought'].sum(), list(plt.gca().lines[0].get_ydata()))"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with the log of a small shop where the page has the demo's."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "small.jsonl", SMALL)
    assert 0 == streams("replay", "small.jsonl", "--data-dir", "data/demo").exit_code
    return tmp_path


def code_cells() -> str:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_the_notebook_draws_what_the_funnel_says(here: Path) -> None:
    """After the command of the page. The page shows its code, which is ten lines long."""
    (page,) = re.findall(
        r"```python\n(import duckdb\n.*?)```", (HERE / "consume.md").read_text("utf-8"), re.DOTALL
    )
    assert code_cells() == page.removesuffix("\n")
    assert 10 >= sum(bool(line.strip()) for line in page.splitlines()) - 2  # beside its imports
    assert 0 == streams(*command("streams export --data-dir")[1:]).exit_code
    drawn = subprocess.run(
        [sys.executable, "-c", code_cells() + SHOWN],
        cwd=here, env=os.environ | {"MPLBACKEND": "Agg"}, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert 0 == drawn.returncode, drawn.stderr
    (found,) = lines("funnel", "--data-dir", "data/demo", "--json")
    assert (2, 1) == (found["journeys"]["opened"], found["journeys"]["converted"])
    assert drawn.stdout.split()[:2] == ["2.0", "1.0"]
    assert "50.0" in drawn.stdout.split("[")[1]


def test_for_people_and_for_machines(here: Path) -> None:
    """It names the files with their rows, and up to when the log had been read."""
    shown = streams("export", "--data-dir", "data/demo", "--parquet", "out").stdout
    assert all(
        word in shown for word in ("out/transitions.parquet", "out/cells.parquet", "demo, as of 2024-05-20")
    )
    (manifest,) = lines("export", "--data-dir", "data/demo", "--parquet", "more", "--raw", "--json")
    assert json.loads(Path("more/export.json").read_text()) == manifest
    assert ("demo", "2024-05-20T10:07:00.000Z", "1.0") == (
        manifest["app"],
        manifest["as_of"],
        manifest["contract"],
    )
    steps = lines("transitions", "--data-dir", "data/demo", "--json")
    assert len(steps) == manifest["files"]["raw_transitions.parquet"]["rows"]
    assert len(steps) == pq.read_metadata("more/transitions.parquet").num_rows


def test_a_directory_that_holds_an_export(here: Path) -> None:
    """It is left alone, until one says so; the range is one of the new export."""
    export: list[Any] = ["export", "--data-dir", "data/demo", "--parquet", "out"]
    assert 0 == streams(*export).exit_code
    refused = streams(*export)
    assert 2 == refused.exit_code
    assert "--parquet out: holds an export already (export.json," in refused.stderr
    (manifest,) = lines(*export, "--replace", "--since", "2024-05-20T10:06:00Z", "--json")
    assert ("2024-05-20T10:06:00.000Z", None) == (manifest["since"], manifest["until"])
    assert 2 == manifest["files"]["transitions.parquet"]["rows"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Missing option '--parquet'"),
        (["--parquet", "small.jsonl"], "--parquet small.jsonl: is a file: name a directory"),
        (["--parquet", "out", "--data-dir", "nowhere"], "nowhere"),
        (["--parquet", "out", "--since", "soon"], "--since soon: is no time"),
        (
            ["--parquet", "small.jsonl/out", "--data-dir", "data/demo"],
            "small.jsonl/out: cannot be written: Not a",
        ),
    ],
)
def test_a_wrong_command(here: Path, options: list[str], message: str) -> None:
    """It writes nothing."""
    result = streams("export", *options)
    assert (2, "") == (result.exit_code, result.stdout)
    assert message in " ".join(result.stderr.split())
    assert not (here / "out").exists()
