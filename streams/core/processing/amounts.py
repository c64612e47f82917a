"""Reads what a purchase or a refund says of money: exact decimals, rounded once to whole minor units.

JSON numbers come as floats. The shortest text of a float is what its sender wrote, so that text is read, and
nothing is ever computed in floats. docs/journeys.md (Money) has the rules.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from streams.core.funnels.currencies import DIGITS, NO_CURRENCY, currency_number
from streams.core.ingest.event import Event, lookup
from streams.core.journeys.money import Money, Share
from streams.core.processing.subject import glance, texts

# A greater amount is no purchase: it is ten million million in a currency with two digits. A counter has 64
# bits, so it holds the sum of 9,000 of the greatest.
MAX_AMOUNT = 10**15
MAX_DECIMAL_CHARS = 40  # of an amount as text: longer ones are no money
MAX_PRODUCTS = 10_000  # of one event that are looked at: no order is as long
MAX_PIECES = 10**9  # of one event: enough for any order, and a sum of them stays small
PRODUCTS = "properties.products."  # how the path of a need begins that each item has for itself
CURRENCY_PATH = "properties.currency"
REFUNDED_PATH = "properties.refunded_amount"  # where readers put what a refund gives back

_EXACT = Context(prec=100)  # digits: more than an amount times a quantity can have
_ONE = Decimal(1)
_PLAIN = re.compile(r"\d+(\.\d*)?([eE][+-]?\d{1,2})?|\.\d+([eE][+-]?\d{1,2})?")
# The name or sign of a currency: `EUR`, `$`; with a point of its own: `Rs.500`, `S/.500`, `500 kr.`
_AROUND = re.compile(
    r"^(?:[^\d+\-.,]{0,5}[^\W\d_]/?\.\s?|[^\d+\-.,]{1,6})|(?:\s?[^\W\d_]{1,5}\.|[^\d.,]{1,6})$"
)
_BELOW_ZERO = re.compile(r"\((.*)\)|(.*\d)\s?-")  # as accounts have it: `(5.00)`, `5.00-`
_MINUS = "\u2212"  # the sign that typographers take
_SPACES = re.compile(r"(?<=\d)[ '\u2019\u00a0\u2009\u202f](?=\d{3}(?!\d))")  # between groups of thousands
# Groups of thousands. In India the groups before the last one have two digits: `12,34,567`.
_GROUPS = {".": re.compile(r"\d{1,3}(?:\.\d{3})+"), ",": re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}")}
# The libraries with which servers send, as `context.library.name` has them: those of Segment, RudderStack,
# PostHog and Amplitude (with a version behind it), and what our reader of Shopify's webhooks writes. Browsers
# and apps have others.
_SERVER_LIBRARIES = re.compile(
    r"(?:@[a-z]+/)?(?:rudder-)?(?:analytics|rudder-sdk|posthog|amplitude)[-.]"
    r"(?:node(?:-ts)?|python|ruby|php|go|java|net|dotnet|rust|rs|elixir)(?:/.*)?"
    r"|analyticsnode|shopify-webhook"
)


class MoneyReader:
    """Reads the money of purchases and refunds."""

    def __init__(self, values: Sequence[str], currency: str | None, needs: Sequence[str]) -> None:
        """`values`: paths of an amount. `currency`: of amounts that name none. `needs`: paths of needs."""
        self._values, self._needs = tuple(values), tuple(needs)
        self._currency = NO_CURRENCY if currency is None else currency_number(currency)
        self._may_state = glance((*values, REFUNDED_PATH, PRODUCTS))

    def read(self, event: Event, needs: Sequence[str], *, is_refund: bool) -> Money | None:
        """What an event about these needs (sorted) says of money; None: nothing."""
        if not self._may_state(event):
            return None
        items = items_of(event)
        stated, is_stated = self._stated(event, is_refund=is_refund)
        prices = [price_of(item) for item in items]
        if not is_stated and items and None not in prices:
            stated, is_stated = _sum(prices), True
        if is_refund and stated is not None:
            # Some tools write what is given back with a minus, the items too.
            if _sum(prices) < 0:
                prices = [None if price is None else price.copy_negate() for price in prices]
            stated = stated.copy_abs()
            # Nobody is given back nothing: that is how some write that they do not know.
            is_stated = stated != 0
        if not is_stated and not items:
            return None
        currency = self._currency_of(event)
        amount = None if stated is None or not is_stated else minor_units(stated, currency)
        if is_refund and amount == 0:  # less than half a cent
            amount, is_stated = None, False
        shares: tuple[Share, ...] = ()
        if len(needs) > 1:
            shares = self._shares(event, needs, amount, [minor_units(price, currency) for price in prices])
        return Money(
            amount,
            NO_CURRENCY if amount is None else currency,
            min(sum([pieces_of(item) for item in items]), MAX_PIECES),
            is_by_server(event),
            unread=is_stated and amount is None,
            shares=shares,
        )

    def _stated(self, event: Event, *, is_refund: bool) -> tuple[Decimal | None, bool]:
        """The amount that the event itself has, and whether it has one: it may be unreadable."""
        for path in (REFUNDED_PATH, *self._values) if is_refund else self._values:
            found = lookup(event, path)
            if found not in (None, ""):
                return decimal_of(found), True
        return None, False

    def _currency_of(self, event: Event) -> int:
        named = lookup(event, CURRENCY_PATH)
        if named in (None, ""):
            return self._currency
        return currency_number(named.strip()) if isinstance(named, str) else NO_CURRENCY

    def _shares(
        self, event: Event, needs: Sequence[str], amount: int | None, prices: list[int | None]
    ) -> tuple[Share, ...]:
        """What of the amount goes to each need: that of its own items, and what no item has to the first one.

        An amount below that of its items, because of a discount, is shared in proportion.
        """
        own, pieces = dict.fromkeys(needs, 0), dict.fromkeys(needs, 0)
        for item, price in zip(items_of(event), prices, strict=True):
            need = next((name for name in self._needs_of(event, item) if name in own), needs[0])
            own[need] += price or 0
            pieces[need] += pieces_of(item)
        if amount is None:
            return tuple(Share(need, None, pieces[need]) for need in needs)
        priced = sum(own.values())
        if priced > amount:
            own = {need: part * amount // priced for need, part in own.items()}
        own[needs[0]] += amount - sum(own.values())
        return tuple(Share(need, own[need], min(pieces[need], MAX_PIECES)) for need in needs)

    def _needs_of(self, event: Event, item: Mapping[str, Any]) -> list[str]:
        """The needs that an item itself names, sorted: at the path where those of its event were found."""
        for path in self._needs:
            if any(texts(lookup(event, path))):
                if not path.startswith(PRODUCTS):
                    return []
                found: Any = item
                for key in path.removeprefix(PRODUCTS).split("."):
                    found = found.get(key) if isinstance(found, dict) else None
                return sorted(set(texts(found)))
        return []


def items_of(event: Event) -> list[Mapping[str, Any]]:
    """The products that an event lists."""
    listed = event.properties.get("products")
    return (
        [item for item in listed[:MAX_PRODUCTS] if isinstance(item, dict)] if isinstance(listed, list) else []
    )


def price_of(item: Mapping[str, Any]) -> Decimal | None:
    """What an item costs in all: its total, or its price times its quantity. None: it does not say."""
    total = decimal_of(item.get("total"))
    if total is not None:
        return total
    price, quantity = decimal_of(item.get("price")), decimal_of(item.get("quantity", 1))
    if price is None:
        return None
    return _EXACT.multiply(price, _ONE if quantity is None else quantity.copy_abs())


def pieces_of(item: Mapping[str, Any]) -> int:
    """How many pieces an item is: its quantity, if that is a whole number, else one."""
    quantity = decimal_of(item.get("quantity"))
    if quantity is None or quantity != quantity.to_integral_value() or not 1 <= abs(quantity) <= MAX_PIECES:
        return 1
    return abs(int(quantity))


def decimal_of(value: Any) -> Decimal | None:
    """A number, or a number as people write it: `99.5`, `1.299,00`, `1,299.00`, `1 299,00 EUR`. None: none.

    With two sorts of separators the last one is the decimal one. A comma alone parts thousands where three
    digits follow it and no zero comes first, and is a decimal comma elsewhere; a point alone is a decimal
    point.
    """
    if isinstance(value, float):
        value = repr(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= MAX_AMOUNT else ""
    if not isinstance(value, str) or len(value) > MAX_DECIMAL_CHARS:
        return None
    text = value.strip().replace(_MINUS, "-")
    if account := _BELOW_ZERO.fullmatch(text):
        text = f"-{account[1] or account[2]}"
    sign, text = _signed(text)  # before the currency, or behind it
    text = _AROUND.sub("", text)
    if not sign:
        sign, text = _signed(text)
    number = _plain(_SPACES.sub("", text))
    if number is None:
        return None
    try:
        found = Decimal(number)
    except InvalidOperation:
        return None
    return found.copy_negate() if sign == "-" else found


def _signed(text: str) -> tuple[str, str]:
    """The sign that a text begins with, if any, and the rest."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    return sign, text[len(sign) :].lstrip() if sign else text


