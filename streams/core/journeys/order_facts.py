"""What a buy signal, a truth or a refund says of an order. Most events say nothing of the kind, so it is kept
beside the journal: in `Profile.facts`, by `facts_key`.
"""

from enum import IntEnum

import msgspec

from streams.core.journeys.money import Comparable, Money, money_order


class Update(IntEnum):
    """Whether an event tells of a change to an order, and what it can do then: journeys.md, Orders."""

    NONE = 0  # it does not
    UNTIMED = 1  # of an order that it gives no time of
    OLD = 2  # of an order that was made longer before than the allowed lateness


class OrderFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one event says of an order. An event that says nothing of one has None instead."""

    order: bytes | None = None  # `order_ref` of the order's id
    update: int = Update.NONE
    money: Money | None = None  # of a truth or refund


Facts = dict[bytes, OrderFacts]
"""`facts_key` of a signal -> what it says of an order."""

NO_FACTS: Facts = {}


def facts_order(facts: OrderFacts | None) -> tuple[bytes, int, Comparable]:
    """What the facts of two copies of an event are compared by: the smaller copy stays."""
    if facts is None:
        return b"", Update.NONE, money_order(None)
    return facts.order or b"", facts.update, money_order(facts.money)
