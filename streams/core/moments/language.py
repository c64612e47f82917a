"""The query rules under the words of one language, without regular expressions.

The lexicons that a query hits are one integer: a bit for each term of the clauses. That integer alone
decides, so its outcome is remembered, and a new query costs a look-up per word.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from streams.core.moments.phrases import MAX_KNOWN_WORDS, NOTHING, Phrases, literal_words, walk
from streams.core.moments.spec import FUNCTION_WORDS, PLAIN_WORDS, GrammarRule, QueryRule
from streams.core.moments.typos import KnownWords

# Outcomes that are remembered: far more than people's queries make, and about 10 MB at the very worst.
MAX_KNOWN_COMBINATIONS = 50_000
_MAX_POLITE = 4  # phrases that are taken off the front: "hello, could you please tell me"


class Clause:
    """A conjunction of a rule, as two masks over a query's key."""

    def __init__(self, text: str, bits: Mapping[str, int]) -> None:
        self.text = text
        self.names: list[str] = []
        self.need = self.forbid = 0
        for term in text.split():
            if term.startswith("!"):
                self.forbid |= bits[term[1:]]
            else:
                self.need |= bits[term]
                self.names.append(term.lstrip("^="))

    def holds(self, key: int) -> bool:
        """True if a query with this key meets the clause."""
        return key & self.need == self.need and not key & self.forbid


def terms(clause: str) -> list[str]:
    """The names of the lexicons in a clause."""
    return [term.removeprefix("!").lstrip("^=") for term in clause.split()]


class Language:
    """The query rules under the lexicons of one language."""

    def __init__(
        self,
        rules: Sequence[QueryRule | GrammarRule],
        lexicons: Mapping[str, Iterable[str]],
        polite: Iterable[str],
    ) -> None:
        used = {term.removeprefix("!") for rule in rules for clause in rule.any for term in clause.split()}
        whole = sorted({term[1:] for term in used if term.startswith("=")})
        first = sorted({term[1:] for term in used if term.startswith("^")} - set(whole))
        rest = sorted({term.lstrip("^=") for term in used} - {*whole, *first})
        # Few lexicons are asked for at the beginning or as the whole: theirs are the lowest bits, so that the
        # integer stays small.
        self._bits = {name: 1 << place for place, name in enumerate((*whole, *first, *rest))}
        self._whole, self._first = (1 << len(whole)) - 1, (1 << len(whole) + len(first)) - 1
        self._first_shift = len(self._bits)
        self._whole_shift = self._first_shift + len(whole) + len(first)
        by_term = dict(self._bits)
        by_term |= {f"^{name}": self._bits[name] << self._first_shift for name in (*whole, *first)}
        by_term |= {f"={name}": self._bits[name] << self._whole_shift for name in whole}
        self._phrases = Phrases(
            {self._bits[name]: phrases for name, phrases in lexicons.items() if name in self._bits}
        )
        self._polite = Phrases({1: [phrase for name in polite for phrase in lexicons.get(name, ())]})
        self._needed = {
            word
            for name, phrases in lexicons.items()
            if name != PLAIN_WORDS
            for word in literal_words(phrases)
        }
        self.words = self._needed | literal_words(lexicons.get(PLAIN_WORDS, ()))
        self.function_words = literal_words(lexicons.get(FUNCTION_WORDS, ()))
        self._clauses = [
            (place, Clause(text, by_term)) for place, rule in enumerate(rules) for text in rule.any
        ]
        self._masks = [(clause.need, clause.forbid, place) for place, clause in self._clauses]
        self._known: dict[int, int] = {}
        self._holding: dict[int, tuple[int, ...]] = {}
        self._meant: dict[str, str] = {}  # by unknown word: the one that is meant, or ""

    def find(self, words: Sequence[str]) -> int:
        """The place of the first rule that holds; -1 if none does."""
        key = self.key(words)
        place = self._known.get(key)
        if place is None:
            place = -1
            for need, forbid, each in self._masks:
                if key & need == need and not key & forbid:
                    place = each
                    break
            if len(self._known) >= MAX_KNOWN_COMBINATIONS:
                self._known.clear()
            self._known[key] = place
        return place

    def key(self, words: Sequence[str]) -> int:
        """A bit for each term of a clause that the query meets: anywhere, at the beginning, as the whole."""
        at = self._front(words)
        read = self._phrases.read
        known = self._phrases.known
        first = whole = anywhere = 0
        count = len(words)
        for n in range(at, count):
            entry = known.get(words[n])
            bits, nodes = entry if entry is not None else read(words[n])
            to_end = bits if n + 1 == count else 0
            if nodes and n + 1 < count:
                longer, to_end = walk(nodes, words, n + 1)
                bits |= longer
            if n == at:
                first, whole = bits & self._first, to_end & self._whole
            anywhere |= bits
        return anywhere | first << self._first_shift | whole << self._whole_shift

    def why(self, words: Sequence[str], place: int) -> str:
        """The clause of that rule which holds, with the words behind each lexicon. It is for people, and
        slow.
        """
        key = self.key(words)
        clause = next((clause for at, clause in self._clauses if at == place and clause.holds(key)), None)
        if clause is None:
            return ""
        rest = words[self._front(words) :]
        return (
            "; ".join(f"{name}: {self._phrases.spell(rest, self._bits[name])}" for name in clause.names)
            or clause.text
        )

    def _front(self, words: Sequence[str]) -> int:
        """The place where the query begins behind its polite words. A query of nothing else is read whole."""
        at = 0
        for _ in range(_MAX_POLITE):
            if self._polite.read(words[at]) == NOTHING:
                break
            length = self._polite.longest(words, at)
            if not length or at + length >= len(words):
                break
            at += length
        return at

    def holding(self, words: Sequence[str]) -> tuple[int, ...]:
        """The places of all rules that hold, in their order."""
        key = self.key(words)
        places = self._holding.get(key)
        if places is None:
            found = {place for need, forbid, place in self._masks if key & need == need and not key & forbid}
            if len(self._holding) >= MAX_KNOWN_COMBINATIONS:
                self._holding.clear()
            places = self._holding[key] = tuple(sorted(found))
        return places

    def meant(self, word: str) -> str:
        """The only known word that an unknown one can be a typo of; "" if there is none, or a choice.

        Words that are phrases of the very same lexicons are no choice: they say the same.
        """
        meant = self._meant.get(word)
        if meant is None:
            if len(self._meant) >= MAX_KNOWN_WORDS:
                self._meant.clear()
            meant = self._meant[word] = self._nearest(word)
        return meant

    def _nearest(self, word: str) -> str:
        if self._phrases.begins(word):
            return ""
        words = self._known_words.meant(word)
        lexicons = {self._phrases.read(each)[0] for each in words}
        return words[0] if len(words) == 1 or (len(lexicons) == 1 and 0 not in lexicons) else ""

    @cached_property
    def _known_words(self) -> KnownWords:
        return KnownWords(self._needed)
