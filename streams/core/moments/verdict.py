"""What the rules say about one event. The only thing that the rest of the program knows of the rules."""

import msgspec

INTENTS = ("know", "go", "do", "buy", "truth", "refund")
KNOW, GO, DO, BUY, TRUTH, REFUND = range(6)
SURE_ABOVE = 0.4  # a rule with this confidence or less shows a sign of life, not an intent


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """An event's mark. Verdicts are made when the rules are loaded, one per rule, and shared by all events the rule reads."""

    mark: int  # know=0 .. truth=4, refund=5
    sure: bool  # confidence > SURE_ABOVE; never for a truth read from a search query: a query does not buy
    rule: int  # index into Rules.rules: its name and confidence


class RuleInfo(msgspec.Struct, frozen=True, gc=False):
    """What transitions say of the rule that caused them."""

    name: str
    confidence: float
