"""Names that no rule has are guessed by their words, in any spelling, and no guess sells anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.event import Event
from streams.core.moments.classifier import Classifier
from streams.core.moments.grammar import MAX_GUESSED_NAMES, Grammar
from streams.core.moments.name_words import NameWords, plain_words
from streams.core.moments.verdict import READ_INSTEAD, REFUND, TRUTH
from streams.core.processing.signals import Signals
from streams.runtime.parameters import parameters_of
from streams.settings.fold import FoldSettings
from tests.core.moments.examples import DEFAULT, SHIPPED, classifier, event
from tests.moments_data import event_of, read_rows

ORDER = {"order_id": "A-1001"}
LEAST_RIGHT, MOST_WRONG = 0.95, 0.01  # shares of the names of one split
VOCABULARY = DEFAULT.content.vocabulary
GRAMMAR = Grammar(DEFAULT.content.grammar, VOCABULARY, DEFAULT.content.read.noise)
SIGNALS = Signals(parameters_of(FoldSettings()), DEFAULT, 0)
WORDS = sorted({word for words in VOCABULARY for word in words.phrases if word.isalpha()})

spelled = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5)
names = st.one_of(
    st.text(max_size=40),
    st.tuples(spelled, st.sampled_from(["_", " ", "-", ".", "", ":"])).map(
        lambda each: each[1].join(each[0])
    ),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("split", ["tune", "held"])
def test_labelled_names(split: str) -> None:
    """Nearly all names mean what they should, few mean something else, and no name is a false purchase,
    even where the event names an order.
    """
    right, wrong, false_truths = 0, [], []
    found = [row for row in read_rows("names") if row.split == split]
    assert len(found) > 250
    for row in found:
        moment = SHIPPED.explain(event_of("names", row)).moment
        right += moment in row.moments
        if moment not in (*row.moments, "none"):
            wrong.append((row.text, moment))
        ordered = SHIPPED.explain(event(row.text, properties=ORDER)).moment
        if ordered == "truth" and "truth" not in row.moments:
            false_truths.append(row.text)
    assert [] == false_truths
    assert LEAST_RIGHT * len(found) <= right
    assert MOST_WRONG * len(found) >= len(wrong), wrong


@given(
    names, st.one_of(st.just({}), st.dictionaries(st.sampled_from(["order_id", "orderId", "x"]), json_values))
)
def test_no_guess_sells_without_an_order(name: str, properties: dict[str, Any]) -> None:
    """By the words of a name there is a purchase or a refund only where the signal has an order's id."""
    each = event(name, properties=properties)
    verdict = SHIPPED(each)
    if (
        SHIPPED.explain(each).evidence == "words"
        and verdict is not None
        and verdict.intent in (TRUTH, REFUND)
    ):
        facts = SIGNALS.signal(each, verdict).facts
        assert facts is not None
        assert facts.order is not None


@given(spelled)
def test_spelling_makes_no_difference(words: list[str]) -> None:
    """Case, spaces, underscores, dashes, dots and capitals part the same words."""
    spellings = {
        "_".join(words),
        "_".join(words).upper(),
        " ".join(words),
        " ".join(words).title(),
        "-".join(words),
        ".".join(words),
        "".join(word.capitalize() for word in words),
        words[0] + "".join(word.capitalize() for word in words[1:]),
    }
    guesses = {GRAMMAR.find(name) for name in spellings}
    assert 1 == len(guesses), (spellings, guesses)


@given(names)
def test_every_name_has_an_answer(name: str) -> None:
    """No name is an error, `explain` agrees, and what read it is named."""
    each = event(name)
    verdict = SHIPPED(each)
    assert verdict == SHIPPED.explain(each).verdict
    assert SHIPPED.read_instead(each, verdict) in (None, *READ_INSTEAD)


@pytest.mark.parametrize(
    "rule", [rule for rule in DEFAULT.content.events if rule.names], ids=lambda rule: rule.name
)
def test_rules_with_a_name_win(rule: Any) -> None:
    """What an event rule names is never guessed, and no rule names it instead."""
    for name in rule.names:
        assert SHIPPED.explain(event(name, rule.types[0], ORDER)).evidence != "words"
        assert SHIPPED.read_instead(event(name), SHIPPED(event(name))) is None


