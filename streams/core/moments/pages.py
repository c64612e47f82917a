"""Finds the page rules that may read an address, by its path or by the words in it.

A rule has patterns of paths (streams.core.moments.globs), or clauses over the path's words, as query rules
have them over a query's. The first rule that holds wins. Some hold only under a condition that the path does
not show: a parameter of the address, or a field of the event. So what is found, and remembered for each path,
is a short list: the rules that match, up to the first without such a condition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.core.ingest.event import Event
from streams.core.moments.addresses import both_segments, path_words
from streams.core.moments.conditions import condition_test
from streams.core.moments.globs import ORDER_SEGMENT, Glob, expand_glob
from streams.core.moments.language import Language, terms
from streams.core.moments.spec import PageRule, QueryRule


class PageMatch(NamedTuple):
    """A rule that matches a path."""

    place: int
    is_last_resort: bool  # it counts only where no other rule reads the event's page
    glob: Glob | None  # None: the path's words matched
    condition: Callable[[Event], bool] | None
    is_certain: bool  # it holds whatever the event and its parameters are
    text: str  # the pattern; "" if the path's words matched


class _Pattern(NamedTuple):
    """A pattern with the rule it belongs to."""

    views_only: bool
    glob: Glob
    match: PageMatch


class PageMatcher:
    """All page rules, compiled.

    A new path costs some microseconds, not one comparison per pattern. For each pattern one word is known
    that a path must have, or the beginning of one, and only patterns whose word the path has are tried. A
    shop has more paths than any cache.
    """

    def __init__(
        self, rules: Sequence[PageRule], lexicons: Mapping[str, Mapping[str, Iterable[str]]] | None = None
    ) -> None:
        self._patterns: list[_Pattern] = []
        self._otherwise: list[_Pattern] = []
        for place, rule in enumerate(rules):
            condition = condition_test(rule.where) if rule.where is not None else None
            patterns = self._otherwise if rule.otherwise else self._patterns
            for glob in (Glob(each) for path in rule.paths for each in expand_glob(path)):
                is_certain = condition is None and not glob.parameters
                match = PageMatch(place, rule.otherwise, glob, condition, is_certain, glob.text)
                patterns.append(_Pattern(rule.views_only, glob, match))
        self._orders = [
            pattern.glob for pattern in (*self._patterns, *self._otherwise) if pattern.glob.names_order
        ]
        self._by_word: dict[str, list[int]] = {}
        self._by_start: dict[str, list[int]] = {}
        self._always: list[int] = []  # patterns without such a word: they are tried on every path
        for n, pattern in enumerate(self._patterns):
            fixed = [segment for segment in pattern.glob.segments if segment != ORDER_SEGMENT]
            words = [segment for segment in fixed if "*" not in segment]
            starts = [start for segment in fixed if (start := segment.partition("*")[0])]
            if words:
                self._by_word.setdefault(max(words, key=len), []).append(n)
            elif starts:
                self._by_start.setdefault(max(starts, key=len), []).append(n)
            else:
                self._always.append(n)
        self._lengths = sorted({len(start) for start in self._by_start})
        self._words = _WordRules(rules, lexicons or {})

    def find(self, address: str, seen: bool, without: int = -1) -> tuple[PageMatch, ...]:
        """The rules that match, in their order, up to the first that holds whatever the event is.

        `seen`: the page itself is viewed, which is more than that something else happened on it. Last resorts
        come at the end, and read no text without a slash: that is the name of a page or screen. `without`:
        the place of a rule that is left out.
        """
        segments = both_segments(address)
        path = [folded for _, folded in segments]
        candidates = list(self._always)
        for segment in path:
            candidates += self._by_word.get(segment, ())
            for length in self._lengths:
                candidates += self._by_start.get(segment[:length], ())
        found: list[PageMatch] = []
        place = self._words.find(segments, seen, without)
        for n in sorted(set(candidates)):
            views_only, glob, match = self._patterns[n]
            if 0 <= place < match.place:
                break
            if (seen or not views_only) and match.place != without and glob.fits_path(path):
                found.append(match)
                if match.is_certain:
                    return tuple(found)
        if place >= 0:
            found.append(PageMatch(place, False, None, None, is_certain=True, text=""))
        elif "/" in address:
            found += self._last_resorts(path, seen, without)
        return tuple(found)

    def _last_resorts(self, path: Sequence[str], seen: bool, without: int) -> Iterable[PageMatch]:
        for views_only, glob, match in self._otherwise:
            if (seen or not views_only) and match.place != without and glob.fits_path(path):
                yield match
                if match.is_certain:
                    return

    def why(self, address: str, place: int) -> str:
        """The words of a path that make a rule hold. It is for people, and slow."""
        return self._words.why(address, place)

    def order(self, address: str, parameters: Mapping[str, str]) -> str:
        """The order id in an address, as it is written there; "" if no pattern that has `{order}` matches."""
        segments = both_segments(address)
        return next((order for glob in self._orders if (order := glob.order(segments, parameters))), "")


class _WordRules:
    """The page rules that have clauses.

    The words of all languages are one vocabulary: many addresses are in two (`/it/preventivo/thank-you`).
    """

    def __init__(
        self, rules: Sequence[PageRule], lexicons: Mapping[str, Mapping[str, Iterable[str]]]
    ) -> None:
        used = {name for rule in rules for clause in rule.any for name in terms(clause)}
        phrases: dict[str, list[str]] = {name: [] for name in used}
        for names in lexicons.values():
            for name in used & names.keys():
                phrases[name] += names[name]
        clauses = [QueryRule(rule.name, rule.moment, rule.confidence, rule.any) for rule in rules]
        self._language = Language(clauses, phrases, ()) if any(rule.any for rule in rules) else None
        self._views_only = {place for place, rule in enumerate(rules) if rule.views_only}

    def find(self, segments: Sequence[tuple[str, str]], seen: bool, without: int) -> int:
        """The place of the first rule that holds; -1 if none does. `without`: a place that is left out."""
        words = path_words(segments) if self._language is not None else ()
        if self._language is None or not words:
            return -1
        place = self._language.find(words)
        if place < 0 or (place != without and (seen or place not in self._views_only)):
            return place
        left_out = {without} if seen else {without, *self._views_only}
        return next((each for each in self._language.holding(words) if each not in left_out), -1)

    def why(self, address: str, place: int) -> str:
        """The words that make a rule hold; "" if they do not."""
        words = path_words(both_segments(address))
        return self._language.why(words, place) if self._language is not None and words else ""
