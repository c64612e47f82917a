"""What a purchase or a refund says of money: whole minor units of one currency, and never a float."""

import msgspec


class Share(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an event about several needs says of one of them."""

    need: str
    amount: int | None
    items: int


class Money(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one event says of money."""

    amount: int | None  # minor units, of all that the event is about
    currency: int = -1  # its number (`funnels/currencies.py`); -1 without an amount
    items: int = 0  # pieces that it lists; 0: it lists no products
    by_server: bool = False  # a server says so, not somebody's browser or app
    unread: bool = False  # it has an amount that cannot be read
    shares: tuple[Share, ...] = ()  # by need, where the event is about several

    def share(self, need: str) -> "Money":
        """What it says of one of its needs, by name."""
        for share in self.shares:
            if share.need == need:
                return Money(share.amount, self.currency, share.items, self.by_server, self.unread)
        return self


Comparable = tuple[int, int, int, bool, bool, tuple[tuple[str, int, int], ...]]
"""What the money of two copies of an event is compared by."""


def money_order(money: Money | None) -> Comparable:
    """Orders the money of two copies of an event: none comes before any."""
    if money is None:
        return (-2, -1, 0, False, False, ())
    shares = tuple([(s.need, -1 if s.amount is None else s.amount, s.items) for s in money.shares])
    amount = -1 if money.amount is None else money.amount
    return (amount, money.currency, money.items, money.by_server, money.unread, shares)