@pytest.mark.parametrize(
    "name",
    [
        "order_failed", "payment_declined", "email_sent", "order_shipped", "cart_abandoned_email",
        "order_viewed", "purchase_received", "payment_received", "order_confirmation_email_sent",
        "checkout_abandoned", "order_pending",
        "transaction_rejected", "purchase_error", "booking_failed", "Order Status Checked",
        "ordine_spedito", "pagamento_rifiutato", "carrello_abbandonato", "pedido_enviado", "pago_rechazado",
        "order_history_viewed", "order_form_started", "checkout_step_completed", "payment_method_confirmed",
        "order_completion_survey_sent", "loan_application_approved_email", "purchase_button_clicked",
    ],
)  # fmt: skip
def test_what_is_no_purchase(name: str) -> None:
    """What failed, was sent, received, viewed or abandoned is no purchase, and no sure buy if it failed."""
    verdict = SHIPPED(event(name, properties=ORDER))
    assert verdict is None or verdict.intent != TRUTH
    negative = ("failed", "declined", "rejected", "error", "pending", "rifiutato", "rechazado", "abandon")
    assert verdict is None or not verdict.sure or not any(word in name for word in negative)


@pytest.mark.parametrize(
    ("name", "without", "with_order"),
    [
        ("my_shop_order_paid", ("buy", False), ("truth", True)),
        ("reservationConfirmed", ("buy", False), ("truth", True)),
        ("pago_exitoso", ("buy", False), ("truth", True)),
        ("Pagamento riuscito", ("buy", False), ("truth", True)),
        ("booking_was_cancelled", ("none", False), ("refund", True)),
    ],
)
def test_a_guess_needs_an_order(name: str, without: tuple[str, bool], with_order: tuple[str, bool]) -> None:
    """Without one what looks like a purchase is an unsure buy, and what looks like a refund is nothing."""
    for properties, expected in ({}, without), (ORDER, with_order), ({"order_id": "undefined"}, without):
        explained = SHIPPED.explain(event(name, properties=properties))
        sure = explained.verdict is not None and explained.verdict.sure
        assert expected == (explained.moment, sure), (name, properties)


def test_an_order_in_the_path_of_the_page_is_one() -> None:
    """As it is for truths by name."""
    page = {"page": {"path": "/checkout/order-received/4711"}}
    assert "truth" == SHIPPED.explain(event("my_payment_completed", context=page)).moment
    assert "buy" == SHIPPED.explain(event("my_payment_completed")).moment


@pytest.mark.parametrize("kind", ["page", "screen", "identify"])
def test_names_of_pages_are_paths(kind: str) -> None:
    """Only the name of a track call is read by its words."""
    each = event("Added something to my basket", kind)
    assert SHIPPED.explain(each).evidence != "words"
    assert SHIPPED.read_instead(each, SHIPPED(each)) is None


def test_a_search_by_words_yields_to_its_text() -> None:
    """As a search by name does."""
    asked = event("flight_searched", properties={"query": "how to pack a suitcase"})
    assert ("do", "query") == (SHIPPED.explain(asked).moment, SHIPPED.explain(asked).evidence)
    assert ("know", "words") == (
        SHIPPED.explain(event("flight_searched")).moment, SHIPPED.explain(event("flight_searched")).evidence
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Order Completed", None),
        ("Payment Failed", None),
        ("shop_order_paid", "unnumbered_purchase"),
        ("blender_added_to_basket", "words"),
        ("email_was_opened", "words"),
        ("qwertz", "nothing"),
        ("", None),
    ],
)
def test_what_reads_an_unknown_name(name: str, instead: str | None) -> None:
    """It is said of track calls whose name neither an event rule nor a cue rule has."""
    each = event(name)
    assert instead == SHIPPED.read_instead(each, SHIPPED(each))


def test_searches_and_pages_read_unknown_names() -> None:
    """Where the words say nothing, the search and the page do."""
    asked = event("qwertz", properties={"query": "how to descale a coffee machine"})
    assert "search" == SHIPPED.read_instead(asked, SHIPPED(asked))
    seen = event("qwertz", context={"page": {"path": "/cart"}})
    assert "page" == SHIPPED.read_instead(seen, SHIPPED(seen))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AddToCart", ["Add", "To", "Cart"]),
        ("ADD_TO_CART", ["ADD", "TO", "CART"]),
        ("[Amplitude] Page Viewed", ["Amplitude", "Page", "Viewed"]),
        ("shop.cart:add/2now", ["shop", "cart", "add", "now"]),
        ("PDPView42Änderung", ["PDP", "View", "Anderung"]),
        ("", []),
        ("4711", []),
        ("POST /cart/add", []),
        ("https://shop.example/cart", []),
        ("cart/add", ["cart", "add"]),
    ],
)
def test_words_of_a_name(name: str, words: list[str]) -> None:
    """Signs, digits and capitals part them."""
    assert [word.lower() for word in words] == plain_words(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("addtocart", ["add", "cart"]),
        ("checkOutStart", ["checkout", "start"]),
        ("check_out", ["checkout"]),
        ("carton", ["carton"]),
        ("cartadd", ["cart", "add"]),
        ("cartadder", ["cartadder"]),
        ("the_cart", ["cart"]),
        ("addstart" * 10, ["addstart" * 10]),
    ],
)
def test_glued_words(name: str, words: list[str]) -> None:
    """A word is taken apart where only known words are in it, and put together where it is known."""
    assert words == NameWords({"add", "cart", "checkout", "start"}, {"to", "on", "the"}).split(name)


