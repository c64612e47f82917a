"""Event -> Verdict | None: the interpreter of the rules. Pure, and total: no event of any content raises.

Evidence is asked in the order of how much it tells: what the event is called, what was searched for, which page it was on. An event rule
may yield to the other two and keep its own moment for when they have nothing to say. The last-resort query rule comes after the page: it does not
read the query, it only notes that there was one.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote_plus

import msgspec

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments import spec
from streams.core.moments.pages import MAX_PATH_CHARS, PageMatcher
from streams.core.moments.query import QueryMatcher
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import INTENTS, SURE_ABOVE, Verdict
from streams.core.moments.words import fold_name, fold_text

MAX_QUERY_CHARS = 256  # longer ones are pasted texts; what is wanted shows in the beginning
MAX_CONDITION_CHARS = 2048  # of a value that a condition looks at: the longest address browsers agree on
MAX_LOCALE_CHARS = 35  # the longest tag that BCP 47 asks programs to take
MAX_MEMBERS = 64  # of a list that a condition looks at
CACHED = 8192  # queries and paths remembered, some MB: what is frequent is a far smaller set
MAX_KNOWN_NAMES = (
    4096  # event names remembered as sent; a site has some dozens, and an attacker gets no more than this
)

Evidence = Literal["event", "query", "page"]


class Explanation(msgspec.Struct, frozen=True):
    """Why an event, or a query, is read as it is."""

    verdict: Verdict | None  # None: no signal
    moment: str  # of INTENTS, or "none"
    rule: str | None = None  # None: no rule reads it
    confidence: float = 0.0
    evidence: Evidence | None = None
    matched: str = ""  # the name, the words by lexicon, or the path pattern that did it


class _Rule:
    """A rule that is ready to answer."""

    __slots__ = ("evidence", "name", "number", "said", "verdict", "view", "where", "yields")

    def __init__(self, number: int, rule: spec.EventRule | spec.QueryRule | spec.PageRule) -> None:
        self.number, self.name = number, rule.name
        self.evidence: Evidence = (
            "event"
            if isinstance(rule, spec.EventRule)
            else "query"
            if isinstance(rule, spec.QueryRule)
            else "page"
        )
        self.said = rule.moment, rule.confidence
        buys = not (isinstance(rule, spec.QueryRule) and rule.moment == "truth")  # a query never converts
        self.verdict = (
            None
            if rule.moment == "none"
            else Verdict(INTENTS.index(rule.moment), rule.confidence > SURE_ABOVE and buys, number)
        )
        self.yields: spec.Words = rule.yields_to if isinstance(rule, spec.EventRule) else ()
        self.view = isinstance(rule, spec.EventRule) and rule.view
        self.where = (
            _test(rule.where) if isinstance(rule, spec.EventRule) and rule.where is not None else None
        )

    def explain(self, matched: str) -> Explanation:
        """What this rule says."""
        return Explanation(self.verdict, self.said[0], self.name, self.said[1], self.evidence, matched)


_Found = tuple[_Rule, str]  # a rule, and what made it match (for people)
_Named = tuple[tuple[spec.Words, _Rule], ...]  # rules of one name, in order, with the types they are for


class Classifier:
    """Reads events by one set of rules."""

    def __init__(self, rules: Rules) -> None:
        content = rules.content
        made = [_Rule(number, rule) for number, rule in enumerate(content.all)]
        count = len(content.events)
        self._queries_at, self._pages_at, self._made = count, count + len(content.queries), made
        by_name: dict[str, list[tuple[spec.Words, _Rule]]] = {}
        spelled: dict[str, None] = {}
        for rule, ready in zip(content.events, made, strict=False):
            for name in rule.names:
                by_name.setdefault(fold_name(name), []).append((rule.types, ready))
                spelled[name] = None
        self._by_name: dict[str, _Named] = {name: tuple(found) for name, found in by_name.items()}
        self._any_name: _Named = tuple(
            (rule.types, ready) for rule, ready in zip(content.events, made, strict=False) if not rule.names
        )
        self._known: dict[str, _Named] = {}
        self._at_once: dict[
            str, Verdict
        ] = {}  # names as sent, whose rule for tracks needs to look no further
        for name in spelled:
            self._learn(name)
        self._queries = QueryMatcher(content.queries, _by_language(content.lexicons), content.read.polite)
        self._pages = PageMatcher(content.pages)
        self._read_query, self._read_url, self._read_page, self._read_locale = (
            tuple(map(_path, paths))
            for paths in (content.read.query, content.read.url, content.read.page, content.read.locale)
        )
        deep = [path for path in content.read.query if not path.startswith("properties.")]
        # what says at one glance that there is no query, which is so for most events
        self._query_keys = frozenset(() if deep else (path.split(".")[1] for path in content.read.query))
        params = "|".join(map(re.escape, content.read.url_params))
        self._param = re.compile(f"(?:^|[?&])(?:{params})=([^&#]*)") if params else None
        self._find_query = lru_cache(CACHED)(self._queries.find)
        self._find_page = lru_cache(CACHED)(self._pages.find)

    def classify(self, event: Event) -> Verdict | None:
        """What the event says about intent; None: nothing."""
        verdict = self._at_once.get(event.name)
        if verdict is not None and event.type == "track":
            return verdict
        found = self._find(event)
        return found[0].verdict if found is not None else None

    __call__ = classify

    def explain(self, event: Event) -> Explanation:
        """The same with its reasons."""
        found = self._find(event)
        if found is None:
            return Explanation(None, "none")
        rule, matched = found
        return self.query(*self._search(event)) if rule.evidence == "query" else rule.explain(matched)

    def query(self, text: str, locale: str | None = None) -> Explanation:
        """How a search query is read. Without a locale, or in one without lexicons, all languages are tried."""
        text = text[:MAX_QUERY_CHARS]
        found = self._find_query(text, _language((locale or "")[:MAX_LOCALE_CHARS]))
        if found is None:
            return Explanation(None, "none")
        place, language = found
        matched = (
            "(nothing else read it)"
            if language is None
            else f"{language}: {self._queries.why(text, place, language)}"
        )
        return self._made[self._queries_at + place].explain(matched)

    def _find(self, event: Event) -> _Found | None:
        rule = self._named(event)
        if rule is not None and not rule.yields:
            return rule, event.name[:MAX_EVENT_NAME_CHARS] or event.type
        last: _Found | None = None
        if rule is None or "query" in rule.yields:
            text, language = self._search(event)
            found = self._find_query(text, language) if text else None
            if found is not None:
                query = self._made[self._queries_at + found[0]], text
                if found[1] is not None:
                    return query
                last = query
        if rule is None or "page" in rule.yields:
            page = self._page(event, rule is not None and rule.view)
            if page is not None:
                return page
        return last if rule is None else (rule, event.name[:MAX_EVENT_NAME_CHARS] or event.type)

    def _named(self, event: Event) -> _Rule | None:
        named = self._known.get(event.name)
        if named is None:
            named = self._learn(event.name)
        for types, rule in named:
            if event.type in types and (rule.where is None or rule.where(event)):
                return rule
        return None

    def _learn(self, name: str) -> _Named:
        named = (
            *(self._by_name.get(fold_name(name[:MAX_EVENT_NAME_CHARS]), ()) if name else ()),
            *self._any_name,
        )
        if len(self._known) < MAX_KNOWN_NAMES and len(name) <= MAX_EVENT_NAME_CHARS:
            self._known[name] = named
            if named:
                types, rule = named[0]
                if "track" in types and rule.where is None and not rule.yields and rule.verdict is not None:
                    self._at_once[name] = rule.verdict
        return named

    def _search(self, event: Event) -> tuple[str, str]:
        """The text that was searched for ("" when none was) and the language."""
        for read in (
            () if self._query_keys and self._query_keys.isdisjoint(event.properties) else self._read_query
        ):
            text = read(event)
            if isinstance(text, str) and text and not text.isspace():
                return text[:MAX_QUERY_CHARS], self._language(event)
        if self._param is not None:
            for read in self._read_url:
                text = read(event)
                if (
                    isinstance(text, str)
                    and "=" in text
                    and (hit := self._param.search(text[:MAX_CONDITION_CHARS])) is not None
                    and hit[1]
                ):
                    return unquote_plus(hit[1])[:MAX_QUERY_CHARS], self._language(event)
        return "", ""

    def _language(self, event: Event) -> str:
        for read in self._read_locale:
            locale = read(event)
            if isinstance(locale, str) and (language := _language(locale[:MAX_LOCALE_CHARS])):
                return language
        return ""

    def _page(self, event: Event, view: bool) -> _Found | None:
        seen = view or event.type in ("page", "screen")
        for read in self._read_page:
            path = read(event)
            if isinstance(path, str) and path:
                found = self._find_page(path[:MAX_PATH_CHARS], seen)
                if found is not None:
                    return self._made[self._pages_at + found[0]], found[1]
        return None


def _by_language(lexicons: tuple[spec.Lexicon, ...]) -> dict[str, dict[str, spec.Words]]:
    languages: dict[str, dict[str, spec.Words]] = {}
    for lexicon in lexicons:
        languages.setdefault(lexicon.language, {})[lexicon.name] = lexicon.phrases
    return languages


@lru_cache(256)
def _language(locale: str) -> str:
    """it-IT, it_IT, IT -> it."""
    return locale.strip().replace("_", "-").partition("-")[0].lower()


def _path(path: str) -> Callable[[Event], Any]:
    """A reader of a dotted path through objects. `name` is a page's name only where a page was seen."""
    root, _, rest = path.partition(".")
    keys = tuple(rest.split(".")) if rest else ()
    if path == "name":
        return lambda event: event.name if event.type in ("page", "screen") else None
    if len(keys) == 1:
        key = keys[0]
        return (
            (lambda event: event.properties.get(key))
            if root == "properties"
            else (lambda event: event.context.get(key))
        )

    def read(event: Event) -> Any:
        value = getattr(event, root)
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    return read


