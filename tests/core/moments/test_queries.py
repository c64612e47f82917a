"""Search queries are read in their language and in a fixed order of rules, and are never a purchase."""

import pytest

from streams.core.moments.fields import MAX_QUERY_CHARS
from streams.core.moments.verdict import TRUTH
from tests.core.moments.examples import SHIPPED, classifier, event

ASSISTANT = classifier('extends = "default"\nprofiles = ["assistant"]')
WORDS = """
    read = {query = ["properties.q"], polite = ["polite"]}
    [[query]]
    name = "vendor"
    moment = "buy"
    confidence = 0.8
    any = ["vendor near !no", "=vendor", "^sell"]
    [[query]]
    name = "rest"
    moment = "know"
    confidence = 0.3
    otherwise = true
    [lexicon.en]
    polite = ["please", "could you", "could you tell"]
    vendor = ["car dealer*", "*seller", "shop|store"]
    near = ["near|by * station", "nearby"]
    no = ["not"]
    sell = ["sell"]
"""


@pytest.mark.parametrize(
    ("query", "moment"),
    [
        ("meglio dolce o salato", "know"),
        ("auto più economica", "know"),
        ("ristorante italiano a Milano centro", "go"),
        ("Offerte auto di seconda mano", "go"),
        ("come arrivare al ristorante", "do"),
        ("come scegliere l'auto giusta", "do"),
        ("pagare con carta di credito al ristorante", "buy"),
        ("Concessionaria Honda vicino", "buy"),
    ],
)
@pytest.mark.parametrize("locale", ["it-IT", "it", "", None, "fr-FR"])
def test_the_eight_examples(query: str, moment: str, locale: str | None) -> None:
    """The examples that define the moments come out right, with their locale and without."""
    explained = SHIPPED.query(query, locale)
    assert moment == explained.moment
    assert explained.confidence > 0.4


@pytest.mark.parametrize(
    ("locale", "query", "moment"),
    [
        ("en", "could you please tell me how to fix a bike", "do"),
        ("en", "buy running shoes", "buy"),
        ("en", "I'd like to book a table for four", "buy"),
        ("en", "coupon for headphones", "buy"),
        ("en", "honda dealer near me", "buy"),
        ("en", "pharmacy open now", "go"),
        ("en", "best laptop", "know"),
        ("en", "what is a heat pump", "know"),
        ("en", "where is my order", "truth"),
        ("en", "return policy", "truth"),
        ("en", "log in", "none"),
        ("en", "www.shop.example.com", "none"),
        ("en", "hello", "none"),
        ("en", "red shoes", "buy"),
        ("en", "iphone 15 128gb", "buy"),
        ("en", "plumber leeds", "go"),
        ("en", "flu symptoms", "know"),
        ("en", "oled or qled", "know"),
        ("en", "boiler not working", "do"),
        ("en", "pay in 3 instalments", "buy"),
        ("it", "vorrei comprare una bici", "buy"),
        ("it", "prenotami un tavolo per due", "buy"),
        ("it", "farmacia di turno", "go"),
        ("it", "come si monta una mensola", "do"),
        ("it", "come si chiama", "know"),
        ("it", "rimborso ordine", "truth"),
        ("it", "accedi", "none"),
        ("it", "ciao", "none"),
        ("it", "scarpe rosse 38", "buy"),
        ("it", "idraulico bologna", "go"),
        ("it", "conviene il fotovoltaico", "know"),
        ("it", "voltura luce", "do"),
        ("it", "preventivo trasloco", "buy"),
        ("es", "muéstrame restaurantes cerca de mí", "go"),
        ("es", "comprar zapatos", "buy"),
        ("es", "cómo llegar", "do"),
        ("es", "qué es el gluten", "know"),
        ("es", "dónde está mi pedido", "truth"),
        ("es", "iniciar sesión", "none"),
        ("es", "heladera no frost 364 litros", "buy"),
        ("es", "plomero monterrey", "go"),
        ("es", "requisitos para una hipoteca", "know"),
        ("es", "cambio de titular luz", "do"),
        ("es", "12 cuotas sin interés", "buy"),
    ],
)
def test_queries(locale: str, query: str, moment: str) -> None:
    """Ordinary queries have their moment, with polite words in front or without.

    A text that is no search is no signal.
    """
    explained = SHIPPED.query(query, locale)
    assert moment == explained.moment
    assert (moment == "none") == (explained.verdict is None)


