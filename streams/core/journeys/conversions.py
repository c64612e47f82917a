"""What is known of a purchase's money, and who may tell it (docs/journeys.md, Money)."""

import msgspec

from streams.core.journeys.journey_step import JourneyStep, withdrawn
from streams.core.journeys.money import Money
from streams.core.journeys.signal import TIME, Signal, money_of
from streams.core.journeys.state import Conversion, Patience, State


def replace_conversion(s: State, n: int, conversion: Conversion) -> None:
    """Replaces conversion number n."""
    s.conversions = (*s.conversions[:n], conversion, *s.conversions[n + 1 :])


def with_money(converted: JourneyStep, money: Money) -> JourneyStep:
    """The `converted` step of a purchase of which this is known."""
    return msgspec.structs.replace(
        converted,
        amount=money.amount,
        currency=-1 if money.amount is None else money.currency,
        items=money.items,
    )


def own_money(s: State, signal: Signal) -> Money | None:
    """What a signal says of money about this need."""
    money = money_of(signal)
    return None if money is None else money.share(s.name)


def adopt_money(s: State, n: int, signal: Signal, patience: Patience, out: list[JourneyStep]) -> None:
    """A truth has joined conversion number n: it may state the money, or with more right.

    Then the `converted` step that was made is withdrawn, and made anew.
    """
    money, c = own_money(s, signal), s.conversions[n]
    step, known = c.step, c.money
    if money is None or money.amount is None or step is None:
        return
    if (signal.head >> TIME) - c.at_ms > patience.join:
        return
    if known is not None and known.amount is not None and not money.by_server:
        return
    stated = with_money(step, money)
    if stated != step:
        out += (withdrawn(step), stated)
    left_open = None if money.by_server else stated
    replace_conversion(s, n, msgspec.structs.replace(c, money=money, step=left_open))
