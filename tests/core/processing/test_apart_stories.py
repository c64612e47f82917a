"""The stories of tests/golden/apart.toml, replayed in four orders of arrival.

Each record ends as the story says, and the transitions that hold are those worked out by hand.
"""

import random
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import OUTCOMES
from tests.core.processing.feeding import Feed

STORIES = tomllib.loads(Path("tests/golden/apart.toml").read_text("utf-8"))["story"]
LIBRARY = {"context": {"userAgent": "python-requests/2.31.0"}}


def consent(**categories: bool) -> dict[str, Any]:
    return {"context": {"consent": {"categoryPreferences": categories}}}


MARKS: dict[str, dict[str, Any]] = {
    "": {},
    "robot": {"context": {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}},
    "headless": {
        "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/124.0 Safari/537.36"}
    },
    "library": LIBRARY | {"channel": "web"},
    "server": LIBRARY | {"channel": "server"},
    "refused": consent(Analytics=False, Advertising=True),
    "agreed": consent(Analytics=True),
    "no-ads": consent(Analytics=True, Advertising=False),
}


class Story(NamedTuple):
    """A story, read."""

    values: list[bytes]
    ends: list[str]
    steps: list[tuple[str, str, str, str]]


def rows(table: str) -> list[list[str]]:
    """The cells of a table whose columns begin where the words of its head do."""
    head, *lines = table.strip("\n").splitlines() or [""]
    begins = [match.start() for match in re.finditer(r"\S+", head)]
    ends = [*begins[1:], None]
    return [[line[a:b].strip() for a, b in zip(begins, ends, strict=True)] for line in lines]


def stamp(text: str) -> str:
    """`day 2 10:00`, as a record has it."""
    _, day, clock = text.split()
    return f"2024-05-{19 + int(day)}T{clock}:00.000Z"


def read(story: dict[str, str]) -> Story:
    values = []
    for at, id, who, name, *mark in rows(story["records"]):
        call: dict[str, Any] = {
            "type": "track", "messageId": id, "userId": who, "event": name, "timestamp": stamp(at),
        }  # fmt: skip
        for word in (mark[0] if mark else "").split("+"):
            given = MARKS[word]
            call |= given | {"context": call.get("context", {}) | given.get("context", {})}
        values.append(msgspec.json.encode(call))
    ends = [end.split()[1] for end in story["ends"].split(", ")]
    steps = [(stamp(at), who, kind, event) for at, who, kind, event in rows(story["steps"])]
    return Story(values, ends, steps)


@pytest.mark.parametrize("story", STORIES, ids=[story["title"] for story in STORIES])
@pytest.mark.parametrize("order", ["as written", "backwards", "shuffled", "twice"])
def test_a_story(story: dict[str, str], order: str) -> None:
    """In whatever order its records come; where they come twice, what was applied is a duplicate then."""
    found = read(story)
    assert len(found.values) == len(found.ends)
    values, ends = list(found.values), Counter(found.ends)
    if order == "backwards":
        values.reverse()
    elif order == "shuffled":
        random.Random(story["title"]).shuffle(values)
    elif order == "twice":
        values = values * 2
        ends = Counter({name: 2 * n for name, n in ends.items()})
        ends["duplicate"], ends["applied"] = ends["applied"] // 2, ends["applied"] // 2
    feed = Feed(default_rules())
    for value in values:
        feed.take(value)
    counts = feed.processor.checkpoint.counts
    assert +ends == +Counter({name: getattr(counts, name) for name in OUTCOMES})
    assert counts.received == len(values)
    held = [(step.at, step.profile, step.kind, step.event or "-") for step in feed.standing().values()]
    assert sorted(found.steps) == sorted(held)


def test_each_ending_is_read_from_its_record_alone() -> None:
    """Record by record, with nothing before it, each ends as it must."""
    for story in STORIES:
        found = read(story)
        for value, end in zip(found.values, found.ends, strict=True):
            feed = Feed(default_rules())
            feed.take(value)
            assert 1 == getattr(feed.processor.checkpoint.counts, end), (story["title"], value)
