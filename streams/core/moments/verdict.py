"""What the rules say about one event. The only thing that the rest of the program knows of the rules."""

import msgspec

INTENTS = ("know", "go", "do", "buy", "truth", "refund")  # the five moments, and the refund of a purchase
KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
SURE_ABOVE = 0.4  # a rule with this confidence or less shows a sign of life, not an intent


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The intent that an event shows. Rules make one verdict each when they are loaded; all events that a rule reads share it."""

    intent: int  # an index into INTENTS: know=0 .. truth=4, refund=5
    sure: bool  # confidence > SURE_ABOVE; never for a truth read from a search query: a query does not buy
    rule: int  # index into Rules.rules: its name and confidence


class RuleInfo(msgspec.Struct, frozen=True, gc=False):
    """What transitions say of the rule that caused them."""

    name: str
    confidence: float
