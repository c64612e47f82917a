"""A search is read in the language that it is in, whatever the browser says."""

import pytest

from streams.core.moments.recognition import Recogniser
from tests.core.moments.examples import SHIPPED, classifier, event

WORDS = {
    "en": ({"the", "in", "come"}, {"sell", "hotel"}),
    "it": ({"il", "in", "come"}, {"hotel", "offerta", "sconto"}),
    "es": ({"el", "en", "como"}, {"regalo", "hotel", "oferta"}),
}
RULES = """
    read = {query = ["properties.q"], locale = ["context.locale"]}
    [[query]]
    name = "sell"
    moment = "buy"
    confidence = 0.8
    any = ["sell"]
    [[query]]
    name = "look"
    moment = "know"
    confidence = 0.8
    any = ["look"]
    [[query]]
    name = "rest"
    moment = "know"
    confidence = 0.3
    otherwise = true
    [lexicon.en]
    function-words = ["the", "with"]
    sell = ["sell"]
    look = ["bar"]
    [lexicon.it]
    function-words = ["il", "con"]
    sell = ["bar", "vendere"]
    look = []
"""


@pytest.mark.parametrize(
    ("text", "hinted", "expected"),
    [
        ("hotel", "", "en it es"),
        ("hotel", "es", "es en it"),
        ("hotel", "fr", "en it es"),
        ("il hotel", "", "it"),
        ("il hotel", "en", "it"),
        ("il come in hotel", "en", "it"),
        ("in hotel", "es", "en it"),
        ("in come hotel", "it", "it en"),
        ("oferta hotel", "", "es"),
        ("oferta hotel", "en", "es"),
        ("vendere hotel", "", "en it es"),
        ("sconto regalo", "en", "it es"),
        ("sconto regalo", "es", "es it"),
        ("oferta il", "es", "it es"),
        ("zzz", "", "en it es"),
    ],
)
def test_order(text: str, hinted: str, expected: str) -> None:
    """The language with the most function words comes first, then that of the most known words.

    The hint decides only between languages that have as many of both. One that knows fewer of the words than
    the first is left out.
    """
    assert tuple(expected.split()) == Recogniser(WORDS).order(text.split(), hinted)


@pytest.mark.parametrize(
    ("text", "locale", "read"),
    [
        ("bar", "en", ("look", "en")),
        ("bar", "it", ("sell", "it")),
        ("bar", None, ("look", "en")),
        ("bar", "fr-FR", ("look", "en")),
        ("il bar", "en-GB", ("sell", "it")),
        ("the bar", "it_IT", ("look", "en")),
        ("vendere", "EN-us", ("sell", "it")),
        ("vendere", "fr", ("sell", "it")),
        ("sell with", "it", ("sell", "en")),
        ("zzz", "it", ("rest", "")),
    ],
)
def test_languages(text: str, locale: str | None, read: tuple[str, str]) -> None:
    """A search is read in the language of its function words, or the hinted one, then in the others.

    A hint of a language that the rules do not have is none.
    """
    rules = classifier(RULES)
    explained = rules.query(text, locale)
    assert read == (explained.rule, explained.language)
    found = rules.explain(event("x", properties={"q": text}, context={"locale": locale or ""}))
    assert read == (found.rule, found.language)


@pytest.mark.parametrize("locale", ["en-US", "es", "it", "de", None])
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("come si monta una mensola", "do"),
        ("prezzo della lavatrice", "buy"),
        ("farmacia di turno", "go"),
        ("qual è il miglior frigorifero", "know"),
        ("dónde está mi pedido", "truth"),
        ("cómo arreglar una bicicleta", "do"),
        ("comprar zapatos", "buy"),
        ("how to fix a bike", "do"),
        ("the best laptop", "know"),
        ("where is my order", "truth"),
    ],
)
def test_another_browser_loses_nothing(text: str, moment: str, locale: str | None) -> None:
    """A text in one of the shipped languages means the same in a browser of any language."""
    assert moment == SHIPPED.query(text, locale).moment
