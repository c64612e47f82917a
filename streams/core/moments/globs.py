"""Patterns of pages. A path is matched segment by segment, its parameters by their names.

`*` stands for any characters of one segment, `**` for any number of segments, `a|b` for either of two
texts, `{order}` for one segment that is the id of an order. Behind a `?` stand parameters that must be there,
joined with `&`: `**/index?controller=order-confirmation`, `/**?order_id|id_order={order}`. Names and values
are folded like segments.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from streams.core.moments.wildcard import glob_matches
from streams.core.moments.words import fold_segment

ORDER_SEGMENT = "{order}"
MAX_EXPANDED = 500  # patterns that one line stands for: more is a mistake
_ENOUGH_DIGITS = 3  # an id with letters has as many: A-1001, and neither step-2 nor v2


def is_order_id(text: str) -> bool:
    """True if a segment can be an order's id: it is a number, or has at least three digits."""
    digits = sum(map(str.isdigit, text))
    return digits >= _ENOUGH_DIGITS or 0 < digits == len(text)


def expand_glob(glob: str) -> list[str]:
    """The patterns without `|` that one line stands for. Raises ValueError if they are too many."""
    path, asks, query = glob.partition("?")
    parts = [part.split("|") for part in path.split("/")]
    for pair in query.split("&") if asks else ():
        name, equals, value = pair.partition("=")
        parts.append([f"{each}{equals}{other}" for each in name.split("|") for other in value.split("|")])
    count = 1
    for part in parts:
        count *= len(part)
    if count > MAX_EXPANDED:
        raise ValueError(f"stands for {count} paths; at most {MAX_EXPANDED}")
    depth = path.count("/") + 1
    return ["/".join(chosen[:depth]) + asks + "&".join(chosen[depth:]) for chosen in product(*parts)]


def glob_segments(path: str) -> list[str]:
    """The segments of a pattern's path, folded like the paths that it is to match."""
    parts = [part.strip() for part in path.split("/")]
    return [part if part == ORDER_SEGMENT else fold_segment(part) for part in parts if part]


def same_segment(pattern: str, segment: str) -> bool:
    """True if one segment of a path matches one of a pattern."""
    if pattern == segment:
        return True
    if pattern == ORDER_SEGMENT:
        return is_order_id(segment)
    first, star, rest = pattern.partition("*")
    if not star or not segment.startswith(first):
        return False
    *middle, last = rest.split("*")
    at, end = len(first), len(segment) - len(last)
    if end < at or not segment.endswith(last):
        return False
    for part in middle:
        found = segment.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


class Glob:
    """A pattern that is ready to be compared."""

    __slots__ = ("_anywhere", "_last", "parameters", "segments", "text")

    def __init__(self, text: str) -> None:
        """`text` has no `|`."""
        path, asks, query = text.partition("?")
        self.text = text
        self.segments = glob_segments(path)
        pairs = [pair.partition("=") for pair in query.split("&")] if asks else []
        self.parameters = tuple(
            (fold_segment(name), value if value == ORDER_SEGMENT else fold_segment(value))
            for name, _, value in pairs
        )
        # Most patterns ask for one word, anywhere or at the end: there is a short way to compare those.
        match self.segments:
            case ["**", word, "**"] if not _has_wildcard(word):
                self._anywhere, self._last = word, ""
            case ["**", word] if not _has_wildcard(word):
                self._anywhere, self._last = "", word
            case _:
                self._anywhere = self._last = ""

    def fits_path(self, path: Sequence[str]) -> bool:
        """True if folded segments match. The parameters are not looked at."""
        if self._anywhere:
            return self._anywhere in path
        if self._last:
            return bool(path) and path[-1] == self._last
        return glob_matches(self.segments, path, "**", same_segment)

    def fits_parameters(self, parameters: Mapping[str, str]) -> bool:
        """True if all parameters of the pattern are there."""
        return all(
            (value := parameters.get(name)) is not None
            and (is_order_id(value) if wanted == ORDER_SEGMENT else same_segment(wanted, fold_segment(value)))
            for name, wanted in self.parameters
        )

    def order(self, segments: Sequence[tuple[str, str]], parameters: Mapping[str, str]) -> str:
        """The order's id, as it is written in an address; "" if the pattern does not match.

        `segments`: as they are written, and folded.
        """
        path = [folded for _, folded in segments]
        for name, wanted in self.parameters:
            if wanted == ORDER_SEGMENT:
                fits = self.fits_path(path) and self.fits_parameters(parameters)
                return parameters[name].strip() if fits else ""
        if not self.fits_parameters(parameters):
            return ""
        n = self.segments.index(ORDER_SEGMENT)
        before, after = self.segments[:n], self.segments[n + 1 :]
        for at, (written, folded) in enumerate(segments):
            if (
                is_order_id(folded)
                and glob_matches(before, path[:at], "**", same_segment)
                and glob_matches(after, path[at + 1 :], "**", same_segment)
            ):
                return written
        return ""

    @property
    def names_order(self) -> bool:
        """True if the pattern says where the order's id is."""
        return ORDER_SEGMENT in self.segments or any(value == ORDER_SEGMENT for _, value in self.parameters)


def _has_wildcard(segment: str) -> bool:
    return "*" in segment or segment == ORDER_SEGMENT
