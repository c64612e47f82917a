"""Finds the page rule of a page's path. Globs are matched segment by segment.

`*` stands for any characters of one segment, `**` for any number of segments, `{order}` for one segment that
has a digit: the id of an order. Paths are folded first: no
host, query or trailing slash; lower case, no accents, `_` and spaces as `-`, no `.html`. So `**/cart/**`
reads `/it/Cart/`, `https://shop.example/cart?step=2` and `/#/cart`.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from streams.core.moments.spec import PageRule
from streams.core.moments.wildcard import glob_matches
from streams.core.moments.words import fold_segment

MAX_PATH_CHARS = 512  # longer addresses carry parameters or garbage; their beginning shows the page
MAX_SEGMENTS = 24  # more are garbage too; it also bounds the cost of matching
ORDER_SEGMENT = "{order}"
_SUFFIXES = (".html", ".htm", ".php", ".aspx", ".asp", ".jsp")


def path_segments(address: str) -> list[str]:
    """The folded segments of a path, of a whole address, or of the path in its fragment (`/#/cart`)."""
    found = list(map(fold_segment, _raw_segments(address)))
    if found:
        found[-1] = _without_suffix(found[-1])
    return found


def _raw_segments(address: str) -> list[str]:
    """The segments as they are written, without those that fold to nothing."""
    text = address[:MAX_PATH_CHARS]
    scheme = text.find("://")
    if scheme >= 0:
        text = text[scheme + 3 :].partition("/")[2]
    path, hash_, fragment = text.partition("#")
    if hash_ and fragment.lstrip("!").startswith("/"):
        path = fragment.lstrip("!")
    path = path.partition("?")[0]
    if "%" in path:
        path = unquote(path)
    return [part for part in path.split("/") if fold_segment(part)][:MAX_SEGMENTS]


def _without_suffix(segment: str) -> str:
    for suffix in _SUFFIXES:
        if segment.lower().endswith(suffix) and len(segment) > len(suffix):
            return segment[: -len(suffix)]
    return segment


def glob_segments(glob: str) -> list[str]:
    """The segments of a pattern, folded like the paths that it is to match."""
    parts = [part.strip() for part in glob.split("/")]
    return [part if part == ORDER_SEGMENT else fold_segment(part) for part in parts if part]


def _same_character(pattern: str, character: str) -> bool:
    return pattern == character


def same_segment(pattern: str, segment: str) -> bool:
    """True if one segment of a path matches one of a pattern."""
    if pattern == ORDER_SEGMENT:
        return any(map(str.isdigit, segment))
    return pattern == segment or ("*" in pattern and glob_matches(pattern, segment, "*", _same_character))


class _Glob(NamedTuple):
    """A pattern with the rule it belongs to."""

    place: int
    views_only: bool
    glob: str
    pattern: list[str]


class PageMatcher:
    """All page rules, compiled.

    A new path costs some microseconds, not one comparison per glob. For each glob one word is known that a
    path must have, or the beginning of one, and only globs whose word the path has are tried. A shop has more
    paths than any cache.
    """

    def __init__(self, rules: Iterable[PageRule]) -> None:
        globs = [
            _Glob(place, rule.views_only, glob, glob_segments(glob))
            for place, rule in enumerate(rules)
            for glob in rule.paths
        ]
        self._globs = globs
        self._orders = [glob.pattern for glob in globs if ORDER_SEGMENT in glob.pattern]
        self._by_word: dict[str, list[int]] = {}
        self._by_start: dict[str, list[int]] = {}
        self._always: list[int] = []  # globs without such a word: they are tried on every path
        for n, glob in enumerate(globs):
            fixed = [segment for segment in glob.pattern if segment != ORDER_SEGMENT]
            words = [segment for segment in fixed if "*" not in segment]
            starts = [start for segment in fixed if (start := segment.partition("*")[0])]
            if words:
                self._by_word.setdefault(max(words, key=len), []).append(n)
            elif starts:
                self._by_start.setdefault(max(starts, key=len), []).append(n)
            else:
                self._always.append(n)
        self._lengths = sorted({len(start) for start in self._by_start})

    def find(self, address: str, seen: bool, without: int = -1) -> tuple[int, str] | None:
        """The first rule that matches: (its place in the list, the glob).

        `seen`: the page itself is viewed, which is more than that something else happened on it. `without`:
        the place of a rule that is left out.
        """
        path = path_segments(address)
        candidates = list(self._always)
        for segment in path:
            candidates += self._by_word.get(segment, ())
            for length in self._lengths:
                candidates += self._by_start.get(segment[:length], ())
        for n in sorted(candidates):
            place, views_only, glob, pattern = self._globs[n]
            if place == without or (views_only and not seen):
                continue
            if glob_matches(pattern, path, "**", same_segment):
                return place, glob
        return None

    def order(self, address: str) -> str:
        """The order id in a path, as it is written there; "" if no glob that has `{order}` matches."""
        path = path_segments(address)
        for pattern in self._orders:
            before, after = _around_order(pattern)
            for n, segment in enumerate(path):
                if (
                    same_segment(ORDER_SEGMENT, segment)
                    and glob_matches(before, path[:n], "**", same_segment)
                    and glob_matches(after, path[n + 1 :], "**", same_segment)
                ):
                    return _without_suffix(_raw_segments(address)[n])
        return ""


def _around_order(pattern: list[str]) -> tuple[list[str], list[str]]:
    n = pattern.index(ORDER_SEGMENT)
    return pattern[:n], pattern[n + 1 :]
