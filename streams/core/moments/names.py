"""Finds the event rule of an event's name.

Names are compared without regard to case, spaces, underscores and dashes. A name is folded once: the spelling
in which it was sent is remembered with the rules that it may mean.
"""

from collections.abc import Iterable
from operator import attrgetter

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, Event
from streams.core.moments.conditions import condition_test
from streams.core.moments.spec import EventRule
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


class NameMatcher:
    """All event rules, compiled."""

    def __init__(self, rules: Iterable[EventRule], verdicts: Iterable[Verdict | None]) -> None:
        by_name: dict[str, list[NamedRule]] = {}
        spelled: dict[str, None] = {}
        nameless = []
        for place, (rule, verdict) in enumerate(zip(rules, verdicts, strict=True)):
            named = NamedRule(place, rule, verdict)
            if not rule.names:
                nameless.append(named)
            for name in rule.names:
                by_name.setdefault(fold_name(name), []).append(named)
                spelled[name] = None
        self._by_name = by_name
        self._nameless = tuple(nameless)
        self._known: dict[str, tuple[NamedRule, ...]] = {}
        self.tracks: dict[str, Verdict] = {}  # by spelling: the verdict on every track call of this name
        for name in spelled:
            self._learn(name)

    def find(self, event: Event) -> NamedRule | None:
        """The first rule, with a name or without, for an event's name and type whose condition it meets."""
        rules = self._known.get(event.name)
        if rules is None:
            rules = self._learn(event.name)
        for rule in rules:
            if event.type in rule.types and (rule.condition is None or rule.condition(event)):
                return rule
        return None

    def _learn(self, name: str) -> tuple[NamedRule, ...]:
        named = self._by_name.get(fold_name(name[:MAX_EVENT_NAME_CHARS]), ()) if name else ()
        rules = tuple(sorted((*named, *self._nameless), key=_place)) if self._nameless else tuple(named)
        if len(self._known) < MAX_KNOWN_NAMES and len(name) <= MAX_EVENT_NAME_CHARS:
            self._known[name] = rules
            if rules and rules[0].decides_tracks and (verdict := rules[0].verdict) is not None:
                self.tracks[name] = verdict
        return rules
