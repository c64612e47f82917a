"""What found nothing, in words."""

from collections.abc import Mapping

from streams.cli.screen import plural


def unmatched_texts(refunds: Mapping[str, int], updates: int) -> list[str]:
    """A text for each sort that there is. `refunds`: how many, by what is missing."""
    found = [f"{plural(n, 'refund')} without a {what}" for what, n in refunds.items() if n]
    if updates:
        orders = "an unknown order" if updates == 1 else "unknown orders"
        found.append(f"{plural(updates, 'update')} of {orders}")
    return found
