"""Finds the query rule of a search query by its words, without regular expressions.

A **lexicon** is a list of phrases of one language. A word of a phrase is a literal, `prefix*`, `*suffix`, `*`
(any one word), or alternatives `a|b`. A **clause** names lexicons: `vendor near !question` holds if the first
two are somewhere in the query and the third is nowhere; `^order` must stand at the beginning, `=greeting`
must be the whole query. Polite words are taken off the front first. A rule holds if one of its clauses does;
the first rule that holds wins.

The lexicons that a query hits are one integer: a bit per lexicon for anywhere, for the beginning, for the
whole. That integer alone decides, so its outcome is remembered, and a new query costs a look-up per word.
"""

from collections.abc import Iterable, Mapping, Sequence

from streams.core.moments.phrases import NOTHING, Phrases, walk
from streams.core.moments.spec import QueryRule
from streams.core.moments.words import tokens

# Outcomes that are remembered: far more than people's queries make, and about 10 MB at the very worst.
MAX_KNOWN_COMBINATIONS = 50_000
_MAX_POLITE = 4  # phrases that are taken off the front: "hello, could you please tell me"


class Clause:
    """A conjunction of a rule, as two masks over a query's key."""

    def __init__(self, text: str, bits: Mapping[str, int], shift: int) -> None:
        self.text = text
        self.names: list[str] = []
        self.need = self.forbid = 0
        for term in text.split():
            bare = term.removeprefix("!")
            where = {"^": 1, "=": 2}.get(bare[0], 0)
            bit = bits[bare[1:] if where else bare] << where * shift
            if term.startswith("!"):
                self.forbid |= bit
            else:
                self.need |= bit
                self.names.append(bare[1:] if where else bare)

    def holds(self, key: int) -> bool:
        """True if a query with this key meets the clause."""
        return key & self.need == self.need and not key & self.forbid


def terms(clause: str) -> list[str]:
    """The names of the lexicons in a clause."""
    return [term.removeprefix("!").lstrip("^=") for term in clause.split()]


class Language:
    """The query rules under the lexicons of one language."""

    def __init__(
        self, rules: Sequence[QueryRule], lexicons: Mapping[str, Iterable[str]], polite: Iterable[str]
    ) -> None:
        names = sorted({name for rule in rules for clause in rule.any for name in terms(clause)})
        self._bits = {name: 1 << place for place, name in enumerate(names)}
        self._shift = len(names)
        self._phrases = Phrases(
            {self._bits[name]: phrases for name, phrases in lexicons.items() if name in self._bits}
        )
        self._polite = Phrases({1: [phrase for name in polite for phrase in lexicons.get(name, ())]})
        self._clauses = [
            (place, Clause(text, self._bits, self._shift))
            for place, rule in enumerate(rules)
            for text in rule.any
        ]
        self._masks = [(clause.need, clause.forbid, place) for place, clause in self._clauses]
        self._known: dict[int, int] = {}

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
        """A bit per lexicon that the query hits.

        The lowest bits are for anywhere, the next for the beginning, the highest for the whole query.
        """
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
                first, whole = bits, to_end
            anywhere |= bits
        return anywhere | first << self._shift | whole << 2 * self._shift

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


class QueryMatcher:
    """The query rules in all languages."""

    def __init__(
        self,
        rules: Sequence[QueryRule],
        lexicons: Mapping[str, Mapping[str, Iterable[str]]],
        polite: Sequence[str],
    ) -> None:
        self._languages = {language: Language(rules, names, polite) for language, names in lexicons.items()}
        self._otherwise = next((place for place, rule in enumerate(rules) if rule.otherwise), -1)

    def find(self, text: str, language: str) -> tuple[int, str | None] | None:
        """The rule that reads a query: (its place, the language); the language is None for the last resort.

        A query in a language without lexicons is read in each language in turn.
        """
        words = tokens(text)
        if not words:
            return None
        one = self._languages.get(language)
        for name, each in ((language, one),) if one is not None else self._languages.items():
            place = each.find(words)
            if place >= 0:
                return place, name
        return (self._otherwise, None) if self._otherwise >= 0 else None

    def why(self, text: str, place: int, language: str) -> str:
        """The words that made `find` give that rule."""
        return self._languages[language].why(tokens(text), place)