def _plain(text: str) -> str | None:
    """A number with a decimal point and nothing else, from one with separators; None: it is no number."""
    if _PLAIN.fullmatch(text):
        return text
    point, comma = text.rfind("."), text.rfind(",")
    decimal_at = max(point, comma)
    grouping = "." if comma > point else ","
    if point < 0 and (text.count(",") > 1 or len(text) - comma == 4) and text[0] != "0":
        decimal_at, grouping = len(text), ","
    elif comma < 0 and text.count(".") > 1:
        decimal_at, grouping = len(text), "."
    whole, rest = text[:decimal_at], text[decimal_at + 1 :]
    if _GROUPS[grouping].fullmatch(whole):
        whole = whole.replace(grouping, "")
    plain = f"{whole}.{rest}" if rest else whole
    return plain if _PLAIN.fullmatch(plain) else None


def minor_units(value: Decimal | None, currency: int) -> int | None:
    """An amount in whole minor units of a currency, halves rounded up.

    None: there is none, no currency, one below zero, or above MAX_AMOUNT.
    """
    if value is None or currency == NO_CURRENCY or value < 0 or value.adjusted() > len(str(MAX_AMOUNT)):
        return None
    if value and value.adjusted() < -MAX_DECIMAL_CHARS:
        return 0
    scaled = value.scaleb(DIGITS[currency], _EXACT)
    minor = int(scaled.quantize(_ONE, ROUND_HALF_UP, _EXACT))
    return minor if minor <= MAX_AMOUNT else None


def is_by_server(event: Event) -> bool:
    """True if a server says so: its channel, or the library that sent the event."""
    channels = (event.channel, event.context.get("channel"))
    if any(isinstance(channel, str) and channel.strip().lower() == "server" for channel in channels):
        return True
    name = lookup(event, "context.library.name")
    return isinstance(name, str) and _SERVER_LIBRARIES.fullmatch(name[:MAX_DECIMAL_CHARS].lower()) is not None


def _sum(prices: Sequence[Decimal | None]) -> Decimal:
    total = Decimal(0)
    for price in prices:
        total = _EXACT.add(total, price or 0)
    return total
