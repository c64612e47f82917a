"""Folds text in one way for rules and for what they read. Otherwise some rules would never match."""

import re
import unicodedata

MAX_TOKENS = 40  # a query of more words is a pasted text: its beginning shows what it is about
# Dots stay inside a word (amazon.com), apostrophes split it (l'auto).
_TOKEN = re.compile(r"[^\W_]+(?:\.[^\W_]+)*")
_GAP = re.compile(r"[\s_\-]+")


def fold_text(text: str) -> str:
    """Lower case without accents; compatibility forms such as ligatures are resolved."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def tokens(text: str) -> list[str]:
    """The folded words of a text, at most MAX_TOKENS."""
    return _TOKEN.findall(fold_text(text))[:MAX_TOKENS]


def fold_name(name: str) -> str:
    """The form in which event names are compared: `Product Viewed` and `product_viewed` are one name."""
    return _GAP.sub("", fold_text(name))


def fold_segment(segment: str) -> str:
    """The form in which path segments and page names are compared.

    `Order Confirmation`, `order_confirmation` and `order-confirmation` are one segment.
    """
    return _GAP.sub("-", fold_text(segment.strip()))
