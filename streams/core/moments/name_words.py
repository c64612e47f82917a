"""Splits the name of an event into words, however it is spelled.

`AddToCart`, `add_to_cart`, `ADD TO CART` and `shop.cart:add` are made of words; in `addtocart` they are
glued. Words are folded like those of queries. A word that the grammar knows is one word, whether it is
written `checkout`, `checkOut` or `check out`.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from streams.core.moments.words import fold_text

MAX_WORDS = 16  # of a name: a longer one is a text, and its beginning says what it is about
MAX_GLUED_CHARS = 40  # of a word that is taken apart: a longer one is an id
MAX_KNOWN_PARTS = 8192  # words that were taken apart and are remembered: names share theirs
_MIN_PART_CHARS = 2  # a letter alone is no word, or any text could be taken apart
_MIN_LONGEST_CHARS = 4  # of the longest part: short words alone are found in any text
_MAX_JOINED = 3  # words that may be one: "e", "mail"
_ADDRESS = re.compile(r"(?:^|\s)/|://")
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z])")


def plain_words(name: str) -> list[str]:
    """The words of a name as it is spelled, folded: digits and signs separate them and are left out.

    An address ("POST /cart/add") is no name: it has none.
    """
    if _ADDRESS.search(name):
        return []
    return _WORD.findall(fold_text(_CAMEL.sub(" ", name)))[:MAX_WORDS]


class NameWords:
    """Finds the words of names by those that a grammar knows."""

    def __init__(self, known: Collection[str], noise: Collection[str]) -> None:
        """`noise`: words that say nothing. They are left out, and glue parts of a word together."""
        self._known, self._noise = frozenset(known), frozenset(noise)
        self._longest = max(map(len, self._known | self._noise), default=0)
        self._parts = lru_cache(MAX_KNOWN_PARTS)(self._parts_of)

    def split(self, name: str) -> list[str]:
        """The words of a name, without noise. A word that is not known stays as it is."""
        found: list[str] = []
        spelled = plain_words(name)
        at = 0
        while at < len(spelled):
            for end in range(min(at + _MAX_JOINED, len(spelled)), at, -1):
                joined = "".join(spelled[at:end])
                if joined in self._known:
                    found.append(joined)
                    break
            else:
                end = at + 1
                found += self._parts(spelled[at])
            at = end
        return [word for word in found if len(word) > 1 and word not in self._noise]

    def _parts_of(self, word: str) -> list[str]:
        """The fewest known words that are glued in this one; itself where it cannot be taken apart."""
        if word in self._noise or len(word) <= _MIN_LONGEST_CHARS or len(word) > MAX_GLUED_CHARS:
            return [word]
        # best[n]: the fewest parts of the first n letters. Noise stands between parts only, or any name
        # would end in "on" or begin with "to".
        best: list[list[str] | None] = [[], *([None] * len(word))]
        for end in range(_MIN_PART_CHARS, len(word) + 1):
            for start in range(max(0, end - self._longest), end - _MIN_PART_CHARS + 1):
                before, part = best[start], word[start:end]
                if before is None or (end < len(word) and len(word) - end < _MIN_PART_CHARS):
                    continue
                is_inside = start > 0 and end < len(word)
                if part not in self._known and not (is_inside and part in self._noise):
                    continue
                parts = best[end]
                if parts is None or len(before) + 1 < len(parts):
                    best[end] = [*before, part]
        parts = best[len(word)]
        if parts is None or max(map(len, parts)) < _MIN_LONGEST_CHARS:
            return [word]
        return parts