@pytest.mark.parametrize(
    ("locale", "query"),
    [
        ("en", "any new emails"),
        ("en", "joke"),
        ("it", "barzelletta"),
        ("it", "hai una playlist"),
        ("es", "chiste"),
    ],
)
def test_an_assistant_is_a_profile(locale: str, query: str) -> None:
    """Small talk is no signal where the profile is on. A site's search has hardly any: there it is unread,
    which moves nobody.
    """
    assert "none" == ASSISTANT.query(query, locale).moment
    assert "query.otherwise" == SHIPPED.query(query, locale).rule


@pytest.mark.parametrize(
    ("locale", "query"),
    [
        ("en", "play music"),
        ("en", "set an alarm for 7 am"),
        ("en", "please remind me to buy milk"),
        ("en", "turn off the oven"),
        ("en", "add batteries to my shopping list"),
        ("it", "imposta una sveglia"),
        ("it", "ricordami di comprare il latte"),
        ("it", "abbassa il volume"),
        ("es", "pon música"),
        ("es", "recuérdame comprar leche"),
        ("es", "apaga el horno"),
    ],
)
def test_a_command_to_a_device_moves_nobody(locale: str, query: str) -> None:
    """It is no search, whatever it names and in whatever browser."""
    for browser in (locale, "", "en"):
        assert "query.command" == SHIPPED.query(query, browser).rule


@pytest.mark.parametrize(
    ("locale", "kind", "exact"),
    [
        ("en", "corner sofa", "corner sofa grey"),
        ("en", "folding camping chairs", "folding camping chairs set of 2"),
        ("en", "kids hiking boots", "kids hiking boots size 6"),
        ("it", "piumini donna", "piumini donna neri"),
        ("it", "forni da incasso", "forni da incasso bosch"),
        ("es", "sillón esquinero", "sillón esquinero gris"),
        ("es", "vestidos de fiesta", "vestidos de fiesta talla 38"),
    ],
)
def test_a_kind_is_no_exact_product(locale: str, kind: str, exact: str) -> None:
    """However closely a kind is named, only a brand, model, size, colour or capacity makes it exact."""
    assert "query.otherwise" == SHIPPED.query(kind, locale).rule
    assert "query.product" == SHIPPED.query(exact, locale).rule


@pytest.mark.parametrize(
    ("locale", "query", "mended", "moment"),
    [
        ("en", "reviwes of the dyson v15", "reviews", "know"),
        ("it", "prentoare traghetto sardegna", "prenotare", "buy"),
        ("it", "recensoini roborock s8", "recensioni", "know"),
        ("es", "devolcer zapatillas sin ticket", "devolver", "truth"),
    ],
)
def test_a_typo_beside_a_product(locale: str, query: str, mended: str, moment: str) -> None:
    """The word that decides is mended, though another word of the search has an answer."""
    explained = SHIPPED.query(query, locale)
    assert explained.mended is not None
    assert (mended, moment) == (explained.mended[1], explained.moment)


@pytest.mark.parametrize("name", ["Sarah O'Connor", "niamh o\u2019sullivan", "O'Neill"])
def test_a_name_is_no_choice(name: str) -> None:
    """The o of O'Connor is not the Italian or Spanish word for "or"."""
    assert "query.otherwise" == SHIPPED.query(name, "it").rule


