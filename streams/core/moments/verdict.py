"""What the rules conclude about an event. The rest of the program knows nothing else of the rules."""

from typing import Literal

import msgspec

INTENTS = ("know", "go", "do", "buy", "truth", "refund")  # the five moments, and the refund of a purchase
KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
SURE_ABOVE = 0.4  # a rule with this confidence or less shows a sign of life, not an intent

# What can happen inside a moment. The number of a cue is its place here plus one: it is stored with each
# signal and in the counters' keys, so the order stays as it is.
CUE_NAMES = (
    "payment_error",
    "coupon_denied",
    "out_of_stock",
    "zero_results",
    "slow_page",
    "form_error",
    "directions_asked",
    "call",
)
NO_CUE = 0

READ_INSTEAD = ("unnumbered_purchase", "words", "search", "page", "nothing")
"""What reads a track call whose name no rule has: its words look like a purchase but it names no order, its
words say something else, the search or the page with it; or nothing does.
"""

Evidence = Literal["event", "words", "query", "page", "cue"]
"""What a rule reads: the name of an event, the words of a name that no rule has, a search, a page, a cue."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The intent that an event shows. Each rule has one verdict, made at loading and shared by its events;
    an event with a cue has one of its own.
    """

    intent: int  # an index into INTENTS: know=0 .. truth=4, refund=5
    sure: bool  # confidence > SURE_ABOVE; never for a truth read from a search query: a query does not buy
    rule: int  # index into Rules.rules: its name and confidence
    cue: int = NO_CUE  # what happened besides: the number of one of CUE_NAMES
    update: bool = False  # a truth that tells of a change to an order


class RuleInfo(msgspec.Struct, frozen=True, gc=False):
    """What a transition says about the rule that caused it."""

    name: str
    confidence: float


class Answer(msgspec.Struct, frozen=True):
    """What one piece of evidence says by itself."""

    evidence: Evidence
    text: str  # the name of the event, the words of the search, or the path of the page
    rule: str | None  # None: no rule reads it
    moment: str  # one of INTENTS, or "none"
    confidence: float
    language: str = ""  # of a search: the one whose words read it; "" if none did
    yields_to: tuple[str, ...] = ()  # of a name: evidence that is asked before its rule


class Explanation(msgspec.Struct, frozen=True):
    """Why an event, or a search query, gets its verdict."""

    verdict: Verdict | None  # None: no signal
    moment: str  # one of INTENTS, or "none"
    rule: str | None = None  # None: no rule reads it
    confidence: float = 0.0
    evidence: Evidence | None = None
    matched: str = ""  # what the rule recognised: the name, the words by lexicon, or the path pattern
    cue: str | None = None  # one of CUE_NAMES
    cue_rule: str | None = None  # the rule that saw it
    language: str = ""  # whose words read a search; "" if none did
    mended: tuple[str, str] | None = None  # a word of a search with a typo, and what was meant
    asked: tuple[Answer, ...] = ()  # all evidence that there is, in the order of asking
    next: Answer | None = None  # what would answer if this rule were not there
