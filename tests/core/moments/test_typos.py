"""A word with one slip of a finger is read as what was meant: a long one always, a short one where nothing
else answers.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.moments.query import MIN_CLEAR_TYPO_CHARS, QueryMatcher
from streams.core.moments.typos import KnownWords
from streams.core.moments.words import tokens
from tests.core.moments.examples import DEFAULT, classifier

RULES = """
    read = {query = ["properties.q"]}
    [[query]]
    name = "buy"
    moment = "buy"
    confidence = 0.8
    any = ["buy"]
    [[query]]
    name = "go"
    moment = "go"
    confidence = 0.8
    any = ["go"]
    [lexicon.en]
    function-words = ["the"]
    plain-words = ["plain", "stoup"]
    buy = ["offer|offers", "market place", "stamp|stamps"]
    go = ["pharmacy|pharmacies", "marked route", "stomp", "open"]
    [lexicon.it]
    function-words = ["il"]
    plain-words = []
    buy = ["offerta", "porta*"]
    go = ["negozio"]
"""


@pytest.mark.parametrize(
    ("text", "locale", "rule", "mended"),
    [
        ("pharmcy", "en", "go", ("pharmcy", "pharmacy")),
        ("pharrmacy", "en", "go", ("pharrmacy", "pharmacy")),
        ("phaxmacy", "en", "go", ("phaxmacy", "pharmacy")),
        ("phramacy", "en", "go", ("phramacy", "pharmacy")),
        ("the PHÁRMCY", "en", "go", ("pharmcy", "pharmacy")),
        ("phrmcy", "en", None, None),
        ("phramcay", "en", None, None),
        ("opxn", "en", None, None),
        ("openn", "en", None, None),
        ("markeet place", "en", "buy", ("markeet", "market")),
        ("markep place", "en", None, None),
        ("stxmp", "en", None, None),
        ("offerz", "en", "buy", ("offerz", "offer")),
        ("ofefrta", "it", "buy", ("ofefrta", "offerta")),
        ("ofefrta", None, "buy", ("ofefrta", "offerta")),
        ("ofefrta", "en", None, None),
        ("il ofefrta", "en", "buy", ("ofefrta", "offerta")),
        ("negozzio pharmcy", None, "go", ("negozzio", "negozio")),
        ("offerz pharmcy", "en", "go", ("pharmcy", "pharmacy")),
        ("markeet place pharmcy", "en", None, None),
        ("stampy offersy", "en", "buy", ("stampy", "stamp")),
        ("plain pharmcy", "en", "go", ("pharmcy", "pharmacy")),
        ("stoup", "en", None, None),
        ("stoup stampy", "en", "buy", ("stampy", "stamp")),
        ("xtamp", "en", None, None),
        ("offer pharmcy", "en", "buy", ("pharmcy", "pharmacy")),
        ("open markeet place", "en", "buy", ("markeet", "market")),
        ("open marketp lace", "en", "go", None),
        ("offer pharmacx", "en", "buy", None),
        ("offer pharmayc", "en", "buy", ("pharmayc", "pharmacy")),
        ("offer stoomp", "en", "buy", None),
        ("portare", "it", "buy", None),
        ("offerta", "en", "buy", None),
    ],
)
def test_typos(text: str, locale: str | None, rule: str | None, mended: tuple[str, str] | None) -> None:
    """One letter may be missing, too many, another one, or change places, in words of five letters and more.

    The first letter is right. What was meant must leave no choice, and be a word of the text's language; of
    several such words all must lead to one rule. Plain words are none. In a text that has an answer, in
    whatever language, only words of seven letters and more are mended, and only to one of the same ending or
    of the same letters.
    """
    explained = classifier(RULES).query(text, locale)
    assert (rule, mended) == (explained.rule, explained.mended)


LETTERS = "abcde"
WORDS = st.text(LETTERS, min_size=4, max_size=7)


def _edits(word: str) -> set[str]:
    """All texts that are one edit away from a word, by brute force."""
    cuts = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + c + b[1:] for a, b in cuts if b for c in LETTERS),
        *(a + c + b for a, b in cuts for c in LETTERS),
    } - {word}


@given(st.lists(WORDS, max_size=30), WORDS)
def test_meant_words_are_one_edit_away(known: list[str], typed: str) -> None:
    """What a word can mean: known words of five letters and more, one edit away, with its first letter."""
    expected = (
        sorted(_edits(typed) & {word for word in known if len(word) >= 5 and word[0] == typed[0]})
        if len(typed) >= 5
        else []
    )
    assert expected == KnownWords(known).meant(typed)


QUERIES = st.lists(
    st.sampled_from(
        sorted(
            {
                word
                for lexicon in DEFAULT.content.lexicons
                for phrase in lexicon.phrases[:20]
                for word in tokens(phrase)
            }
        )
    ),
    min_size=1,
    max_size=5,
)
MATCHER = QueryMatcher(DEFAULT.content.queries, DEFAULT.content.languages, DEFAULT.content.read.polite)
SLIPS = st.tuples(st.integers(0, 4), st.integers(0, 9), st.sampled_from("aeiorstz"))


def _slipped(words: list[str], slip: tuple[int, int, str]) -> str:
    n, at, letter = slip
    word = words[n % len(words)]
    return " ".join(
        [*words[: n % len(words)], word[:at] + letter + word[at + 1 :], *words[n % len(words) + 1 :]]
    )


@given(QUERIES, SLIPS, st.sampled_from(["en", "it", "es", ""]))
def test_an_answer_stays(words: list[str], slip: tuple[int, int, str], locale: str) -> None:
    """A query that is not mended is read as it stands, and one that has an answer is mended in a long word
    only. What is mended is read like a text that was typed so.
    """
    typed = tokens(_slipped(words, slip))
    if not typed:
        return
    stands, mended = MATCHER.read(typed, locale), MATCHER.reading(" ".join(typed), locale)
    assert mended is not None
    if mended.mended is None:
        assert stands == mended or (stands is None and not mended.language)
    else:
        assert stands is None or len(mended.mended[0]) >= MIN_CLEAR_TYPO_CHARS
        assert mended.mended[1] in mended.words
        assert MATCHER.why(mended)
