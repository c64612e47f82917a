"""A rules file as plain data, read and checked, in the order in which rules are tried.

`parse` makes a RuleSet from TOML, `canonical` writes it back, and `classifier` interprets it. None of the
three needs to know the others.
"""

import msgspec

from streams.core.moments.verdict import INTENTS, SURE_ABOVE

RULE_MOMENTS = (*INTENTS, "none")  # "none": the event is recognised, and is no signal
EVIDENCE = ("query", "page")  # that an event rule may yield to
# Lexicons that no query rule names, of single words: those that tell in which language a text is, and common
# ones that are no typos of words that the rules need.
FUNCTION_WORDS, PLAIN_WORDS = "function-words", "plain-words"
# An identify call tells who somebody is, not what they want, unless a rule names it.
NAMED_TYPES = ("track", "page", "screen")

Words = tuple[str, ...]

# Where an event has the id of its order, unless the setting `order_id` says something else.
ORDER_PATHS: Words = ("properties.order_id", "properties.orderId", "properties.transaction_id")


class Condition(msgspec.Struct, frozen=True):
    """A test that an event must pass for its rule to apply. Exactly one of the six tests is set."""

    paths: Words  # dotted: properties.content_type; it is enough if one of them passes
    is_: Words = ()  # equal to one of these, whatever its case
    starts_with: Words = ()
    contains: Words = ()
    exists: bool | None = None  # False: none of the paths does
    is_id: bool = False  # an id is there, and none of the words that stand for no id
    above: float | None = None  # a number greater than this


class EventRule(msgspec.Struct, frozen=True):
    """A rule that reads an event by its name."""

    name: str
    moment: str
    confidence: float
    names: Words = ()  # empty: any event of these types
    types: Words = NAMED_TYPES
    yields_to: Words = ()  # evidence that is asked first; the rule's own moment holds when that gives none
    where: Condition | None = None
    view: bool = False  # the event is the view of a page, as page and screen calls are
    update: bool = False  # a truth that tells of a change to an order: docs/journeys.md, Orders
    profile: str = ""  # the rule holds only in files that name this profile; "": in all


class GrammarRule(msgspec.Struct, frozen=True):
    """A rule that guesses by the words of an event's name, where no event rule knows the name."""

    name: str
    moment: str
    confidence: float
    any: Words = ()  # clauses over vocabularies, as those of query rules over lexicons
    yields_to: Words = ()
    view: bool = False
    order: bool = False  # only where the event names its order: nobody has bought by a guess
    profile: str = ""


class QueryRule(msgspec.Struct, frozen=True):
    """A rule that reads a search query by the lexicons in which its words are."""

    name: str
    moment: str
    confidence: float
    any: Words = ()  # clauses, as streams.core.moments.query explains them
    otherwise: bool = False  # the last resort, for queries that no other rule and no page rule reads
    profile: str = ""


class PageRule(msgspec.Struct, frozen=True):
    """A rule that reads a page by its address."""

    name: str
    moment: str
    confidence: float
    paths: Words = ()  # patterns, as streams.core.moments.globs explains them
    any: Words = ()  # clauses over the path's words, as streams.core.moments.query explains them
    where: Condition | None = None
    views_only: bool = False  # only where the page is seen, not for what else happens on it
    otherwise: bool = False  # only addresses that no other page rule reads, and no names of pages
    profile: str = ""


class CueRule(msgspec.Struct, frozen=True):
    """A rule that sees what happened inside a moment. It says nothing about the moment itself.

    An event that no other rule reads is an unsure signal by its cue: somebody is there.
    """

    name: str
    cue: str
    names: Words = ()  # empty: any event of these types
    types: Words = NAMED_TYPES
    where: Condition | None = None
    profile: str = ""

    @property
    def moment(self) -> str:
        """The intent of the unsure signal: the first one, since the event shows none."""
        return INTENTS[0]

    @property
    def confidence(self) -> float:
        """The most that an unsure signal can have."""
        return SURE_ABOVE


AnyRule = EventRule | GrammarRule | QueryRule | PageRule | CueRule


class ReadTable(msgspec.Struct, frozen=True):
    """The table `[read]`: where in an event the evidence sits. Paths are dotted and tried in their order."""

    query: Words = ()  # the text of a search
    url: Words = ()  # addresses that may carry it as a parameter
    url_params: Words = ()  # the names of such parameters
    page: Words = ()  # the path or address of a page; `name`: the name of a page or screen call
    # The id of an order: what the setting `order_id` says. It stands in stored rules, never in a file.
    order: Words = ()
    order_time: Words = ()  # when the order of an update was paid, or else made
    locale: Words = ()  # it, it-IT, it_IT
    polite: Words = ()  # lexicons whose phrases are taken off the front of a query first
    noise: Words = ()  # vocabularies whose words are left out of a name


class Lexicon(msgspec.Struct, frozen=True):
    """Words and phrases of one language that mean the same to the rules.

    Those for the names of events are called vocabularies.
    """

    language: str
    name: str
    phrases: Words  # empty: the language has none


class RuleSet(msgspec.Struct, frozen=True):
    """A whole rules file. Rules are numbered in this order: events, grammar, queries, pages, cues."""

    name: str
    read: ReadTable
    events: tuple[EventRule, ...] = ()
    grammar: tuple[GrammarRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()
    pages: tuple[PageRule, ...] = ()
    cues: tuple[CueRule, ...] = ()
    lexicons: tuple[Lexicon, ...] = ()  # languages in the order in which they are tried without a locale
    vocabulary: tuple[Lexicon, ...] = ()
    unguessed: Words = ()  # names whose words are not looked at: those of event rules that were switched off

    @property
    def all(self) -> tuple[AnyRule, ...]:
        """All rules, each at the place of its number."""
        return (*self.events, *self.grammar, *self.queries, *self.pages, *self.cues)

    @property
    def languages(self) -> dict[str, dict[str, Words]]:
        """The phrases by language and by lexicon."""
        found: dict[str, dict[str, Words]] = {}
        for lexicon in self.lexicons:
            found.setdefault(lexicon.language, {})[lexicon.name] = lexicon.phrases
        return found

    @property
    def with_clauses(self) -> tuple[QueryRule | PageRule, ...]:
        """The rules that name lexicons."""
        return (*self.queries, *self.pages)
