"""Finds the rules of an event's name: the event rules, and the cue rules.

Names are compared without regard to case, spaces, underscores and dashes. A name is folded once: the spelling
in which it was sent is remembered with the rules that it may mean.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments.conditions import condition_test
from streams.core.moments.spec import Condition, CueRule, EventRule, RuleSet
from streams.core.moments.verdict import Verdict
from streams.core.moments.words import fold_name

# Spellings that are remembered: a site has some dozens, and an attacker gets no more than these.
MAX_KNOWN_NAMES = 4096

_place = attrgetter("place")  # of a rule among all: the first that applies wins


class NamedRule:
    """An event rule that is ready to be asked."""

    __slots__ = ("condition", "is_view", "place", "types", "verdict", "yields_to")

    def __init__(self, place: int, rule: EventRule, verdict: Verdict | None) -> None:
        self.place, self.verdict = place, verdict
        self.types, self.yields_to, self.is_view = rule.types, rule.yields_to, rule.view
        self.condition = condition_test(rule.where) if rule.where is not None else None

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


class NameMatcher:
    """All event rules and cue rules, compiled."""

    def __init__(self, rules: RuleSet, verdicts: Sequence[Verdict | None]) -> None:
        """`verdicts`: of all rules, each at the place of its number."""
        self._events: dict[str, list[NamedRule]] = {}  # by folded name; under "": those without a name
        self._cues: dict[str, list[CuedRule]] = {}
        for place, (rule, verdict) in enumerate(zip(rules.all, verdicts, strict=True)):
            if isinstance(rule, EventRule):
                _put(self._events, rule.names, NamedRule(place, rule, verdict))
            elif isinstance(rule, CueRule) and verdict is not None:
                _put(self._cues, rule.names, CuedRule(place, rule, verdict))
        self._known: dict[str, NameRules] = {}
        self.tracks: dict[str, Verdict] = {}  # by spelling: the verdict on every track call of this name
        spelled = [rule.names for rule in rules.events] + [rule.names for rule in rules.cues]
        for name in dict.fromkeys(name for names in spelled for name in names):
            self._learn(name)

    def of(self, name: str) -> NameRules:
        """The rules for the events of this name."""
        return self._known.get(name) or self._learn(name)

    def _learn(self, name: str) -> NameRules:
        folded = fold_name(name[:MAX_EVENT_NAME_CHARS])
        rules = NameRules(_rules_for(folded, self._events), _rules_for(folded, self._cues))
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
