"""Turns an event into a Signal: the intent that rules see in it, its needs, and what it says of an order."""

from streams.core.ingest.event import Event
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.signal import (
    NAMELESS,
    REFUND_EVERYWHERE,
    Signal,
    event_ref,
    head_of,
    order_ref,
)
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import BUY, REFUND, Verdict
from streams.core.processing.owners import profile_reader
from streams.core.processing.parameters import Parameters
from streams.core.processing.subject import first_text, needs_of


class Signals:
    """Reads signals out of events, by one version of the rules."""

    def __init__(self, parameters: Parameters, rules: Rules, first_code: int) -> None:
        """`first_code`: the code that the first of these rules has in the partition's rulebook."""
        self.classify = classifier_for(rules).classify  # Event -> Verdict, or None when it shows no intent
        self._first_code = first_code
        self._dims_of = parameters.dimensions.code
        self._order_of = first_text(parameters.orders)
        self._needs = parameters.needs
        self.key = profile_reader(parameters.tenant)  # Event -> its profile's key

    def signal(self, event: Event, verdict: Verdict) -> Signal:
        """The signal of an event. `verdict`: what the rules conclude about it."""
        facts: OrderFacts | None = None
        needs: tuple[str, ...] = NAMELESS
        if verdict.intent >= BUY and (order_id := self._order_of(event)):
            facts = OrderFacts(order_ref(order_id))
        if facts is not None and verdict.intent == REFUND:
            needs = REFUND_EVERYWHERE
        elif self._needs:
            needs = needs_of(event, self._needs)
        return Signal(
            head_of(event.at_ms, verdict.intent, verdict.sure, self._dims_of(event)),
            event_ref(event.id),
            self._first_code + verdict.rule,
            event.utc_offset_quarters,
            facts,
            needs,
        )
