"""What docs/rules.md tells people to type works as it stands there, with the files that it shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.generate import HERE
from streams.queries.rule_examples import CONFIDENCES, EXAMPLE_COLUMNS, KINDS_OF_EXAMPLES
from tests.cli.running import SMALL, event, streams, write
from tests.commands_on_pages import command

PAGE = (HERE / "rules.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The blocks of the page that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files of the page: the rules, the examples, and a data directory with events."""
    monkeypatch.chdir(tmp_path)
    quote, *_ = blocks("toml")
    pages = next(block for block in blocks("toml") if "/it/prova-su-strada" in block)
    (tmp_path / "my-shop.toml").write_text(quote + pages)
    (table,) = blocks("tsv")
    (tmp_path / "pinned.tsv").write_text(table)
    events: list[dict[str, Any] | str] = [*SMALL, event("eve", "Video Playback Started", "11:00:00")]
    assert 0 == streams("replay", write(tmp_path / "clicks.jsonl", events)).exit_code
    return tmp_path


def test_the_examples_hold(shop: Path) -> None:
    """All lines of the table are right by the page's own rules, and one that is changed is found."""
    typed = command("streams rules test pinned.tsv")[1:]
    result = streams(*typed)
    assert (0, "") == (result.exit_code, result.stderr), result.stdout
    table = (shop / "pinned.tsv").read_text()
    (shop / "pinned.tsv").write_text(table.replace("Quote Requested\tdo", "Quote Requested\tbuy"))
    wrong = streams(*typed)
    assert 1 == wrong.exit_code
    assert (
        'event "Quote Requested" is do, sure (event rule quote, 0.8: Quote Requested); right is buy, sure'
        in (wrong.stdout)
    )


def test_the_comparison(shop: Path) -> None:
    """The rules of the page switch one off that reads an event here."""
    typed = command("streams compare-rules current my-shop.toml")[1:]
    assert ["--from", "7d"] == typed[-2:]
    result = streams(*typed[:-2])  # what was clicked in 2024 is older than that
    assert 1 == result.exit_code, result.stderr
    assert "1 event: do (video) -> none" in result.stdout
    lately = streams(*typed)
    assert 1 == lately.exit_code
    assert "unknown: there is no event to compare them by" in lately.stdout


def test_the_moments_are_explained_by_searches_that_are_read_so() -> None:
    """Each search in the first table has the moment of its row."""
    rows = re.findall(r'^\| \*\*(\w+)\*\* .+ searches for "(.+)" \|$', PAGE, re.MULTILINE)
    assert ["know", "go", "do", "buy"] == [moment for moment, _ in rows]
    explained = [json.loads(streams("explain", "--search", text, "--json").stdout) for _, text in rows]
    assert [(moment, True) for moment, _ in rows] == [(one["moment"], one["sure"]) for one in explained]


def test_the_page_knows_every_column() -> None:
    """And every kind and confidence, in the order of the code."""
    under = PAGE.split("## Pin your own examples\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", under, re.MULTILINE))
    assert [*EXAMPLE_COLUMNS] == [*rows]
    assert [*KINDS_OF_EXAMPLES] == re.findall(r"`(\w+)`(?: \(| or)", rows["kind"])[:4]
    assert all(f"`{confidence}`" in rows["confidence"] for confidence in CONFIDENCES if confidence)
