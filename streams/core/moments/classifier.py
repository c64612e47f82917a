"""Event -> Verdict | None: the interpreter of the rules. It is pure, and total: no event raises.

Whatever the moment is, cue rules are asked besides. An event that only a cue rule reads is an unsure signal.

It asks for evidence in the order of how much each tells: the event's name, the search query, the page. An
event rule may yield to the other two; its own moment holds when they give nothing. The last-resort query rule
comes after the page: it does not read the query, it only notes that there was one.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments.conditions import path_reader
from streams.core.moments.names import CuedRule, NamedRule, NameMatcher, NameRules, first_match
from streams.core.moments.pages import MAX_PATH_CHARS, ORDER_SEGMENT, PageMatcher
from streams.core.moments.query import QueryMatcher
from streams.core.moments.rules import Rules
from streams.core.moments.spec import (
    NAMED_TYPES,
    AnyRule,
    CueRule,
    EventRule,
    Lexicon,
    PageRule,
    QueryRule,
    Words,
)
from streams.core.moments.verdict import (
    CUE_NAMES,
    INTENTS,
    NO_CUE,
    REFUND,
    SURE_ABOVE,
    Evidence,
    Explanation,
    Verdict,
)

MAX_QUERY_CHARS = 256  # longer queries are pasted texts; their beginning shows what is wanted
MAX_ADDRESS_CHARS = 2048  # of an address that may carry a query: the longest that browsers agree on
MAX_LOCALE_CHARS = 35  # the longest tag that BCP 47 asks programs to take
MAX_KNOWN_EVIDENCE = 8192  # queries and paths that are remembered, some MB: the frequent ones are far fewer
MAX_CLASSIFIERS = 8  # kept ready: the rules in force, and earlier ones that a recomputation needs

_classifiers: dict[str, "Classifier"] = {}


class _Match(NamedTuple):
    """A rule that reads an event."""

    rule: int
    matched: str  # what it recognised, for a person


class EventTexts(NamedTuple):
    """What an event says besides its name, as the rules find it; "" where it says nothing."""

    page: str
    search: str


class Classifier:
    """Reads events by one set of rules."""

    def __init__(self, rules: Rules) -> None:
        content = rules.content
        self._rules = content.all
        self._verdicts = [_verdict_of(number, rule) for number, rule in enumerate(self._rules)]
        self._first_query = len(content.events)
        self._first_page = self._first_query + len(content.queries)
        self._first_cue = self._first_page + len(content.pages)

        self._names = NameMatcher(content, self._verdicts)
        self._queries = QueryMatcher(content.queries, _by_language(content.lexicons), content.read.polite)
        self._find_query = lru_cache(MAX_KNOWN_EVIDENCE)(self._queries.find)
        self._pages = PageMatcher(content.pages)
        self._find_page = lru_cache(MAX_KNOWN_EVIDENCE)(self._pages.find)
        self._tracks = self._names.tracks

        self._query_readers = _readers(content.read.query)
        self._url_readers = _readers(content.read.url)
        self._page_readers = _readers(content.read.page)
        self._locale_readers = _readers(content.read.locale)
        self.order_time_readers = _readers(content.read.order_time)
        # Page rules that read an order id off the path, by their numbers.
        self.order_rules = frozenset(
            number
            for number, rule in enumerate(self._rules)
            if isinstance(rule, PageRule) and any(ORDER_SEGMENT in path for path in rule.paths)
        )
        # Most events have none of these properties, and so no query: that shows at one glance.
        shallow = all(path.startswith("properties.") for path in content.read.query)
        keys = (path.split(".")[1] for path in content.read.query) if shallow else ()
        self._query_keys = frozenset(keys)
        params = "|".join(map(re.escape, content.read.url_params))
        self._param = re.compile(f"(?:^|[?&])(?:{params})=([^&#]*)") if params else None

    def classify(self, event: Event) -> Verdict | None:
        """The verdict on an event; None if it shows no intent."""
        verdict = self._tracks.get(event.name)
        if verdict is not None and event.type == "track":
            return verdict
        rules = self._names.of(event.name)
        found = self._find(event, rules)
        verdict = self._verdicts[found.rule] if found is not None else None
        if rules.cues and (cued := first_match(rules.cues, event)) is not None:
            return _with_cue(verdict, cued)
        return verdict

    __call__ = classify

    def explain(self, event: Event) -> Explanation:
        """The verdict on an event, with its reasons."""
        rules = self._names.of(event.name)
        found = self._find(event, rules)
        if found is None:
            explained = Explanation(None, "none")
        elif self._evidence_of(found.rule) == "query":
            explained = self.query(*self._search(event))
        else:
            explained = self._explanation(found.rule, found.matched)
        cued = first_match(rules.cues, event)
        return explained if cued is None else self._with_cue(explained, cued, event)

    def _with_cue(self, explained: Explanation, cued: CuedRule, event: Event) -> Explanation:
        """The explanation of an event in which a cue rule saw something, too."""
        verdict = _with_cue(explained.verdict, cued)
        if verdict.cue == NO_CUE:
            return explained
        if explained.verdict is None:
            explained = self._explanation(cued.place, event.name[:MAX_EVENT_NAME_CHARS] or event.type)
        return msgspec.structs.replace(
            explained,
            verdict=verdict,
            cue=CUE_NAMES[verdict.cue - 1],
            cue_rule=self._rules[cued.place].name,
        )

    def query(self, text: str, locale: str | None = None) -> Explanation:
        """Explains how a search query is read.

        Without a locale, or in one without lexicons, all languages are tried.
        """
        text = text[:MAX_QUERY_CHARS]
        found = self._find_query(text, _language((locale or "")[:MAX_LOCALE_CHARS]))
        if found is None:
            return Explanation(None, "none")
        place, language = found
        if language is None:
            matched = "(nothing else read it)"
        else:
            matched = f"{language}: {self._queries.why(text, place, language)}"
        return self._explanation(self._first_query + place, matched)

    def _explanation(self, rule: int, matched: str) -> Explanation:
        spec = self._rules[rule]
        return Explanation(
            self._verdicts[rule], spec.moment, spec.name, spec.confidence, self._evidence_of(rule), matched
        )

    def _evidence_of(self, rule: int) -> Evidence:
        if rule < self._first_query:
            return "event"
        if rule < self._first_page:
            return "query"
        return "page" if rule < self._first_cue else "cue"

    def _find(self, event: Event, rules: NameRules) -> _Match | None:
        named = first_match(rules.events, event)
        if named is not None and not named.yields_to:
            return _by_name(named, event)
        if named is None and event.type not in NAMED_TYPES:
            return None  # a call says on any page who somebody is
        last_resort: _Match | None = None
        if named is None or "query" in named.yields_to:
            text, language = self._search(event)
            found = self._find_query(text, language) if text else None
            if found is not None:
                match = _Match(self._first_query + found[0], text)
                if found[1] is not None:
                    return match
                last_resort = match
        if named is None or "page" in named.yields_to:
            page = self._page(event, named is not None and named.is_view)
            if page is not None:
                return page
        return last_resort if named is None else _by_name(named, event)

    def _search(self, event: Event) -> tuple[str, str]:
        """The text that was searched for ("" if none was) and its language."""
        if not self._query_keys or not self._query_keys.isdisjoint(event.properties):
            for read_path in self._query_readers:
                text = read_path(event)
                if isinstance(text, str) and text and not text.isspace():
                    return text[:MAX_QUERY_CHARS], self._language(event)
        if self._param is not None:
            for read_path in self._url_readers:
                text = read_path(event)
                if not isinstance(text, str) or "=" not in text:
                    continue
                hit = self._param.search(text[:MAX_ADDRESS_CHARS])
                if hit is not None and hit[1]:
                    return unquote_plus(hit[1])[:MAX_QUERY_CHARS], self._language(event)
        return "", ""

    def _language(self, event: Event) -> str:
        for read_path in self._locale_readers:
            locale = read_path(event)
            if isinstance(locale, str) and (language := _language(locale[:MAX_LOCALE_CHARS])):
                return language
        return ""

    def _page(self, event: Event, is_view: bool) -> _Match | None:
        seen = is_view or event.type in ("page", "screen")
        for read_path in self._page_readers:
            path = read_path(event)
            if isinstance(path, str) and path:
                found = self._find_page(path[:MAX_PATH_CHARS], seen)
                if found is not None:
                    return _Match(self._first_page + found[0], found[1])
        return None

    def texts_of(self, event: Event) -> EventTexts:
        """The page of an event and the search in it, for a person to read."""
        pages = (read_path(event) for read_path in self._page_readers)
        page = next((path for path in pages if isinstance(path, str) and path), "")
        return EventTexts(page[:MAX_PATH_CHARS], self._search(event)[0])

    def order_in_page(self, event: Event) -> str:
        """The order id in the path of the event's page, if a rule's path has `{order}` there; else ""."""
        for read_path in self._page_readers if self.order_rules else ():
            path = read_path(event)
            if isinstance(path, str) and (order := self._pages.order(path[:MAX_PATH_CHARS])):
                return order
        return ""


def classifier_for(rules: Rules) -> Classifier:
    """The classifier of these rules. All partitions of a process share it: it takes long to make."""
    ready = _classifiers.get(rules.version)
    if ready is None:
        if len(_classifiers) >= MAX_CLASSIFIERS:
            _classifiers.clear()
        ready = _classifiers[rules.version] = Classifier(rules)
    return ready


def _verdict_of(number: int, rule: AnyRule) -> Verdict | None:
    if rule.moment == "none":
        return None
    cue = CUE_NAMES.index(rule.cue) + 1 if isinstance(rule, CueRule) else NO_CUE
    buys = not (isinstance(rule, QueryRule) and rule.moment == "truth")  # a query never converts
    update = isinstance(rule, EventRule) and rule.update
    return Verdict(INTENTS.index(rule.moment), rule.confidence > SURE_ABOVE and buys, number, cue, update)


def _with_cue(verdict: Verdict | None, cued: CuedRule) -> Verdict:
    """A verdict with the cue that a rule saw. A refund has none: it is about a purchase that is over."""
    if verdict is None:
        return cued.verdict
    if verdict.intent == REFUND:
        return verdict
    return Verdict(verdict.intent, verdict.sure, verdict.rule, cued.verdict.cue, verdict.update)


def _by_name(named: NamedRule, event: Event) -> _Match:
    return _Match(named.place, event.name[:MAX_EVENT_NAME_CHARS] or event.type)


def _by_language(lexicons: tuple[Lexicon, ...]) -> dict[str, dict[str, Words]]:
    languages: dict[str, dict[str, Words]] = {}
    for lexicon in lexicons:
        languages.setdefault(lexicon.language, {})[lexicon.name] = lexicon.phrases
    return languages


def _readers(paths: Words) -> tuple[Callable[[Event], Any], ...]:
    return tuple(map(path_reader, paths))


@lru_cache(256)
def _language(locale: str) -> str:
    """it-IT, it_IT, IT -> it."""
    return locale.strip().replace("_", "-").partition("-")[0].lower()
