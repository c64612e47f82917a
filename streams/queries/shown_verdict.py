"""What rules say of something, as it is shown to who compares rules."""

import msgspec

from streams.core.moments.verdict import Explanation

MAX_SHOWN_CHARS = 120  # of what somebody typed, or named, in one line of an answer


class ShownVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its reasons."""

    moment: str  # one of INTENTS, or none
    sure: bool
    confidence: float
    rule: str | None  # None: no rule reads it
    evidence: str | None
    matched: str
    cue: str | None


def shown_verdict(found: Explanation) -> ShownVerdict:
    """The verdict of an explanation."""
    return ShownVerdict(
        moment=found.moment,
        sure=found.verdict is not None and found.verdict.sure,
        confidence=found.confidence,
        rule=found.rule,
        evidence=found.evidence,
        matched=found.matched[:MAX_SHOWN_CHARS],
        cue=found.cue,
    )
