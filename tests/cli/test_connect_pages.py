"""The example on each page of docs/connect works as it is printed there."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from docs.generate import HERE
from tests.cli.running import ROOT, STREAMS, TIMEOUT_S, streams

PAGES = sorted((HERE / "connect").glob("*.md"))
ANY_FORMAT = ("cloudevents", "mapping")  # their examples are run by test_connect.py
ON_KAFKA = ("avro-protobuf",)  # its example is run by tests/kafka/test_registry.py


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in ANY_FORMAT + ON_KAFKA], ids=lambda page: page.stem
)
def test_the_example_of_a_page(page: Path, tmp_path: Path) -> None:
    """The block makes a file and replays it: no record is rejected, and somebody buys."""
    program = tmp_path / "bin" / "streams"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(STREAMS)} "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    (block,) = re.findall(r"^```\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shell = subprocess.run(
        ["sh", "-e"],
        input=block,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert shell.returncode == 0, shell.stderr
    asked = streams("funnel", "--data-dir", tmp_path / "data" / page.stem, "--json")
    funnel = json.loads(asked.stdout)
    assert 0 == funnel["events"]["rejected"]
    assert 0 < funnel["profiles_converted"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_and_its_links_lead_somewhere(page: Path) -> None:
    """A page has at most 80 lines, and the pages that it links to are there."""
    text = page.read_text("utf-8")
    assert len(text.splitlines()) <= 80
    assert all((page.parent / link).exists() for link in re.findall(r"\]\((?!https:)([^):#]+)[^)]*\)", text))
