"""What a rules file says, once it has been read and checked: plain data, in the order in which rules are tried.

`parse` makes a RuleSet from TOML, `canonical` writes it back, `classifier` compiles it. None of the three needs to know the others.
"""

import msgspec

from streams.core.moments.verdict import INTENTS

RULE_MOMENTS = (*INTENTS, "none")  # "none": recognised, and no signal
EVIDENCE = ("query", "page")  # what an event rule may yield to
NAMED_TYPES = (
    "track",
    "page",
    "screen",
)  # an identify call says who somebody is, not what they want, unless a rule names it

Words = tuple[str, ...]


class Condition(msgspec.Struct, frozen=True):
    """What an event must hold for its rule to apply. Exactly one of the four tests is set."""

    path: str  # dotted: properties.content_type
    is_: Words = ()  # equal to one of these, whatever its case
    starts_with: Words = ()
    contains: Words = ()
    exists: bool | None = None


class EventRule(msgspec.Struct, frozen=True):
    """Reads an event by its name."""

    name: str
    moment: str
    confidence: float
    names: Words = ()  # empty: any name of these types
    types: Words = NAMED_TYPES
    yields_to: Words = ()  # evidence that is asked first; the rule's own moment holds when it has nothing to say
    where: Condition | None = None
    view: bool = False  # the event is the view of a page, as page and screen calls are


class QueryRule(msgspec.Struct, frozen=True):
    """Reads a search query by the lexicons its words are in."""

    name: str
    moment: str
    confidence: float
    any: Words = ()  # clauses; see streams.core.moments.query
    otherwise: bool = False  # the last resort: a query that no other rule and no page rule reads


class PageRule(msgspec.Struct, frozen=True):
    """Reads a page by its path."""

    name: str
    moment: str
    confidence: float
    paths: Words = ()  # globs; see streams.core.moments.pages
    views_only: bool = False  # only for page and screen calls and events that are views, not for what else happens on the page


class ReadTable(msgspec.Struct, frozen=True):
    """Where in an event the evidence sits: dotted paths, tried in this order."""

    query: Words = ()  # the text of a search
    url: Words = ()  # addresses that may carry it as a parameter
    url_params: Words = ()  # the names of such parameters
    page: Words = ()  # the path of a page, or its whole address; `name`: the name of a page or screen call
    locale: Words = ()  # it, it-IT, it_IT
    polite: Words = ()  # lexicons whose phrases are taken off the front of a query before it is read


class Lexicon(msgspec.Struct, frozen=True):
    """Words and phrases of one language that mean the same to the rules."""

    language: str
    name: str
    phrases: Words


class RuleSet(msgspec.Struct, frozen=True):
    """A whole rules file. Rules are numbered in this order: events, queries, pages."""

    name: str
    read: ReadTable
    events: tuple[EventRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()
    pages: tuple[PageRule, ...] = ()
    lexicons: tuple[Lexicon, ...] = ()  # languages in the order they are tried when the locale is not known

    @property
    def all(self) -> "tuple[EventRule | QueryRule | PageRule, ...]":
        """Every rule, in the order of its number."""
        return (*self.events, *self.queries, *self.pages)
