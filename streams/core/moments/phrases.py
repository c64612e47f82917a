"""Phrases as a tree of words, so that a query is looked up word by word instead of phrase by phrase.

A word leads to a node. The node knows which lexicons have a phrase that ends there (`bits`), and how phrases
go on. What a single word begins is remembered, because wildcards make the first look at a word slower than
the next.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import prod

from streams.core.moments.words import fold_text, phrase_tokens, with_number_signs

MAX_KNOWN_WORDS = 50_000  # words that are remembered per language; people use fewer. Then all are dropped
MAX_PHRASE_WORDS = 8  # nobody types longer phrases
MAX_KNOWN_CHOICES = 32_768  # words of phrases that are folded once: the shipped lexicons have 15,000
MAX_ALTERNATIVES = 256  # phrases for which one line may stand
MAX_KNOWN_LINES = 32_768  # lines that are taken apart once, for check and compilation; 13,000 are shipped
_UNREAD = re.compile(
    r"[^\w\s*#.,'\u2019&/-]"
)  # signs that no query keeps, and that other patterns are made of

Choice = tuple[str, ...]  # one or more words that stand for each other's part of a phrase


class BadPhrase(ValueError):
    """A phrase that cannot be read; the message tells why."""


_NO_NODES: dict[str, "Node"] = {}  # of most nodes: nothing follows, or no wildcard does


class Node:
    """A place in the tree: the words that may follow, and the lexicons with a phrase that ends here."""

    __slots__ = ("anything", "bits", "exact", "longer", "prefixes", "suffixes", "wild")

    def __init__(self) -> None:
        self.bits = 0
        self.longer = self.wild = False
        self.exact = self.prefixes = self.suffixes = _NO_NODES
        self.anything: Node | None = None

    def child(self, word: str) -> "Node":
        """The node behind a word of a phrase. It is made when it is new."""
        node = self.exact.get(word)
        if node is None:
            self.longer = True
            if "*" in word:
                return self._wild_child(word)
            self.wild = self.wild or "#" in word
            node = Node()
            if self.exact is _NO_NODES:
                self.exact = {word: node}
            else:
                self.exact[word] = node
        return node

    def _wild_child(self, word: str) -> "Node":
        self.wild = True
        if word == "*":
            self.anything = self.anything or Node()
            return self.anything
        if word.endswith("*"):
            self.prefixes = self.prefixes or {}
            return self.prefixes.setdefault(word[:-1], Node())
        self.suffixes = self.suffixes or {}
        return self.suffixes.setdefault(word[1:], Node())

    def next(self, word: str) -> "list[Node]":
        """Every node to which a word of a query leads."""
        exact = self.exact.get(word)
        found = [exact] if exact is not None else []
        if not self.wild:
            return found
        self._guess(word, found)
        signed = with_number_signs(word)
        if signed != word:
            if (number := self.exact.get(signed)) is not None:
                found.append(number)
            self._guess(signed, found)
        if self.anything is not None:
            found.append(self.anything)
        return found

    def _guess(self, word: str, found: "list[Node]") -> None:
        """Adds the nodes whose wildcard fits the word."""
        if self.prefixes:
            found += [
                node for n in range(1, len(word) + 1) if (node := self.prefixes.get(word[:n])) is not None
            ]
        if self.suffixes:
            found += [node for n in range(len(word)) if (node := self.suffixes.get(word[n:])) is not None]


NOTHING: tuple[int, tuple[Node, ...]] = (0, ())  # a word that begins no phrase


def walk(nodes: Sequence[Node], words: Sequence[str], at: int) -> tuple[int, int]:
    """Follows all phrases that go on from these nodes at the word `at`.

    Returns the bits of the phrases that are there, and of those that end with the query.
    """
    found = to_end = 0
    count = len(words)
    stack = [(node, at) for node in nodes]
    while stack:
        node, n = stack.pop()
        for child in node.next(words[n]):
            found |= child.bits
            if n + 1 == count:
                to_end |= child.bits
            elif child.longer:
                stack.append((child, n + 1))
    return found, to_end


def literal_words(phrases: Iterable[str]) -> set[str]:
    """The words of phrases that stand there whole, without a wildcard or a number."""
    return {
        word
        for phrase in phrases
        for choices in _alternatives(phrase)
        for chosen in choices
        for word in chosen
        if "*" not in word and "#" not in word
    }


def expand_phrase(phrase: str) -> list[list[str]]:
    """The word lists that one line of a lexicon stands for."""
    parts = checked_alternatives(phrase)
    return [[word for choice in chosen for word in choice] for chosen in product(*parts)]


@lru_cache(MAX_KNOWN_LINES)
def checked_alternatives(phrase: str) -> list[list[Choice]]:
    """For each part of a phrase its choices; nobody changes them. Raises BadPhrase."""
    alternatives = _alternatives(phrase)
    if _is_word(phrase):
        return alternatives
    count = prod(map(len, alternatives))
    if count > MAX_ALTERNATIVES:
        raise BadPhrase(f"stands for {count} phrases; at most {MAX_ALTERNATIVES}")
    if not 0 < sum(max(map(len, choices)) for choices in alternatives) <= MAX_PHRASE_WORDS:
        raise BadPhrase(f"must have 1 to {MAX_PHRASE_WORDS} words")
    if any(choice[0] == "*" for choice in alternatives[0]):
        raise BadPhrase(
            "begins with *: every word of every query would have to be followed up; begin with a word"
        )
    return alternatives


def _alternatives(phrase: str) -> list[list[Choice]]:
    if _is_word(phrase):
        return [[(phrase.lower(),)]]
    return [[_choice(choice) for choice in part.split("|")] for part in phrase.split()]


def _is_word(phrase: str) -> bool:
    """True if a phrase is a single word as it stands, which most are: nothing in it is to be checked."""
    return phrase.isascii() and phrase.isalnum()


@lru_cache(MAX_KNOWN_CHOICES)
def _choice(choice: str) -> Choice:
    """The folded words of one choice in a phrase."""
    bare = choice.strip("*")
    folded = phrase_tokens(bare) if bare else []
    if "*" in bare or choice.startswith("**") or (choice != "*" and not folded):
        raise BadPhrase(f'"{choice}" is no word; use word, prefix*, *suffix, *, # or a|b')
    if sign := _UNREAD.search(choice):
        raise BadPhrase(
            f'"{choice}": queries are read without "{sign[0]}", and a phrase is no regular '
            "expression; use word, prefix*, *suffix, *, # or a|b"
        )
    if any("#" in word and with_number_signs(word.replace("#", "0")) != word for word in folded):
        raise BadPhrase(f'"{choice}": # stands for a whole number, and no digit stands beside it')
    if "*" in choice and bare:
        if choice.startswith("*") and choice.endswith("*"):
            raise BadPhrase(f'"{choice}" has two wildcards; use prefix* or *suffix')
        if len(folded) != 1:
            raise BadPhrase(f'"{choice}" is more than one word; a wildcard belongs to a single one')
        folded = [fold_text(bare) + "*" if choice.endswith("*") else "*" + fold_text(bare)]
    return tuple(folded) or ("*",)


def _below(node: Node, words: Choice) -> Node:
    """The node behind some words of a phrase."""
    for word in words:
        node = node.child(word)
    return node


class Phrases:
    """The phrases of several lexicons, each lexicon known by its bit."""

    def __init__(self, lexicons: Mapping[int, Iterable[str]]) -> None:
        self._root = Node()
        self.known: dict[str, tuple[int, tuple[Node, ...]]] = {}
        for bit, phrases in lexicons.items():
            for phrase in phrases:
                nodes = [self._root]
                for choices in checked_alternatives(phrase):
                    nodes = [_below(node, words) for node in nodes for words in choices]
                for node in nodes:
                    node.bits |= bit

    def read(self, word: str) -> tuple[int, tuple[Node, ...]]:
        """The lexicons that hold this single word, and the nodes from which longer phrases go on."""
        entry = self.known.get(word)
        if entry is None:
            nodes = self._root.next(word)
            bits = 0
            for node in nodes:
                bits |= node.bits
            entry = bits, tuple(node for node in nodes if node.longer)
            if len(self.known) >= MAX_KNOWN_WORDS:
                self.known.clear()
            self.known[word] = entry
        return entry

    def begins(self, word: str) -> bool:
        """True if a phrase begins with this word, as it stands, by its beginning or by its numbers.

        That a word merely ends like one (`*are`) does not make it known.
        """
        root = self._root
        if word in root.exact or with_number_signs(word) in root.exact:
            return True
        return any(word[:n] in root.prefixes for n in range(1, len(word) + 1))

    def longest(self, words: Sequence[str], at: int, bits: int = -1) -> int:
        """The number of words of the longest phrase of these lexicons at the word `at`; 0 for none."""
        found, length = self.read(words[at])
        best = 1 if found & bits else 0
        stack = [(node, at + 1) for node in length]
        while stack:
            node, n = stack.pop()
            if n < len(words):
                for child in node.next(words[n]):
                    if child.bits & bits:
                        best = max(best, n + 1 - at)
                    if child.longer:
                        stack.append((child, n + 1))
        return best

    def spell(self, words: Sequence[str], bit: int) -> str:
        """The words of a query that are in a lexicon, for a person to read."""
        found, n = [], 0
        while n < len(words):
            length = self.longest(words, n, bit)
            if length:
                found.append(" ".join(words[n : n + length]))
            n += length or 1
        return ", ".join(found)
