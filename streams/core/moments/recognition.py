"""Recognises the language of a short text by its words, since a browser's language is often another one.

Function words tell most: nobody writes "dello" or "near" in another language than their own. The words of the
lexicons tell the rest: "offerte hotel Roma" has no function word. Each word of a text is looked up once, for
all languages together.
"""

from collections.abc import Iterable, Mapping, Sequence

from streams.core.moments.phrases import literal_words
from streams.core.moments.spec import FUNCTION_WORDS

MAX_KNOWN_ORDERS = 4096  # that are remembered; people's queries make some hundreds. Then all are dropped
_COUNT_BITS = 16  # of one count in a sum over words: more than MAX_TOKENS can fill
_LANGUAGE_BITS = 2 * _COUNT_BITS  # each language has two counts: its function words, its known words
_COUNT = (1 << _COUNT_BITS) - 1


class Recogniser:
    """Puts languages in the order in which a text is read in them."""

    def __init__(self, lexicons: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        """`lexicons`: by language, in the order that holds where nothing else decides, and by name."""
        self._names = tuple(lexicons)
        self._counts: dict[str, int] = {}  # by word: a number that adds one to the counts of its languages
        for n, names in enumerate(lexicons.values()):
            function_words = literal_words(names.get(FUNCTION_WORDS, ()))
            known_words = {
                word
                for name, phrases in names.items()
                if name != FUNCTION_WORDS
                for word in literal_words(phrases)
            }
            for words, place in ((function_words, 1), (known_words - function_words, 0)):
                one = 1 << (n * _LANGUAGE_BITS + place * _COUNT_BITS)
                for word in words:
                    self._counts[word] = self._counts.get(word, 0) + one
        self._known: dict[tuple[int, str], tuple[str, ...]] = {}

    def knows_any(self, words: Sequence[str]) -> bool:
        """True if the words themselves tell a language."""
        return any(word in self._counts for word in words)

    def order(self, words: Sequence[str], hinted: str) -> tuple[str, ...]:
        """All languages: the one of the text first.

        That is the hinted one, unless the text has more function words of another. Of the others the one with
        the most function words comes first, then the one with the most known words.
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
        def place(name: str) -> tuple[int, bool, int, int]:
            n = self._names.index(name)
            both = counts >> n * _LANGUAGE_BITS
            return -(both >> _COUNT_BITS & _COUNT), name != hinted, -(both & _COUNT), n

        return tuple(sorted(self._names, key=place))
