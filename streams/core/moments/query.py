"""Finds the query rule of a search query by its words.

A **lexicon** is a list of phrases of one language. A word of a phrase is a literal, `prefix*`, `*suffix`, `*`
(any one word), has `#` for a number, or is one of alternatives `a|b`. A **clause** names lexicons: `vendor
near !question` holds if the first two are somewhere in the query and the third is nowhere; `^order` must
stand at the beginning, `=greeting` must be the whole query. Polite words are taken off the front first. A
rule holds if one of its clauses does; the first rule that holds wins.

A query is read in the language that it seems to be in, then in the others. Words with a typo are mended: long
ones before anything is read, since another word of the query may have an answer that the whole does not have
("devolcer zapatos"), short ones only if all languages are silent, since many are one letter away from others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.core.moments.language import Language
from streams.core.moments.recognition import Recogniser
from streams.core.moments.spec import QueryRule
from streams.core.moments.typos import MIN_TYPO_CHARS
from streams.core.moments.words import tokens

MIN_CLEAR_TYPO_CHARS = 7  # of a word that is mended whatever the others say: few have a neighbour by chance
_ENDING = 2  # letters by which the forms of a word differ: a plural, a participle


class Reading(NamedTuple):
    """How a query is read."""

    place: int  # of the rule
    language: str  # "" for the last resort
    words: Sequence[str]  # as they were read: typos are mended
    mended: tuple[str, str] | None = None  # a word with a typo, and what was meant


class QueryMatcher:
    """The query rules in all languages."""

    def __init__(
        self,
        rules: Sequence[QueryRule],
        lexicons: Mapping[str, Mapping[str, Iterable[str]]],
        polite: Sequence[str],
    ) -> None:
        self._languages = {language: Language(rules, names, polite) for language, names in lexicons.items()}
        self._recogniser = Recogniser(
            {name: (each.function_words, each.words) for name, each in self._languages.items()}
        )
        self._otherwise = next((place for place, rule in enumerate(rules) if rule.otherwise), -1)

    def find(self, text: str, hinted: str, without: int = -1) -> tuple[int, str] | None:
        """The rule that reads a query: its place and the language, which is "" for the last resort.

        `hinted`: the language that the query is likely to be in; "" for none. `without`: the place of a rule
        that is left out.
        """
        reading = self.reading(text, hinted)
        if reading is None:
            return None
        return reading[:2] if reading.place != without else self._next(reading)

    def reading(self, text: str, hinted: str) -> Reading | None:
        """How a query is read; None if no rule reads it, not even the last resort."""
        words = tokens(text)
        if not words:
            return None
        reading = (
            self._read_mended(words, hinted, clear_only=True)
            or self.read(words, hinted)
            or self._read_mended(words, hinted, clear_only=False)
        )
        if reading is None and self._otherwise >= 0:
            return Reading(self._otherwise, "", words)
        return reading

    def read(self, words: Sequence[str], hinted: str) -> Reading | None:
        """The first rule that reads folded words as they are, in the first language that has one."""
        for name in self._recogniser.order(words, hinted):
            place = self._languages[name].find(words)
            if place >= 0:
                return Reading(place, name, words)
        return None

    def _read_mended(self, words: Sequence[str], hinted: str, *, clear_only: bool) -> Reading | None:
        """How the words are read without a typo; None if none has one, or no rule reads them then.

        A word is mended only in the language that the text is in. If nothing tells which one that is, all of
        them together must leave no choice: what looks like a typo may be a word of another language. Where
        several words may have one, each is tried alone, and they must agree: most are no typos then.
        """
        knows, least = self._recogniser.knows, MIN_CLEAR_TYPO_CHARS if clear_only else MIN_TYPO_CHARS
        strange = [word for word in dict.fromkeys(words) if len(word) >= least and not knows(word)]
        if not strange:
            return None
        order = self._recogniser.order(words, hinted)
        is_clear = hinted in self._languages or self._recogniser.knows_any(words)
        likely = [self._languages[name] for name in (order[:1] if is_clear else order)]
        found: list[Reading] = []
        for typed in strange:
            meant = {word for each in likely if (word := each.meant(typed))}
            if clear_only and not all(_is_clear(typed, word) for word in meant):
                continue
            if len(meant) != 1:
                continue
            mended = (typed, meant.pop())
            read = [mended[1] if word == typed else word for word in words]
            for name, language in zip(order, likely, strict=False):
                place = language.find(read)
                if place >= 0:
                    found.append(Reading(place, name, read, mended))
                    break
        return found[0] if len({reading.place for reading in found}) == 1 else None

    def why(self, reading: Reading) -> str:
        """The words that made the rule of a reading hold."""
        return self._languages[reading.language].why(reading.words, reading.place)

    def _next(self, reading: Reading) -> tuple[int, str] | None:
        """What reads the words without the rule of this reading.

        It is the next rule that holds in the language, else the first one in another, else the last resort.
        """
        if not reading.language:
            return None
        for name in dict.fromkeys((reading.language, *self._recogniser.order(reading.words, ""))):
            for place in self._languages[name].holding(reading.words):
                if place != reading.place:
                    return place, name
        return (self._otherwise, "") if self._otherwise >= 0 else None


def _is_clear(typed: str, meant: str) -> bool:
    """True if a word is a typo of another one, and not another form of it: letters changed places, or what is
    wrong is before the ending.
    """
    return typed[-_ENDING:] == meant[-_ENDING:] or sorted(typed) == sorted(meant)
