"""Finds the rules of an event's name: the event rules, and the cue rules.

Names are compared without regard to case, spaces, underscores and dashes. A name is folded once: the spelling
in which it was sent is remembered with the rules that it may mean. Where no event rule knows a name, the
grammar rules that hold for its words stand in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments.conditions import condition_test
from streams.core.moments.grammar import Grammar
from streams.core.moments.spec import Condition, CueRule, EventRule, GrammarRule, RuleSet, Words
from streams.core.moments.verdict import TRUTH, Verdict
from streams.core.moments.words import fold_name

# Spellings that are remembered: a site has some dozens, and an attacker gets no more than these.
MAX_KNOWN_NAMES = 4096

_GUESSED_TYPES = ("track",)  # the name of a page or screen is read as a path

_place = attrgetter("place")  # of a rule among all: the first that applies wins


class NamedRule:
    """An event rule, or a grammar rule, that is ready to be asked."""

    __slots__ = ("condition", "is_view", "place", "types", "verdict", "yields_to")

    def __init__(
        self,
        place: int,
        rule: EventRule | GrammarRule,
        verdict: Verdict | None,
        types: Words,
        condition: Callable[[Event], bool] | None,
    ) -> None:
        self.place, self.verdict = place, verdict
        self.types, self.yields_to, self.is_view = types, rule.yields_to, rule.view
        self.condition = condition

    @property
    def decides_tracks(self) -> bool:
        """True if a track call with the rule's name needs no further look."""
        return (
            "track" in self.types
            and self.condition is None
            and not self.yields_to
            and self.verdict is not None
        )


class CuedRule:
    """A cue rule that is ready to be asked."""

    __slots__ = ("condition", "place", "types", "verdict")

    def __init__(self, place: int, rule: CueRule, verdict: Verdict) -> None:
        self.place, self.types, self.verdict = place, rule.types, verdict
        self.condition = _quick_test(rule.where) if rule.where is not None else None


Matched = TypeVar("Matched", NamedRule, CuedRule)


class NameRules(NamedTuple):
    """The rules for the events of one name, in their order."""

    events: tuple[NamedRule, ...]
    cues: tuple[CuedRule, ...]
    # An event rule or a cue rule has this very name, or one had it that was switched off. Else the last of
    # `events` may be guesses.
    is_known: bool


class NameMatcher:
    """All event rules and cue rules, compiled."""

    def __init__(
        self,
        rules: RuleSet,
        verdicts: Sequence[Verdict | None],
        has_order: Callable[[Event], bool],
    ) -> None:
        """`verdicts`: of all rules, each at the place of its number. `has_order`: whether an event names its
        order.
        """
        self._grammar = Grammar(rules.grammar, rules.vocabulary, rules.read.noise)
        self._first_guess, self._guesses = len(rules.events), list[NamedRule]()
        self._first_query = self._first_guess + len(rules.grammar)
        self._first_page = self._first_query + len(rules.queries)
        self._first_cue = self._first_page + len(rules.pages)
        self._events: dict[str, list[NamedRule]] = {}  # by folded name; under "": those without a name
        self._cues: dict[str, list[CuedRule]] = {}
        for place, (rule, verdict) in enumerate(zip(rules.all, verdicts, strict=True)):
            if isinstance(rule, EventRule):
                condition = condition_test(rule.where) if rule.where is not None else None
                named = NamedRule(place, rule, verdict, rule.types, condition)
                _put(self._events, rule.names, named)
            elif isinstance(rule, GrammarRule):
                condition = has_order if rule.order else None
                self._guesses.append(NamedRule(place, rule, verdict, _GUESSED_TYPES, condition))
            elif isinstance(rule, CueRule) and verdict is not None:
                _put(self._cues, rule.names, CuedRule(place, rule, verdict))
        self._unguessed = frozenset(map(fold_name, rules.unguessed))
        self._known: dict[str, NameRules] = {}
        self.tracks: dict[str, Verdict] = {}  # by spelling: the verdict on every track call of this name
        spelled = [rule.names for rule in rules.events] + [rule.names for rule in rules.cues]
        for name in dict.fromkeys(name for names in spelled for name in names):
            self._learn(name)

    def of(self, name: str) -> NameRules:
        """The rules for the events of this name."""
        return self._known.get(name) or self._learn(name)

    def why(self, name: str, rule: int) -> str:
        """The words of a name that made a grammar rule hold."""
        return self._grammar.why(name[:MAX_EVENT_NAME_CHARS], rule - self._first_guess)

    def read_instead(self, event: Event, verdict: Verdict | None) -> str | None:
        """What reads a track call whose name no rule has, one of READ_INSTEAD; None for any other event.

        `verdict`: what the rules say of the event.
        """
        rules = self.of(event.name)
        if rules.is_known or event.type != "track" or not event.name:
            return None
        number = -1 if verdict is None else verdict.rule
        if self._first_query <= number < self._first_cue:
            return "search" if number < self._first_page else "page"
        guess = next((rule for rule in rules.events if rule.place >= self._first_guess), None)
        if guess is None:
            return "nothing"
        is_purchase = guess.verdict is not None and guess.verdict.intent == TRUTH
        return "unnumbered_purchase" if is_purchase and number != guess.place else "words"

    def _learn(self, name: str) -> NameRules:
        folded = fold_name(name[:MAX_EVENT_NAME_CHARS])
        events = _rules_for(folded, self._events)
        if folded not in self._events and folded not in self._unguessed:
            events += tuple(self._guesses[n] for n in self._grammar.find(name[:MAX_EVENT_NAME_CHARS]))
        is_known = any(folded in names for names in (self._events, self._cues, self._unguessed))
        rules = NameRules(events, _rules_for(folded, self._cues), is_known)
        if len(self._known) < MAX_KNOWN_NAMES and len(name) <= MAX_EVENT_NAME_CHARS:
            self._known[name] = rules
            first = rules.events[0] if rules.events else None
            may_be_cued = any("track" in cue.types for cue in rules.cues)
            if first is not None and first.decides_tracks and first.verdict is not None and not may_be_cued:
                self.tracks[name] = first.verdict
        return rules


def _quick_test(where: Condition) -> Callable[[Event], bool]:
    """The test of a condition. Nearly no event has any of its properties: that shows at one glance."""
    test, paths = condition_test(where), [path.split(".") for path in where.paths]
    if where.exists is False or any(path[0] != "properties" for path in paths):
        return test
    has_none = frozenset(path[1] for path in paths).isdisjoint
    return lambda event: not has_none(event.properties) and test(event)


def _put(table: dict[str, list[Matched]], names: Iterable[str], rule: Matched) -> None:
    for name in {fold_name(name) for name in names} or {""}:
        table.setdefault(name, []).append(rule)


def _rules_for(folded: str, table: Mapping[str, list[Matched]]) -> tuple[Matched, ...]:
    """The rules of a folded name and those without a name, in their order."""
    rules: list[Matched] = [*(table.get(folded, ()) if folded else ()), *table.get("", ())]
    return tuple(sorted(rules, key=_place))


def first_match(rules: tuple[Matched, ...], event: Event) -> Matched | None:
    """The first of the rules of an event's name that is for its type, and whose condition it meets."""
    for rule in rules:
        if event.type in rule.types and (rule.condition is None or rule.condition(event)):
            return rule
    return None
