"""Event -> Verdict | None: the interpreter of the rules. It is pure, and total: no event raises.

Whatever the moment is, cue rules are asked besides. An event that only a cue rule reads is an unsure signal.

It asks for evidence in the order of how much each tells: the event's name, the search query, the page. An
event rule may yield to the other two; its own moment holds when they give nothing. The last-resort query rule
comes after a page of another moment: it does not read the query, it only notes that there was one.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments.conditions import NO_ORDERS, order_test
from streams.core.moments.fields import MAX_QUERY_CHARS, EventFields, language_of
from streams.core.moments.globs import ORDER_SEGMENT
from streams.core.moments.names import CuedRule, NamedRule, NameMatcher, NameRules, first_match
from streams.core.moments.pages import PageMatch, PageMatcher
from streams.core.moments.query import QueryMatcher
from streams.core.moments.rules import Rules
from streams.core.moments.spec import (
    NAMED_TYPES,
    AnyRule,
    CueRule,
    EventRule,
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
    Answer,
    Evidence,
    Explanation,
    Verdict,
)

MAX_KNOWN_EVIDENCE = 8192  # queries and paths that are remembered, some MB: the frequent ones are far fewer
MAX_CLASSIFIERS = 8  # kept ready: the rules in force, and earlier ones that a recomputation needs
UNREAD = "(nothing else read it)"  # what the last resort matched

_classifiers: dict[str, "Classifier"] = {}

# By text and hinted language: a place, and the language whose words read it. By path, and whether the page
# is seen: the rules that may read it.
_FindQuery = Callable[[str, str], tuple[int, str] | None]
_FindPage = Callable[[str, bool], tuple[PageMatch, ...]]


class _Match(NamedTuple):
    """A rule that reads an event."""

    rule: int
    matched: str  # what it recognised, for a person
    language: str = ""  # of a search: the one whose words read it
    address: str = ""  # of a page


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
        self._first_guess = len(content.events)
        self._first_query = self._first_guess + len(content.grammar)
        self._first_page = self._first_query + len(content.queries)
        self._first_cue = self._first_page + len(content.pages)

        self._queries = QueryMatcher(content.queries, content.languages, content.read.polite)
        # By text and hinted language; see QueryMatcher.find.
        self.find_query = lru_cache(MAX_KNOWN_EVIDENCE)(self._queries.find)
        self._pages = PageMatcher(content.pages, content.languages)
        self._find_page = lru_cache(MAX_KNOWN_EVIDENCE)(self._pages.find)

        self._fields = EventFields(content.read)
        self._names_order = order_test(content.read.order)
        # A verdict by this rule or a later one is not by the name of the event.
        self.guesses_from = self._first_guess
        self.order_time_readers = self._fields.order_time_readers
        # Page rules that read an order id off the address, by their numbers.
        self.order_rules = frozenset(
            number
            for number, rule in enumerate(self._rules)
            if isinstance(rule, PageRule) and any(ORDER_SEGMENT in path for path in rule.paths)
        )
        self._names = NameMatcher(content, self._verdicts, self._has_order)
        self._tracks, self.read_instead = self._names.tracks, self._names.read_instead

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

    def is_read(self, event: Event) -> bool:
        """True if a rule reads the event, be it one that says that it is no signal."""
        rules = self._names.of(event.name)
        return self._find(event, rules) is not None or first_match(rules.cues, event) is not None

    def explain(self, event: Event) -> Explanation:
        """The verdict on an event, with its reasons."""
        rules = self._names.of(event.name)
        found = self._find(event, rules)
        if found is None:
            explained = Explanation(None, "none")
        elif self._evidence_of(found.rule) == "query":
            explained = self.query(*self._fields.search(event))
        else:
            explained = self._explanation(found.rule, self._recognised(found))
            if explained.evidence == "words":
                why = self._names.why(event.name, found.rule)
                explained = msgspec.structs.replace(explained, matched=why)
        following = self._find_without(event, rules, found.rule) if found is not None else None
        explained = msgspec.structs.replace(
            explained,
            asked=tuple(self._asked(event, rules)),
            next=self._answer(following) if following is not None else None,
        )
        cued = first_match(rules.cues, event)
        return explained if cued is None else self._with_cue(explained, cued, event)

    def _find_without(self, event: Event, rules: NameRules, rule: int) -> _Match | None:
        """What reads the event if that rule is not there."""
        return self._find_by(
            event,
            tuple(each for each in rules.events if each.place != rule),
            partial(self._queries.find, without=rule - self._first_query),
            partial(self._pages.find, without=rule - self._first_page),
        )

    def _asked(self, event: Event, rules: NameRules) -> Iterator[Answer]:
        """What each piece of evidence says by itself."""
        named = first_match(rules.events, event)
        if named is not None:
            yield self._answer(_by_name(named, event), named.yields_to)
        elif event.name:
            yield Answer("event", event.name[:MAX_EVENT_NAME_CHARS], None, "none", 0.0)
        if named is None and event.type not in NAMED_TYPES:
            return
        text, language = self._fields.search(event)
        if text:
            found = self.find_query(text, language)
            if found is None:
                yield Answer("query", text, None, "none", 0.0)
            else:
                yield self._answer(_Match(self._first_query + found[0], text, found[1]))
        page = self._page(event, _is_seen(event, named), self._find_page)
        if page is not None:
            yield self._answer(page)

    def _answer(self, found: _Match, yields_to: Words = ()) -> Answer:
        rule = self._rules[found.rule]
        return Answer(
            self._evidence_of(found.rule),
            found.address or found.matched,
            rule.name,
            rule.moment,
            rule.confidence,
            language=found.language,
            yields_to=yields_to,
        )

    def _with_cue(self, explained: Explanation, cued: CuedRule, event: Event) -> Explanation:
        """The explanation of an event in which a cue rule saw something, too."""
        verdict = _with_cue(explained.verdict, cued)
        if verdict.cue == NO_CUE:
            return explained
        if explained.verdict is None:
            by_cue = self._explanation(cued.place, event.name[:MAX_EVENT_NAME_CHARS] or event.type)
            explained = msgspec.structs.replace(by_cue, asked=explained.asked)
        return msgspec.structs.replace(
            explained,
            verdict=verdict,
            cue=CUE_NAMES[verdict.cue - 1],
            cue_rule=self._rules[cued.place].name,
        )

    def query(self, text: str, locale: str | None = None) -> Explanation:
        """Explains how a search query is read. Without a locale, its words alone tell the language."""
        text, hinted = text[:MAX_QUERY_CHARS], language_of(locale or "")
        reading = self._queries.reading(text, hinted)
        if reading is None:
            return Explanation(None, "none", asked=(Answer("query", text, None, "none", 0.0),))
        matched = f"{reading.language}: {self._queries.why(reading)}" if reading.language else UNREAD
        rule = self._first_query + reading.place
        following = self._queries.find(text, hinted, reading.place)
        return msgspec.structs.replace(
            self._explanation(rule, matched),
            language=reading.language,
            mended=reading.mended,
            asked=(self._answer(_Match(rule, text, reading.language)),),
            next=self._answer(_Match(self._first_query + following[0], text, following[1]))
            if following is not None
            else None,
        )

    def _explanation(self, rule: int, matched: str) -> Explanation:
        spec = self._rules[rule]
        return Explanation(
            self._verdicts[rule], spec.moment, spec.name, spec.confidence, self._evidence_of(rule), matched
        )

    def _evidence_of(self, rule: int) -> Evidence:
        if rule < self._first_guess:
            return "event"
        if rule < self._first_query:
            return "words"
        if rule < self._first_page:
            return "query"
        return "page" if rule < self._first_cue else "cue"

    def _find(self, event: Event, rules: NameRules) -> _Match | None:
        return self._find_by(event, rules.events, self.find_query, self._find_page)

    def _find_by(
        self, event: Event, events: tuple[NamedRule, ...], find_query: _FindQuery, find_page: _FindPage
    ) -> _Match | None:
        named = first_match(events, event)
        if named is not None and not named.yields_to:
            return _by_name(named, event)
        if named is None and event.type not in NAMED_TYPES:
            return None  # a call says on any page who somebody is
        unread: _Match | None = None
        if named is None or "query" in named.yields_to:
            text, language = self._fields.search(event)
            found = find_query(text, language) if text else None
            if found is not None:
                match = _Match(self._first_query + found[0], text, found[1])
                if found[1]:
                    return match
                unread = match
        if named is None or "page" in named.yields_to:
            page = self._page(event, _is_seen(event, named), find_page)
            if page is not None and (unread is None or self._is_of_another_moment(page, unread)):
                return page
        return _by_name(named, event) if named is not None and unread is None else unread

    def _is_of_another_moment(self, page: _Match, unread: _Match) -> bool:
        """True if a page is of another moment than a search on it that no rule reads.

        A page of results tells no more than that somebody searched, and does not make that sure.
        """
        return self._rules[page.rule].moment != self._rules[unread.rule].moment

    def texts_of(self, event: Event) -> EventTexts:
        """The page of an event and the search in it, for a person to read."""
        return EventTexts(next(self._fields.paths(event), ""), self._fields.search(event)[0])

    def _page(self, event: Event, seen: bool, find_page: _FindPage) -> _Match | None:
        """The page rule that reads an event. A last resort waits for what the page's other addresses say."""
        last_resort: _Match | None = None
        for path in self._fields.paths(event):
            for found in find_page(path, seen):
                if found.is_certain or self._holds(found, event, path):
                    match = _Match(self._first_page + found.place, found.text, "", path)
                    if not found.is_last_resort:
                        return match
                    last_resort = last_resort or match
                    break
        return last_resort

    def _holds(self, found: PageMatch, event: Event, path: str) -> bool:
        """True if the event and the parameters of its page meet what the rule asks of them."""
        if found.condition is not None and not found.condition(event):
            return False
        glob = found.glob
        return glob is None or (
            not glob.parameters or glob.fits_parameters(self._fields.parameters(event, path))
        )

    def _recognised(self, found: _Match) -> str:
        """What a rule recognised, for a person."""
        by_words = found.address and not found.matched
        return self._pages.why(found.address, found.rule - self._first_page) if by_words else found.matched

    def _has_order(self, event: Event) -> bool:
        return self._names_order(event) or self.order_in_page(event) not in NO_ORDERS

    def order_in_page(self, event: Event) -> str:
        """The order id in the address of the event's page, if a rule has `{order}` there; else ""."""
        for path in self._fields.paths(event) if self.order_rules else ():
            if order := self._pages.order(path, self._fields.parameters(event, path)):
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


def _is_seen(event: Event, named: NamedRule | None) -> bool:
    """True if the page of an event is seen, which is more than that something else happened on it."""
    return event.type in ("page", "screen") or (named is not None and named.is_view)


def _by_name(named: NamedRule, event: Event) -> _Match:
    return _Match(named.place, event.name[:MAX_EVENT_NAME_CHARS] or event.type)
