"""Guesses what an event is by the words of its name, where no event rule knows the name.

A grammar rule is a rule about words, as a query rule is: its clauses name **vocabularies** (`cart added
!sent`). Names mix languages and do not say which, so the words of all languages are tried together.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from streams.core.moments.language import Language
from streams.core.moments.name_words import NameWords
from streams.core.moments.phrases import expand_phrase
from streams.core.moments.spec import GrammarRule, Lexicon

MAX_GUESSED_NAMES = 8192  # that are remembered, some MB: names with an id in them push out the rare ones only


class Grammar:
    """The grammar rules, compiled."""

    def __init__(
        self, rules: Sequence[GrammarRule], vocabulary: Iterable[Lexicon], noise: Sequence[str]
    ) -> None:
        """`noise`: the vocabularies whose words say nothing."""
        self._rules = rules
        phrases: dict[str, list[list[str]]] = {}
        for words in vocabulary:
            phrases.setdefault(words.name, []).extend(
                line for phrase in words.phrases for line in expand_phrase(phrase)
            )
        silent = {line[0] for name in noise for line in phrases.get(name, ()) if len(line) == 1}
        # What is left out of names is left out of phrases, too.
        kept = {
            name: [line for full in lines if (line := [word for word in full if word not in silent])]
            for name, lines in phrases.items()
        }
        self._language = Language(
            rules, {name: list(map(" ".join, lines)) for name, lines in kept.items()}, ()
        )
        # Glued names are made of words that stand alone somewhere.
        alone = {line[0] for lines in kept.values() for line in lines if len(line) == 1}
        self._words = NameWords({word for word in alone if "*" not in word}, silent)
        self.find = lru_cache(MAX_GUESSED_NAMES)(self._find)

    def _find(self, name: str) -> tuple[int, ...]:
        """The places of the rules that hold for a name, in their order, up to the first that asks for nothing
        else.
        """
        words = self._words.split(name)
        found: list[int] = []
        for place in self._language.holding(words) if words else ():
            found.append(place)
            if not self._rules[place].order:
                break
        return tuple(found)

    def why(self, name: str, place: int) -> str:
        """The words that made `find` give that rule, by vocabulary."""
        return self._language.why(self._words.split(name), place)
