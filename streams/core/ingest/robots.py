"""Tells robots by their user agents: by a list that others keep, and by clues of our own.

The list is the package `crawler-user-agents`: robots that name themselves. Its version is part of the door,
since another version may tell another robot.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import metadata
from typing import Any

import msgspec

MAX_ROBOT_AGENT_CHARS = 1024  # of a user agent that are looked at; the longest of browsers have about 400
MAX_KNOWN_AGENTS = 8192  # that are remembered, about 3 MB; a site sees a few thousand
MAX_ROBOT_LISTS = 4  # kept ready: of the settings in force, and of earlier ones that a recomputation needs

CLUES_VERSION = 1  # goes up when a clue below changes, or how the list is read
_LIST, _FILE = "crawler-user-agents", "crawleruseragents/crawler-user-agents.json"
# What no browser of a person has, in lower case: a browser without a window, an address where its
# owner can be found, and a word for robots. Cubot makes phones.
_CLUES = re.compile(r"headless|phantomjs|\+https?:|spider|crawler|(?<!cu)bot(?![a-z])")
# Patterns of the list that people's browsers have, too: the build of most phones with Android 15, the browser
# within Facebook's app, a browser, and phones. The robots among them show a clue.
_OF_PEOPLE = frozenset({r"AP3A\.240617\.008", "MetaIAB Facebook", "Sogou", "Butterfly"})
# Patterns of the list for the clients of programs: apps and servers send with them what people do.
_LIBRARY_TAG = "http-library"
_ESCAPED = re.compile(r"\\([^a-zA-Z0-9])")
_SPECIAL = frozenset(r"\^$.|?*+()[]{}")

BROWSER, ROBOT, LIBRARY = range(3)
"""What a user agent shows. LIBRARY: the client of a program, which is a robot only where people browse."""


class _Known(msgspec.Struct):
    """An entry of the list."""

    pattern: str
    tags: list[str] = []


class _Patterns:
    """Patterns that are looked for together. Nearly all are plain text, which is quicker to look for."""

    def __init__(self, patterns: Sequence[str]) -> None:
        plain = {pattern: _ESCAPED.sub(r"\1", pattern) for pattern in patterns}
        is_text = {pattern: _SPECIAL.isdisjoint(_ESCAPED.sub("", pattern)) for pattern in patterns}
        self._texts = tuple(plain[pattern] for pattern in patterns if is_text[pattern])
        others = [pattern for pattern in patterns if not is_text[pattern]]
        self._others = re.compile("|".join(others) or r"(?!)")

    def found_in(self, agent: str) -> bool:
        """True if one of them is in the user agent."""
        return any(text in agent for text in self._texts) or self._others.search(agent) is not None


class Robots:
    """Tells robots by the list, and by the texts that the settings add and take away."""

    def __init__(self, texts: Sequence[str], no_texts: Sequence[str]) -> None:
        self._texts, self._no_texts = tuple(map(str.lower, texts)), tuple(map(str.lower, no_texts))
        self._known: dict[str, int] = {}

    def shown_by(self, agent: Any) -> int:
        """BROWSER, ROBOT or LIBRARY, by the user agent of an event. What is no text shows no robot."""
        if type(agent) is not str:
            return BROWSER
        if len(agent) > MAX_ROBOT_AGENT_CHARS:
            agent = agent[:MAX_ROBOT_AGENT_CHARS]
        known = self._known.get(agent)
        if known is None:
            if len(self._known) >= MAX_KNOWN_AGENTS:
                self._known.clear()
            known = self._known[agent] = self._judge(agent)
        return known

    def _judge(self, agent: str) -> int:
        plain = agent.lower()
        if any(text in plain for text in self._no_texts):
            return BROWSER
        if any(text in plain for text in self._texts) or _CLUES.search(plain):
            return ROBOT
        robots, libraries = _listed()
        if robots.found_in(agent):
            return ROBOT
        return LIBRARY if libraries.found_in(agent) else BROWSER


@lru_cache(MAX_ROBOT_LISTS)
def robots_by(texts: tuple[str, ...], no_texts: tuple[str, ...]) -> Robots:
    """What tells robots under these settings. All readers of a process share it: it remembers user agents."""
    return Robots(texts, no_texts)


@cache
def robots_version() -> str:
    """The version of the list, and of the clues, that this release has."""
    return f"{_LIST} {metadata.version(_LIST)}, clues {CLUES_VERSION}"


@cache
def _listed() -> tuple[_Patterns, _Patterns]:
    """The patterns of robots, and of clients of programs."""
    file: Any = metadata.distribution(_LIST).locate_file(_FILE)  # a path; typeshed knows less of it
    known = msgspec.json.decode(file.read_bytes(), type=list[_Known])
    known = [entry for entry in known if entry.pattern not in _OF_PEOPLE]
    robots = [entry.pattern for entry in known if _LIBRARY_TAG not in entry.tags]
    return _Patterns(robots), _Patterns([entry.pattern for entry in known if _LIBRARY_TAG in entry.tags])
