"""Turns an event into a Signal: the intent that rules see in it, its needs, and what it says of an order."""

import msgspec

from streams.core.ingest.draft import Stamp
from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.placeholders import Placeholders
from streams.core.ingest.stamps import read_stamp
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.order_facts import OrderFacts, Update
from streams.core.journeys.signal import (
    NAMELESS,
    NO_PLACE,
    REFUND_EVERYWHERE,
    Signal,
    event_ref,
    head_of,
    order_ref,
)
from streams.core.journeys.updates import date_update
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import Rules
from streams.core.moments.verdict import BUY, REFUND, TRUTH, Verdict
from streams.core.processing.amounts import MoneyReader, items_of
from streams.core.processing.owners import profile_reader
from streams.core.processing.parameters import Parameters
from streams.core.processing.subject import first_text, needs_of

_NO_ORDERS = Placeholders()  # words that stand for no order in a path


class Signals:
    """Reads signals out of events, by one version of the rules."""

    def __init__(self, parameters: Parameters, rules: Rules, first_code: int) -> None:
        """`first_code`: the code that the first of these rules has in the partition's rulebook."""
        classifier = classifier_for(rules)
        self.classify = classifier.classify  # Event -> Verdict, or None when it shows no intent
        self.read_instead, self.guesses_from = classifier.read_instead, classifier.guesses_from
        self._order_in_page, self._order_rules = classifier.order_in_page, classifier.order_rules
        self._order_times = classifier.order_time_readers
        self._lateness_ms = parameters.allowed_lateness_ms
        self._first_code = first_code
        self._dims_of = parameters.dimensions.code
        self._order_of = first_text(parameters.orders)
        self._needs = parameters.needs
        self._money = MoneyReader(parameters.values, parameters.currency, parameters.needs)
        self.key = profile_reader(parameters.tenant)  # Event -> its profile's key

    def rejection(self, found: Rejection) -> Rejection:
        """The rejection as it is published: a refund that names no person has a reason of its own."""
        if found.nobodys is None:
            return found
        verdict = self.classify(found.nobodys)
        if verdict is None or verdict.intent != REFUND:
            return found
        return msgspec.structs.replace(found, reason=Reason.REFUND_WITHOUT_PERSON, nobodys=None)

    def signal(
        self, event: Event, verdict: Verdict, place: bytes = NO_PLACE, *, is_redriven: bool = False
    ) -> Signal:
        """The signal of an event. `verdict`: what the rules conclude about it. `place`: where it was read.
        `is_redriven`: it is exempt from lateness, so its order is never too old.
        """
        intent = verdict.intent
        needs: tuple[str, ...] = NAMELESS
        at_ms = event.at_ms
        if self._needs:
            needs = needs_of(event, self._needs)
        facts: OrderFacts | None = None
        if intent >= BUY:
            order, update = self._order(event, verdict), Update.NONE
            if verdict.update:
                lateness_ms = LATEST_MS if is_redriven else self._lateness_ms
                at_ms, update = date_update(at_ms, self._ordered_ms(event), lateness_ms)
            if order is not None or update:
                facts = OrderFacts(order, update)
        if intent >= TRUTH:
            # A refund of an order is about all needs, unless it lists products and they name theirs.
            if facts is not None and intent == REFUND and (needs is NAMELESS or not items_of(event)):
                needs = REFUND_EVERYWHERE
            money = self._money.read(event, needs, is_refund=intent == REFUND)
            if money is not None:
                facts = msgspec.structs.replace(facts or OrderFacts(), money=money)
        return Signal(
            head_of(at_ms, verdict.intent, verdict.sure, self._dims_of(event)),
            event_ref(event.id),
            self._first_code + verdict.rule,
            event.utc_offset_quarters,
            facts,
            needs,
            cue=verdict.cue,
            place=place,
        )

    def _order(self, event: Event, verdict: Verdict) -> bytes | None:
        """What stands for the order id that the event names, or that is in the path of its page."""
        order = self._order_of(event)
        if not order and (verdict.intent == TRUTH or verdict.rule in self._order_rules):
            order = self._order_in_page(event)
            if order in _NO_ORDERS:
                return None
        return order_ref(order) if order else None

    def _ordered_ms(self, event: Event) -> int | None:
        """When the order of an update was paid, or else made; None if the event does not say it.

        A time without an offset is UTC.
        """
        for read_path in self._order_times:
            value = read_path(event)
            found = read_stamp(Stamp("", value), None) if value is not None else None
            if found is not None:
                return found.at_ms
        return None
