"""Each lexicon of a site's search has as much to say in each of the three languages."""

import pytest

from streams.core.moments.language import terms
from streams.core.moments.parse import parse
from streams.core.moments.phrases import expand_phrase
from streams.core.moments.rules import shipped_text
from streams.core.moments.spec import FUNCTION_WORDS
from tests.moments_data import LANGUAGES

WHOLE = parse(shipped_text()).rules
# Of one meaning one language has more phrases than another, since its words are inflected; not four times.
MOST_TIMES = 4
FEW = 12  # phrases: below this a factor says nothing
# They follow the grammar of their language: English has no infinitive that begins a search.
GRAMMAR = {"infinitive", "no-infinitive"}


def search_lexicons() -> list[str]:
    """The names of the lexicons that rules without a profile use."""
    used = {
        name for rule in WHOLE.queries if not rule.profile for clause in rule.any for name in terms(clause)
    }
    return sorted(used | {*WHOLE.read.polite, FUNCTION_WORDS})


def sizes(name: str) -> dict[str, int]:
    """How many phrases a lexicon stands for, by language."""
    return {
        lexicon.language: sum(len(expand_phrase(phrase)) for phrase in lexicon.phrases)
        for lexicon in WHOLE.lexicons
        if lexicon.name == name
    }


@pytest.mark.parametrize("name", sorted({lexicon.name for lexicon in WHOLE.lexicons}))
def test_every_language_has_every_lexicon(name: str) -> None:
    """No lexicon is forgotten in a language, not even one that is empty there."""
    assert set(LANGUAGES) == set(sizes(name))


@pytest.mark.parametrize("name", search_lexicons())
def test_sizes_are_alike(name: str) -> None:
    """A lexicon of a site's search has about as many phrases in each language."""
    by_language = sizes(name)
    assert min(by_language.values()) > 0
    if name not in GRAMMAR and max(by_language.values()) > FEW:
        assert max(by_language.values()) <= MOST_TIMES * min(by_language.values()), by_language


@pytest.mark.parametrize("name", ["brand", "model", "first-name"])
def test_names_of_the_world_are_in_all_languages(name: str) -> None:
    """Brands, models and first names are the same everywhere, so what English has the others have too."""
    phrases = {each.language: set(each.phrases) for each in WHOLE.lexicons if each.name == name}
    assert phrases["en"] <= phrases["it"] & phrases["es"]


def test_no_lexicon_says_a_thing_twice() -> None:
    """A line of a lexicon stands there once."""
    for lexicon in WHOLE.lexicons:
        assert len(lexicon.phrases) == len(set(lexicon.phrases)), (lexicon.language, lexicon.name)
