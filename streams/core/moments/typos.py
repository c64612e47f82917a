"""Mends words that nobody knows: "ofetra" is "oferta", one slip of a finger away.

A word is mended only if exactly one known word is one edit away: a letter too many, too few, another one, or
two that changed places. Short words are not: nearly all of them are one edit away from another word.

Two words that are one edit apart become equal when one letter is taken out of each, or of one of them. So
each known word is filed under itself and under what it is without each of its letters, and a word is looked
up in the same way: some ten look-ups, however many words are known.
"""

from collections.abc import Iterable

MIN_TYPO_CHARS = 5


class KnownWords:
    """The words of a language that can be meant."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(word for word in words if len(word) >= MIN_TYPO_CHARS)
        self._filed: dict[str, str] = {}  # under each form: the words that it may come from, parted by spaces
        for word in sorted(self._words):
            for form in {word, *_shorter(word)}:
                filed = self._filed.get(form)
                self._filed[form] = word if filed is None else f"{filed} {word}"

    def meant(self, word: str) -> list[str]:
        """The known words that are one edit away, sorted. A word of less than five letters has none."""
        if len(word) < MIN_TYPO_CHARS:
            return []
        found: set[str] = set()
        for form in (word, *_shorter(word)):
            filed = self._filed.get(form)
            if filed is not None:
                found.update(filed.split(" "))
        return sorted(
            each for each in found if each != word and each[0] == word[0] and _is_one_edit(word, each)
        )


def _shorter(word: str) -> list[str]:
    """What is left of a word when one letter is taken out, for each of its letters."""
    return [word[:n] + word[n + 1 :] for n in range(len(word))]


def _is_one_edit(one: str, other: str) -> bool:
    """True if two words differ by one letter, inserted, deleted or another one, or by a transposition."""
    if len(one) > len(other):
        one, other = other, one
    first = 0
    while first < len(one) and one[first] == other[first]:
        first += 1
    if len(one) < len(other):
        return len(one) + 1 == len(other) and one[first:] == other[first + 1 :]
    return one[first + 1 :] == other[first + 1 :] or (
        one[first + 2 :] == other[first + 2 :] and one[first : first + 2] == other[first : first + 2][::-1]
    )