@pytest.mark.parametrize(
    "query",
    [
        "desk lamp",
        "alarm clock",
        "car radio",
        "play mat",
        "phone case",
        "dog food",
        "coffee cups",
        "walking shoes",
        "ring",
        "set of plates",
        "ring light",
        "mirrors",
        "generators",
        "text books",
    ],
)
def test_things_are_not_commands(query: str) -> None:
    """The name of a thing is no command to a device, no recipe and no place.

    Only the last resort reads it.
    """
    assert "query.otherwise" == SHIPPED.query(query, "en").rule


@pytest.mark.parametrize(
    ("query", "rule", "matched"),
    [
        ("car dealers near the station", "vendor", "en: vendor: car dealers; near: near the station"),
        ("nearby bookseller", "vendor", "en: vendor: bookseller; near: nearby"),
        ("nearby bookseller, not open", "rest", None),
        ("Could you tell, please: shop", "vendor", "en: vendor: shop"),
        ("STÖRE", "vendor", "en: vendor: store"),
        ("shop floor", "rest", None),
        ("please sell", "vendor", "en: sell: sell"),
        ("we sell", "rest", None),
        ("please", "rest", None),
        ("car", "rest", None),
        ("near station dealer car", "rest", None),
    ],
)
def test_clauses(query: str, rule: str, matched: str | None) -> None:
    """Clauses ask for words anywhere, at the beginning, as the whole query, or nowhere.

    Lexicons have phrases, prefixes, suffixes, any word and alternatives; polite words are taken off.
    """
    explained = classifier(WORDS).query(query, "en")
    assert rule == explained.rule
    assert matched is None or matched == explained.matched


NUMBERS = """
    read = {query = ["properties.q"]}
    [[query]]
    name = "size"
    moment = "buy"
    confidence = 0.8
    any = ["size"]
    [lexicon.en]
    size = ["#gb", "size #", "size #x#", "a#*"]
"""


@pytest.mark.parametrize(
    ("query", "is_read"),
    [
        ("iphone 128gb", True),
        ("128 gb", False),
        ("gb", False),
        ("1.5gb", True),
        ("1,5gb", True),
        ("128gbit", False),
        ("shoes size 42", True),
        ("shoes size 42.5", True),
        ("shoes size", False),
        ("size large", False),
        ("size 42x30", True),
        ("size 42x", False),
        ("a4", True),
        ("a40plus", True),
        ("a", False),
    ],
)
def test_numbers(query: str, is_read: bool) -> None:
    """`#` stands for a number, alone or as a part of a word, beside wildcards, too."""
    assert is_read == (classifier(NUMBERS).query(query, "en").rule is not None)


def test_no_query_is_no_signal() -> None:
    """A text without a word is not read, not even by the last resort."""
    assert [None] * 3 == [classifier(WORDS).query(text, "en").rule for text in ("", " ", "?!…")]


def test_a_truth_in_a_query_is_never_sure() -> None:
    """A query does not buy, however sure the rule is."""
    verdict = SHIPPED(
        event("Products Searched", properties={"query": "where is my order"}, context={"locale": "en"})
    )
    assert verdict is not None
    assert (TRUTH, False) == (verdict.intent, verdict.sure)


def test_only_the_beginning_is_read() -> None:
    """The part of a pasted text behind the bound does not count."""
    assert "query.otherwise" == SHIPPED.query("x" * MAX_QUERY_CHARS + " buy shoes", "en").rule


@pytest.mark.parametrize(
    ("properties", "context", "rule"),
    [
        ({"query": "buy shoes"}, {}, "query.buy"),
        ({"search_term": "buy shoes"}, {}, "query.buy"),
        ({}, {"page": {"search": "?utm_source=x&q=buy+sho%65s"}}, "query.buy"),
        ({"url": "https://x.example/s?query=buy%20shoes#top"}, {}, "query.buy"),
        ({"url": "https://x.example/?qq=buy"}, {}, None),
        ({"query": ["buy shoes"]}, {}, None),
    ],
)
def test_where_the_text_sits(
    properties: dict[str, object], context: dict[str, object], rule: str | None
) -> None:
    """Properties come first, then parameters of addresses; a value that is no text is skipped."""
    assert rule == SHIPPED.explain(event("", "page", properties, context)).rule
