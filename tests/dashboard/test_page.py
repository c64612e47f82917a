"""The page says the same in every language, and needs nothing that its policy forbids."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from streams.dashboard.application import STATIC

WORDS = (STATIC / "words.js").read_text("utf-8")
SCRIPTS = {file.name: file.read_text("utf-8") for file in sorted(STATIC.glob("*.js"))}
LANGUAGES = ("en", "it", "es")


def words_of(language: str) -> dict[str, str]:
    """The words of a language by their key."""
    block = WORDS.split(f"const {language} = {{\n")[1].split("\n};")[0]
    return dict(re.findall(r'(?:^|[\s,])"?(\w+)"?: "((?:[^"\\]|\\.)*)"', block))


ENGLISH = words_of("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    """With the same places for values."""
    words = words_of(language)
    assert ENGLISH.keys() == words.keys()
    assert len(ENGLISH) > 100
    for key, text in ENGLISH.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", words[key])), key


def test_no_script_asks_for_a_word_that_is_not_there() -> None:
    """Nor is a word left over."""
    asked = set(re.findall(r'\b(?:t|parts)\("(\w+)"', "".join(SCRIPTS.values())))
    assert set() == asked - ENGLISH.keys()
    text = "".join(text for name, text in SCRIPTS.items() if name != "words.js")
    named = {key for key in ENGLISH if re.search(rf'["`.]{key}\b|\b{key}:', text)}
    built = re.compile(
        "step_|say_|why_|24h|7d|28d|know|go|do|buy|truth|live|idle|behind|stopped|unreachable|empty"
    )  # keys that are put together
    assert set() == {key for key in ENGLISH.keys() - named if not built.match(key)}


@pytest.mark.parametrize("page", ["index.html", "login.html"])
def test_a_page_has_no_script_or_style_within(page: str) -> None:
    """And loads its own files by relative addresses, so that it can stand behind a proxy."""
    text = (STATIC / page).read_text("utf-8")
    assert [] == re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert [] == re.findall(r"<script(?![^>]*\ssrc=)", text)
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert loaded
    assert all((STATIC.parent / name).is_file() for name in loaded)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's scripts with")
@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["▲ +50%", "▲ +1%", "0%", "0%", "0%", "▼ -1%", "▼ -100%"]),
        ("it", ["▲ +50%", "▲ +1%", "0%", "0%", "0%", "▼ -1%", "▼ -100%"]),
        ("es", ["▲ +50 %", "▲ +1 %", "0 %", "0 %", "0 %", "▼ -1 %", "▼ -100 %"]),
    ],
)
def test_what_did_not_change_has_no_arrow(language: str, expected: list[str], tmp_path: Path) -> None:
    """Nor has what changed by so little that it is shown as 0 %: nothing there is red or green."""
    (tmp_path / "format.mjs").write_text(SCRIPTS["format.js"], encoding="utf-8")
    script = (
        'import { change, useLocale } from "./format.mjs"; '
        f'useLocale("{language}"); '
        "console.log(JSON.stringify([0.5, 0.005, 0.0049, 0, -0.0049, -0.005, -1].map(change)));"
    )
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert expected == [one["text"].replace("\u00a0", " ") for one in shown]
    assert ["up", "up", None, None, None, "down", "down"] == [one["direction"] for one in shown]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_reads_nothing_as_markup(name: str) -> None:
    """What events hold is text, whatever it looks like."""
    assert [] == re.findall(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|https?://(?!www\.w3)",
        SCRIPTS[name],
    )