def _test(where: spec.Condition) -> Callable[[Event], bool]:
    """Whether an event fulfils a condition; of a list, whether any member does."""
    read = _path(where.path) if where.path != "name" else lambda event: event.name
    if where.exists is not None:
        return lambda event: (read(event) not in (None, "")) is where.exists
    equal = frozenset(map(fold_text, where.is_))
    starts, parts = tuple(map(fold_text, where.starts_with)), tuple(map(fold_text, where.contains))

    def one(value: Any) -> bool:
        if (
            isinstance(value, bool | int) and -(2**63) <= value < 2**63
        ):  # longer numbers are not sent, and slow to spell
            value = str(value).lower()
        if not isinstance(value, str):
            return False
        text = fold_text(value[:MAX_CONDITION_CHARS])
        return (
            text in equal
            if equal
            else text.startswith(starts)
            if starts
            else any(part in text for part in parts)
        )

    def test(event: Event) -> bool:
        value = read(event)
        return any(map(one, value[:MAX_MEMBERS])) if isinstance(value, list) else one(value)

    return test


MAX_COMPILED = 8  # sets of rules kept ready: what is in force, and those before it that a recomputation needs
_compiled: dict[str, Classifier] = {}


def classifier_for(rules: Rules) -> Classifier:
    """The classifier of these rules: one for all partitions of a process, since making one takes as long as reading thousands of events."""
    ready = _compiled.get(rules.version)
    if ready is None:
        if len(_compiled) >= MAX_COMPILED:
            _compiled.clear()
        ready = _compiled[rules.version] = Classifier(rules)
    return ready
