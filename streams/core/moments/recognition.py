"""Recognises the language of a short text by its words, since a browser's language is often another one.

Function words tell most: nobody writes "dello" or "near" in another language than their own. The words of the
lexicons tell the rest: "offerte hotel Roma" has no function word. Each word of a text is looked up once, for
all languages together.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

MAX_KNOWN_ORDERS = 4096  # that are remembered; people's queries make some hundreds. Then all are dropped
_COUNT_BITS = 16  # of one count in a sum over words: more than MAX_TOKENS can fill
_LANGUAGE_BITS = 2 * _COUNT_BITS  # each language has two counts: its function words, its known words
_COUNT = (1 << _COUNT_BITS) - 1


class Recogniser:
    """Puts languages in the order in which a text is read in them."""

    def __init__(self, languages: Mapping[str, tuple[AbstractSet[str], AbstractSet[str]]]) -> None:
        """`languages`: the function words and the other known words of each, in the order that holds where
        nothing else decides.
        """
        self._names = tuple(languages)
        self._counts: dict[str, int] = {}  # by word: a number that adds one to the counts of its languages
        for n, (function_words, known_words) in enumerate(languages.values()):
            for words, place in ((function_words, 1), (known_words - function_words, 0)):
                one = 1 << (n * _LANGUAGE_BITS + place * _COUNT_BITS)
                for word in words:
                    self._counts[word] = self._counts.get(word, 0) + one
        self._known: dict[tuple[int, str], tuple[str, ...]] = {}

    def knows(self, word: str) -> bool:
        """True if a language has this very word."""
        return word in self._counts

    def knows_any(self, words: Sequence[str]) -> bool:
        """True if the words themselves tell a language."""
        return any(word in self._counts for word in words)

    def order(self, words: Sequence[str], hinted: str) -> tuple[str, ...]:
        """The languages in which a text may be read: the one that it is in first.

        Those with more function words come first, then those with more known words, then the hinted one. One
        that knows fewer of the words than the first is left out: it would read less than what stands there.
        """
        counts = 0
        counts_of = self._counts.get
        for word in words:
            counts += counts_of(word, 0)
        ordered = self._known.get((counts, hinted))
        if ordered is None:
            ordered = self._sorted(counts, hinted)
            if len(self._known) >= MAX_KNOWN_ORDERS:
                self._known.clear()
            self._known[counts, hinted] = ordered
        return ordered

    def _sorted(self, counts: int, hinted: str) -> tuple[str, ...]:
        def place(name: str) -> tuple[int, int, bool, int]:
            n = self._names.index(name)
            both = counts >> n * _LANGUAGE_BITS
            return -(both >> _COUNT_BITS & _COUNT), -(both & _COUNT), name != hinted, n

        ordered = sorted(self._names, key=place)
        least = sum(place(ordered[0])[:2]) if ordered else 0  # as negative numbers
        return tuple(name for name in ordered if sum(place(name)[:2]) <= least)
