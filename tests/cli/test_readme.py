"""The commands of the README work as they are printed there, one block after the other."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.cli.running import ROOT, STREAMS, TIMEOUT_S, lines

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own events\n")[1].split("\n## ")[0]
ENDLESS = "streams run "


def test_your_own_events(tmp_path: Path) -> None:
    """The blocks make the files that they use; one person buys, one only looks, and all of it verifies."""
    program = tmp_path / ".venv" / "bin" / "streams"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(STREAMS)} "$@"\n')
    program.chmod(0o755)
    blocks = re.findall(r"^```\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    typed = "".join(block for block in blocks if ENDLESS not in block)
    assert len(blocks) == 4
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    shell = subprocess.run(
        ["sh", "-e"],
        input=typed,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert shell.returncode == 0, shell.stderr
    assert "2 events replayed into data/mine" in shell.stderr
    assert "★  converted" in shell.stdout
    assert "equal: 4 records, 2 profiles" in shell.stdout
    (found,) = lines("funnel", "--data-dir", tmp_path / "data" / "mine", "--json")
    assert (2, 1, 4) == (found["profiles"], found["profiles_converted"], found["events"]["applied"])
