"""The commands of the README work as they are printed there, one block after the other."""

import gzip
import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from docs.generate import HERE
from tests.cli.running import ROOT, SMALL, STREAMS, TIMEOUT_S, lines, process, streams, write
from tests.commands_on_pages import command
from tests.kafka.waiting import eventually

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
    assert "3 events replayed into data/mine" in shell.stderr
    assert "★  converted" in shell.stdout
    assert "equal: 5 records, 2 profiles" in shell.stdout
    (found,) = lines("funnel", "--data-dir", tmp_path / "data" / "mine", "--json")
    assert (2, 1, 5) == (found["profiles"], found["profiles_converted"], found["events"]["applied"])


def test_following_a_directory(tmp_path: Path) -> None:
    """The command follows the files of the directory until Ctrl-C, and what it read can be asked for."""
    (tmp_path / "clicks").mkdir()
    write(tmp_path / "clicks" / "one.jsonl", SMALL)
    words = command(".venv/bin/streams run clicks/")[1:]
    running = process(*words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    data = tmp_path / "data" / "live"

    def applied() -> bool:
        asked = streams("funnel", "--data-dir", data, "--json")
        return asked.exit_code == 0 and json.loads(asked.stdout)["events"]["applied"] == 4

    try:
        eventually(applied, "the events of the file are counted")
    finally:
        running.send_signal(signal.SIGINT)
        _, printed = running.communicate(timeout=TIMEOUT_S)
    assert 130 == running.returncode, printed


def test_the_table_on_the_page_of_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of docs/input.md reads the row that is shown there."""
    page = (HERE / "input.md").read_text("utf-8")
    (table,) = re.findall(r"^```csv\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clicks.csv.gz").write_bytes(gzip.compress(table.encode()))
    assert 0 == streams(*command("streams replay clicks.csv.gz")[1:]).exit_code
    (found,) = lines("funnel", "--json")
    assert (1, 0) == (found["events"]["received"], found["events"]["rejected"])
