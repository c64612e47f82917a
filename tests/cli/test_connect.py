"""The pages about tools show records and commands that work together."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from docs.generate import HERE
from tests.cli.running import lines, streams


def replayed(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Runs the first command of a page on its first record, and returns the transitions."""
    text = (HERE / "connect" / f"{page}.md").read_text("utf-8")
    record = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0]
    command = shlex.split(re.findall(r"^streams replay .*$", text, re.MULTILINE)[0])
    monkeypatch.chdir(folder)
    (folder / command[2]).write_text(record, "utf-8")
    result = streams(*command[1:])
    assert result.exit_code == 0, result.stderr
    (folder / "verified").write_text(streams("verify").stdout)
    assert "equal" in (folder / "verified").read_text()
    return lines("transitions", "--json")


def test_a_receipt_by_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one purchase, in the local time of the shop."""
    monkeypatch.setenv("STREAMS_NEED", "properties.products.category")
    found = replayed("mapping", tmp_path, monkeypatch)
    assert {"u:4711"} == {step["profile"] for step in found}
    assert {"2024-05-20T08:05:00.000Z"} == {step["at"] for step in found}
    assert {"tea", "pots"} == {step["need"] for step in found if step["kind"] == "converted"}


def test_a_cloud_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The envelope's id and time stand in."""
    opened, converted = replayed("cloudevents", tmp_path, monkeypatch)
    assert ("u:4711", "opened", "converted") == (opened["profile"], opened["kind"], converted["kind"])
    assert ("/shop A-1", "2024-05-20T10:00:00.500Z") == (converted["event"], converted["at"])
