"""The page says the same in every language, and needs nothing that its policy forbids."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
    asked = set(re.findall(r'\b(?:t|timed|parts)\("(\w+)"', "".join(SCRIPTS.values())))
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


needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="there is no node to run the page's scripts with"
)


def run_script(name: str, expression: str, directory: Path) -> Any:
    """The value of an expression in which a script of the page is `page`."""
    for file, text in SCRIPTS.items():
        (directory / file).write_text(text, encoding="utf-8")
    (directory / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    script = f'import * as page from "./{name}"; console.log(JSON.stringify({expression}));'
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_node
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
    changes = "[0.5, 0.005, 0.0049, 0, -0.0049, -0.005, -1].map(page.change)"
    shown = run_script("format.js", f'[page.useLocale("{language}"), {changes}][1]', tmp_path)
    assert expected == [one["text"].replace("\u00a0", " ") for one in shown]
    assert ["up", "up", None, None, None, "down", "down"] == [one["direction"] for one in shown]


@needs_node
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_there_is_no_time_yet_none_is_named(language: str, tmp_path: Path) -> None:
    """No sentence ends where its time should be: the part that is about it is left out."""
    keys = ["live", "behind", "say_behind", "say_idle", "say_stopped", "say_unreachable", "say_broken"]
    said = f"{keys}.map((key) => page.timed(key, {{ time: '', span: '2 min' }}))"
    found = run_script("words.js", f'[page.useLanguage("{language}"), {said}][1]', tmp_path)
    words = words_of(language)
    for key, text in zip(keys, found, strict=True):
        assert text, key
        assert words[key].replace("{span}", "2 min").startswith(text)
        assert not re.search(r"[{}]|\W$", text.removesuffix(".")), text
    if language == "en":
        assert ["Live", "2 min behind", "The processor is 2 min behind its input."] == found[:3]
        assert "The log does not answer; the page tries again by itself." == found[5]


@needs_node
def test_a_move_of_a_partition_that_is_ahead_is_named_as_such(tmp_path: Path) -> None:
    """One that is a second later than the figures is not: that is the way of the news."""
    times = ["10:00:00", "10:00:01", "10:01:00", "10:01:01", "12:00:00"]
    steps = [{"at": f"2024-05-06T{time}.000Z"} for time in times]
    for as_of, expected in (("2024-05-06T10:00:00Z", [False] * 3 + [True] * 2), (None, [True] * 5)):
        asked = f"{json.dumps(steps)}.map((step) => page.isAhead(step, {json.dumps({'as_of': as_of})}))"
        assert expected == run_script("steps.js", asked, tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_the_latest_moves_no_end_is_claimed(language: str) -> None:
    """They are shown as they come; figures are right up to a time. The card names both."""
    words = words_of(language)
    assert "{time}" in words["until_latest"]
    assert words["until"].replace("{time}.", "").strip() not in words["why_latest"]
    assert 'why === "why_latest" ? latestText(overview)' in SCRIPTS["cards.js"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_reads_nothing_as_markup(name: str) -> None:
    """What events hold is text, whatever it looks like."""
    assert [] == re.findall(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|https?://(?!www\.w3)",
        SCRIPTS[name],
    )
