"""Amounts, as people read them."""

import msgspec

from streams.core.funnels.currencies import NO_CURRENCY, currency_number, money_text


def amount_cell(minor: int | msgspec.UnsetType | None, currency: str | msgspec.UnsetType | None) -> str:
    """Minor units of a currency with its digits, such as `90.00 EUR`; "" where no amount is known."""
    if not isinstance(minor, int) or not isinstance(currency, str):
        return ""
    number = currency_number(currency)
    # A newer release may have written a currency that this one does not know the digits of.
    return f"{minor:,} minor units of {currency}" if number == NO_CURRENCY else money_text(minor, number)
