"""A signal on its way from one partition to another.

The code of a rule is a partition's own, so the rule travels by its name. The needs travel by name anyway, and
dimensions have the same codes everywhere: the settings list them.
"""

import msgspec

from streams.core.identity.device import with_known_needs
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.signal import NO_PLACE, Signal
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.places import place_at, source_code, source_of_place
from streams.core.processing.rulebook import Rulebook


class TravellingSignal(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A signal, with its rule by the version of the rules, its name and its confidence."""

    head: int
    ref: bytes
    rules: str
    rule: str
    confidence: float
    utc_offset_quarters: int
    cue: int
    needs: tuple[str, ...]
    facts: OrderFacts | None
    source: str = ""  # where its event was read, `topic:partition`; "": it is not known
    offset: int = -1


def packed(signal: Signal, book: Rulebook, sources: list[str]) -> TravellingSignal:
    """The signal, to be sent. `book`, and `sources` by code: of the partition that holds it."""
    version, info = book.rule_of(signal.rule)
    source, offset = source_of_place(sources, signal.place) or ("", -1)
    return TravellingSignal(
        head=signal.head,
        ref=signal.ref,
        rules=version,
        rule=info.name,
        confidence=info.confidence,
        utc_offset_quarters=signal.utc_offset_quarters,
        cue=signal.cue,
        needs=signal.needs,
        facts=signal.facts,
        source=source,
        offset=offset,
    )


def unpacked(sent: TravellingSignal, book: Rulebook, sources: list[str]) -> Signal:
    """The signal as the partition with this book and these sources, by code, holds it: a rule or a source
    that it does not know gets a code.

    Raises Incompatible when the book is full.
    """
    code = book.code_of(sent.rules, RuleInfo(sent.rule, sent.confidence))
    return with_known_needs(
        Signal(
            sent.head,
            sent.ref,
            code,
            sent.utc_offset_quarters,
            sent.facts,
            sent.needs,
            cue=sent.cue,
            place=place_at(source_code(sources, sent.source), sent.offset) if sent.source else NO_PLACE,
        )
    )


def without_place(sent: TravellingSignal) -> TravellingSignal:
    """The signal as it counts: where it was read is no content."""
    return msgspec.structs.replace(sent, source="", offset=-1)