def test_more_names_than_are_remembered() -> None:
    """The answers stay what they were."""
    fresh = Classifier(DEFAULT)
    before = fresh.explain(event("blender_added_to_basket"))
    for n in range(MAX_GUESSED_NAMES + 10):
        fresh(event(f"blender {n} added"))
    assert before == fresh.explain(event("blender_added_to_basket"))


def test_each_vocabulary_is_in_all_three_languages() -> None:
    """A word that is missing in one language is an event that is missed there."""
    by_language: dict[str, set[str]] = {}
    for words in VOCABULARY:
        by_language.setdefault(words.language, set()).add(words.name)
    assert {"en", "it", "es"} == set(by_language)
    assert by_language["en"] == by_language["it"] == by_language["es"]


def test_rules_of_ones_own_come_first() -> None:
    """They add words to shipped vocabularies, and win against shipped rules."""
    own = classifier(
        'extends = "default"\noff = ["words.cart", "words.cart-added"]\n'
        '[[grammar]]\nname = "rent"\nmoment = "do"\n'
        'confidence = 0.6\nany = ["cart borrowed"]\n'
        '[vocabulary.en]\nborrowed = ["borrow"]\ncart = ["satchel"]\n'
    )
    assert "rent" == own.explain(event("satchel_borrow")).rule
    assert None is own.explain(event("basket_added")).rule
    assert "cart: satchel; borrowed: borrow" == own.explain(event("satchel_borrow")).matched


def test_a_file_that_stands_alone() -> None:
    """It has its own words, in any language."""
    alone = classifier(
        'read = {noise = ["noise"], order = ["properties.ref"]}\n[[grammar]]\nname = "sold"\n'
        'moment = "truth"\nconfidence = 0.8\norder = true\nany = ["sold"]\n'
        '[vocabulary.de]\nsold = ["verkauft"]\nnoise = ["der"]\n'
    )
    assert alone(event("auto_verkauft")) is None
    assert "truth" == alone.explain(event("auto_verkauft", properties={"ref": 17})).moment


@pytest.mark.parametrize("value", [["", {}], True, 1.5, {}, [], " ", "undefined", 0, 10**20, None], ids=repr)
def test_what_is_no_order(value: Any) -> None:
    """A placeholder, or what is neither text nor a whole number, is no order's id."""
    each = event("my_shop_order_paid", properties={"order_id": value})
    assert "buy" == SHIPPED.explain(each).moment


def test_ids_in_names_are_no_words() -> None:
    """They are left out, so the same event with another id is read alike."""
    found = {SHIPPED.explain(event(f"product_{n}_viewed")).rule for n in (1, 2, 4711)}
    assert {"words.product"} == found


def test_an_event_keeps_its_page_where_a_click_says_nothing() -> None:
    """A click by its words is no signal itself, and yields to the page that it is on."""
    clicked = event("green_button_clicked")
    assert SHIPPED(clicked) is None
    on_cart: Event = event("green_button_clicked", context={"page": {"path": "/cart"}})
    assert "buy" == SHIPPED.explain(on_cart).moment


def test_a_name_that_a_rule_has_is_not_guessed_where_its_condition_is_not_met() -> None:
    """Whoever wrote the rule knows what the name means, and says nothing of other events."""
    own = classifier(
        'extends = "default"\n[[event]]\nname = "paid"\nmoment = "truth"\nconfidence = 0.9\n'
        'names = ["my_shop_order_paid"]\nwhere = { path = "properties.status", is = ["paid"] }\n'
    )
    met = {"status": "paid"}
    assert "paid" == own.explain(event("MyShopOrderPaid", properties=met)).rule
    assert None is own.explain(event("MyShopOrderPaid", properties=ORDER)).rule


def test_names_of_a_rule_that_is_switched_off_are_not_guessed() -> None:
    """They say nothing, and are not listed as unknown; nor are those that a file leaves out."""
    own = classifier('extends = "default"\noff = ["video"]\nunguessed = ["Cart Widget Opened"]\n')
    for name in ("video_start", "Video Playback Started", "cart_widget_opened"):
        assert own.explain(event(name)).rule is None
        assert own.read_instead(event(name), None) is None
    assert "words.video" == own.explain(event("video_looked_at")).rule
