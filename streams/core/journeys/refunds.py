"""What a refund does to conversions: all of one is given back, or a part (docs/journeys.md, Giving back).

A refund is about at most one conversion of each need. One that is a signal in every need can be about several
together: then its amount is given to them one after the other.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from streams.core.journeys.conversions import own_money, replace_conversion
from streams.core.journeys.journey_step import PARTIALLY_REFUNDED, REFUNDED, JourneyStep
from streams.core.journeys.money import Money
from streams.core.journeys.signal import TIME, Signal, order_of
from streams.core.journeys.state import Conversion, Patience, State
from streams.core.journeys.steps import step_of_refund

NO_MONEY = Money(None)


class Refundable(NamedTuple):
    """The conversion of a need that a refund is about."""

    state: State
    number: int  # of the conversion among those of the need

    @property
    def conversion(self) -> Conversion:
        """The conversion as it stands."""
        return self.state.conversions[self.number]


def find_refundable(s: State, signal: Signal, patience: Patience) -> Refundable | None:
    """The latest conversion of a need that a sure refund can be about."""
    at_ms, order = signal.head >> TIME, order_of(signal)
    for n in range(len(s.conversions) - 1, -1, -1):
        c = s.conversions[n]
        if not c.refunded and at_ms - c.at_ms <= patience.refund and (order is None or c.order == order):
            return Refundable(s, n)
    return None


def give_back(
    found: Sequence[Refundable], signal: Signal, money: Money | None, out: list[JourneyStep]
) -> None:
    """Gives back what a refund says: of these conversions, at most one of each need.

    `money`: what the refund says of their needs.
    """
    stated = money or NO_MONEY
    alike = [
        one
        for one in found
        if stated.amount is not None
        and (known := one.conversion.money) is not None
        and known.amount is not None
        and known.currency == stated.currency
    ]
    if stated.amount is not None and alike:
        rest, items = stated.amount, stated.items
        alike.sort(key=lambda one: one.state.name)
        if rest < sum([_amount_left(one.conversion) or 0 for one in alike]):
            for one in alike:
                part = min(rest, _amount_left(one.conversion) or 0)
                if part:
                    _give(one, signal, part, items, out)
                    rest, items = rest - part, 0
            return
    elif stated.items:
        listed = any((one.conversion.money or NO_MONEY).items for one in found)
        if not listed or stated.items < sum([_items_left(one.conversion) for one in found]):
            first = min(found, key=lambda one: one.state.name)
            _give(first, signal, None, stated.items, out)
            return
    for one in found:
        _give_all(one, signal, out)


def _give(one: Refundable, signal: Signal, amount: int | None, items: int, out: list[JourneyStep]) -> None:
    """Gives back a part: this amount (None: nobody knows how much), and so many pieces."""
    c = one.conversion
    if amount is not None and amount == _amount_left(c):
        _give_all(one, signal, out)
        return
    out.append(step_of_refund(one.state.need, signal, c, PARTIALLY_REFUNDED, amount))
    now = msgspec.structs.replace(
        c,
        returned=c.returned + (amount or 0),
        returned_items=c.returned_items + items,
        step=None,
    )
    replace_conversion(one.state, one.number, now)


def _give_all(one: Refundable, signal: Signal, out: list[JourneyStep]) -> None:
    """Gives back all that is left."""
    s, c = one.state, one.conversion
    out.append(step_of_refund(s.need, signal, c, REFUNDED, _amount_left(c)))
    now = msgspec.structs.replace(c, refunded=True, step=None)
    replace_conversion(s, one.number, now)
    if s.moment < 0 and c.journey == s.journey:
        s.outcome = REFUNDED


def _amount_left(c: Conversion) -> int | None:
    return None if c.money is None or c.money.amount is None else c.money.amount - c.returned


def _items_left(c: Conversion) -> int:
    return 0 if c.money is None else max(0, c.money.items - c.returned_items)


def refund(s: State, signal: Signal, patience: Patience, out: list[JourneyStep]) -> bool:
    """Takes a sure refund in one need. False: there is no conversion in it that it can be about."""
    found = find_refundable(s, signal, patience)
    if found is None:
        return False
    give_back([found], signal, own_money(s, signal), out)
    return True
