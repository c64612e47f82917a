"""What a buy signal, a truth or a refund says of an order. Most events say nothing of the kind, so it is kept
beside the journal: in `Profile.facts`, by `facts_key`.
"""

import msgspec


class OrderFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one event says of an order. An event that says nothing of one has None instead."""

    order: bytes | None = None  # `order_ref` of the order's id
    update: bool = False  # it tells of an order that may have been made long before: journeys.md, Orders


Facts = dict[bytes, OrderFacts]
"""`facts_key` of a signal -> what it says of an order."""

NO_FACTS: Facts = {}


def facts_order(facts: OrderFacts | None) -> tuple[bytes, bool]:
    """What the facts of two copies of an event are compared by: the smaller copy stays."""
    if facts is None:
        return b"", False
    return facts.order or b"", facts.update
