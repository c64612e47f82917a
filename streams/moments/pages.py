"""Path of a page -> page rule. Globs are matched segment by segment: `*` within a segment, `**` for any number of segments.

Paths are folded first: no host, query or trailing slash; lower case, no accents, `_` and spaces as `-`, no `.html`. So `**/cart/**`
reads `/it/Cart/`, `https://shop.example/cart?step=2` and `/#/cart`.
"""

from collections.abc import Iterable
from urllib.parse import unquote

from streams.moments.spec import PageRule
from streams.moments.wildcard import matches
from streams.moments.words import fold_segment

MAX_PATH_CHARS = 512  # longer addresses carry parameters or garbage; what a page is shows in its beginning
MAX_SEGMENTS = 24  # for the same reason, and so that matching has a bound
_SUFFIXES = (".html", ".htm", ".php", ".aspx", ".asp", ".jsp")


def segments(address: str) -> list[str]:
    """The folded segments of a path, of a whole address, or of the path in its fragment (`/#/cart`)."""
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
    found = [folded for part in path.split("/") if (folded := fold_segment(part))][:MAX_SEGMENTS]
    if found:
        for suffix in _SUFFIXES:
            if found[-1].endswith(suffix) and found[-1] != suffix:
                found[-1] = found[-1].removesuffix(suffix)
                break
    return found


def glob_segments(glob: str) -> list[str]:
    """The segments of a pattern, folded like the paths it is to match."""
    return [fold_segment(part) for part in glob.split("/") if part.strip()]


def _same_character(pattern: str, character: str) -> bool:
    return pattern == character


def _same_segment(pattern: str, segment: str) -> bool:
    return pattern == segment or ("*" in pattern and matches(pattern, segment, "*", _same_character))


class Pages:
    """All page rules, compiled. `find` gives the first that matches: (place in the list, the glob)."""

    def __init__(self, rules: Iterable[PageRule]) -> None:
        self._globs: list[tuple[int, bool, str, list[str]]] = []
        for place, rule in enumerate(rules):
            self._globs += [(place, rule.views_only, glob, glob_segments(glob)) for glob in rule.paths]

    def find(self, address: str, seen: bool) -> tuple[int, str] | None:
        """The rule of a page that was `seen`, or on which something else happened."""
        path = segments(address)
        for place, views_only, glob, pattern in self._globs:
            if (seen or not views_only) and matches(pattern, path, "**", _same_segment):
                return place, glob
        return None
