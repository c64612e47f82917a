"""Folds text in one way for rules and for what they read. Otherwise some rules would never match."""

import re
import unicodedata

MAX_TOKENS = (
    40  # of a query or a path: more are pasted texts and garbage, and the first ones show what it is about
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GAP = re.compile(r"[\s_\-]+")


def _words_of(letter: str) -> re.Pattern[str]:
    # Dots stay inside a word (amazon.com), commas inside a number (1,5l); apostrophes split words (l'auto).
    return re.compile(rf"{letter}+(?:(?:\.|(?<=\d),(?=\d)){letter}+)*")


# In "O'Brien" it is a part of the name: the "o" that is a word (Italian, Spanish: or) has none.
_NAME = re.compile(r"(?<![^\W_])o['\u2019](?=[^\W_])")
_TOKEN, _PHRASE_TOKEN = _words_of(r"[^\W_]"), _words_of(r"(?:[^\W_]|#)")


def fold_text(text: str) -> str:
    """Lower case without accents; compatibility forms such as ligatures are resolved."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def tokens(text: str) -> list[str]:
    """The folded words of a text, at most MAX_TOKENS."""
    return folded_tokens(fold_text(text))[:MAX_TOKENS]


def phrase_tokens(text: str) -> list[str]:
    """The folded words of a phrase, in which `#` stands for a number."""
    return _PHRASE_TOKEN.findall(_NAME.sub("o", fold_text(text)))


def with_number_signs(word: str) -> str:
    """A word with `#` for each of its numbers: `1.5l` is `#l`. A word without digits stays as it is."""
    return _NUMBER.sub("#", word)


def folded_tokens(folded: str) -> list[str]:
    """The words of a text that is folded."""
    if "o'" in folded or "o\u2019" in folded:
        folded = _NAME.sub("o", folded)
    return _TOKEN.findall(folded)


def fold_name(name: str) -> str:
    """The form in which event names are compared: `Product Viewed` and `product_viewed` are one name."""
    return _GAP.sub("", fold_text(name))


def fold_segment(segment: str) -> str:
    """The form in which path segments and page names are compared.

    `Order Confirmation`, `order_confirmation` and `order-confirmation` are one segment.
    """
    folded = fold_text(segment.strip())
    return folded if folded.isalnum() else _GAP.sub("-", folded)
