"""Pages are read by the segments of their paths, by parameters and by words, in three languages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.moments.addresses import both_segments, path_segments
from streams.core.moments.globs import Glob, expand_glob, glob_segments, same_segment
from streams.core.moments.pages import PageMatcher
from streams.core.moments.spec import PageRule
from streams.core.moments.verdict import SURE_ABOVE
from streams.core.moments.wildcard import glob_matches
from tests.core.moments.examples import DEFAULT, SHIPPED, classifier, event

MOMENTS = {
    "know": "/blog/x /faq /product/42 /it/guida /es/producto/7 /recensioni /opiniones /search /store "
    "/tienda /negozio /store/products/tv /shipping /metodi-di-pagamento /envios "
    "/blog/2025/offers /blue-shirt.html",
    "go": "/stores /store-locator /it/negozi/milano /tiendas /contact /orari /es/contacto /i-nostri-negozi "
    "/find-a-store /localizador-de-tiendas /oficinas-y-cajeros",
    "do": "/how-to/clean /help /istruzioni /tutorial /configurator /track-order /es/ayuda /it/come-fare/x "
    "/help/payment-methods /assistenza/pagamento "
    "/ayuda/envio /servizi/denuncia-sinistro /como-cuidar-zapatos",
    "buy": "/cart /carrello /carrito /checkout/step-2 /payment /offer /it/pagamento /es/rebajas /store/cart "
    "/checkout/confirm /complete-your-order /completa-tu-compra /offerte-fibra",
    "truth": "/order-confirmation /checkout/thank-you /order/grazie /es/pedido-confirmado /payment/thank-you "
    "/checkout/order-received/123 /gracias-por-tu-compra /prenotazione/confermata /checkout/orderPlaced "
    "/on/demandware.store/Sites-X/en_GB/Order-Confirm /thank-you/A-1001",
    "none": "/newsletter/thank-you /survey/thank-you /my-account /mi-cuenta/pedidos /accedi /privacy "
    "/termini-e-condizioni /careers/stores/milan /media/big-banner.png",
    "nothing": "/ /it /cartography /zzz",
}


@pytest.mark.parametrize(
    ("path", "moment"), [(path, moment) for moment, paths in MOMENTS.items() for path in paths.split()]
)
def test_paths(path: str, moment: str) -> None:
    """Each kind of page has its moment, whatever language it is in."""
    explained = SHIPPED.explain(event("", "page", context={"page": {"path": path}}))
    assert ("none" if moment == "nothing" else moment) == explained.moment
    assert (moment == "nothing") == (explained.rule is None)


THANKS = ("thank-you", "thankyou", "thanks", "grazie", "gracias", "confirmation")
FORMS = [
    "demo",
    "webinar",
    "quote",
    "contact-us",
    "enquiry",
    "free-trial",
    "book-appointment",
    "test-drive",
    "booking-demo",
    "order-samples",
    "waiting-list",
    "order-brochure",
    "request-a-booking",
    "returns",
    "survey",
    "newsletter",
    "feedback",
    "careers",
    "preventivo",
    "prova-gratuita",
    "richiesta-informazioni",
    "iscrizione",
    "prenota-appuntamento",
    "campione-gratuito",
    "sondaggio",
    "presupuesto",
    "prueba-gratis",
    "solicitud",
    "inscripcion",
    "reserva-cita",
    "muestra-gratis",
    "encuesta",
    "reserva-tu-plaza",
    "workshop",
    "open-day",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_thank_you_of_a_form_is_no_purchase(form: str) -> None:
    """A form that was sent is a sign of life at most, whatever words of ordering are beside it."""
    for thanks in THANKS:
        for path in (
            f"/{form}/{thanks}",
            f"/it/{form}/{thanks}/",
            f"/{form}-{thanks}.html",
            f"/order/{form}/{thanks}",
        ):
            verdict = SHIPPED(event("", "page", context={"page": {"path": path}}))
            assert verdict is None or not verdict.sure or verdict.intent != 4, path


@pytest.mark.parametrize(
    "path",
    [
        *("/thank-you", "/it/grazie", "/es/gracias/", "/thankyou.html", "/thank-you/step-2"),
        *("/grazie-per-il-tuo-interesse", "/gracias-por-tu-confianza", "/thank-you-for-shopping-with-us"),
        *(
            "/buy-a-home/thank-you",
            "/comprar-piso/gracias",
            "/compra-casa/grazie",
            "/confirmacion-de-tu-cuenta",
        ),
    ],
)
def test_a_bare_thank_you_is_a_sign_of_life(path: str) -> None:
    """Nobody knows what it thanks for: it keeps a journey alive, and moves none."""
    verdict = SHIPPED(event("", "page", context={"page": {"path": path}}))
    assert verdict is not None
    assert not verdict.sure


@pytest.mark.parametrize(
    "rule", ["page.thanks", "page.form-sent", "page.undone", "page.order-written", "page.slug-short"]
)
def test_what_tells_too_little_stays_unsure(rule: str) -> None:
    """These rules are signs of life by decision, however often their moment would be right."""
    assert [False] == [each.confidence > SURE_ABOVE for each in DEFAULT.content.pages if each.name == rule]


@pytest.mark.parametrize(
    ("path", "properties", "search", "order"),
    [
        ("/thank-you", {"order_id": "A-1"}, "", ""),
        ("/gracias", {"orderId": 77}, "", ""),
        ("/grazie", {"order": {"id": "77"}}, "", ""),
        ("/thank-you/A-1001", {}, "", "A-1001"),
        ("/thank-you", {}, "?utm_source=x&order_id=A-1001", "A-1001"),
        ("/it/grazie?ordine=41", {}, "", "41"),
        ("/index.php", {}, "?controller=order-confirmation&id_cart=3&id_order=77", "77"),
        ("/checkout/finish", {}, "?orderId=0C1F2AB393F14", "0C1F2AB393F14"),
        ("/", {}, "?page_id=9&order-received=1234&key=wc_order_1", "1234"),
    ],
)
def test_a_thank_you_that_names_an_order_is_a_purchase(
    path: str, properties: dict[str, Any], search: str, order: str
) -> None:
    """The id may be in the path, in a parameter of the address, or in a field of the event."""
    seen = event("", "page", properties, {"page": {"path": path, "search": search}})
    assert "truth" == SHIPPED.explain(seen).moment
    assert order == SHIPPED.order_in_page(seen)


@pytest.mark.parametrize("nothing", ["", "undefined", "null", "(not set)", "0", 0, None, False, [], "  "])
def test_a_word_that_stands_for_no_id_names_no_order(nothing: Any) -> None:
    """A thank-you with an empty order field is a bare one."""
    seen = event("", "page", {"order_id": nothing}, {"page": {"path": "/thank-you"}})
    verdict = SHIPPED(seen)
    assert verdict is not None
    assert not verdict.sure


def test_a_rule_of_a_site_settles_its_thank_you() -> None:
    """A shop whose orders end at a bare thank-you says so once."""
    own = classifier(
        'extends = "default"\n[[page]]\nname = "thanks"\nmoment = "truth"\nconfidence = 0.9\n'
        'views_only = true\npaths = ["/thank-you"]\n'
    )
    assert "truth" == own.explain(event("", "page", context={"page": {"path": "/thank-you"}})).moment
    assert "do" == own.explain(event("", "page", context={"page": {"path": "/demo/thank-you"}})).moment


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/It/Cart/", ["it", "cart"]),
        ("https://shop.example/cart?step=2#top", ["cart"]),
        ("https://shop.example", []),
        ("//a//b", ["a", "b"]),
        ("/order_confirmation.html", ["order-confirmation"]),
        ("/ré/c%C3%A1rt/%ff", ["re", "cart", "\ufffd"]),
        ("/#/cart", ["cart"]),
        ("https://x.example/app#!/cart/2", ["cart", "2"]),
        ("Order Confirmation", ["order-confirmation"]),
        ("", []),
        ("\ud800/%", ["\ud800", "%"]),
    ],
)
def test_addresses_are_folded(address: str, expected: list[str]) -> None:
    """Host, query, case, accents, suffix and slashes make no difference."""
    assert expected == path_segments(address)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("/cart", ["/cart", "/Cart/"], ["/", "/a/cart", "/cart/a", "/carts"]),
        ("**/cart", ["/cart", "/a/b/cart", "/cart/cart"], ["/cart/a"]),
        ("/cart/**", ["/cart", "/cart/a/b"], ["/a/cart"]),
        ("/*/cart*", ["/it/cart", "/it/cartoon"], ["/cart", "/a/b/cart"]),
        ("/a*c*e/x", ["/ace/x", "/abcde/x"], ["/acd/x", "/ace"]),
        ("/**/a/**/b", ["/a/b", "/x/a/y/a/b"], ["/b/a"]),
        ("/**", ["/", "/a"], []),
        ("/cart|basket/a|b*", ["/cart/a", "/basket/bx"], ["/cart", "/cart/c", "/cart|basket/a"]),
        ("/x/{order}", ["/x/7", "/x/A-1001", "/x/4f1c2d3e-9a0b"], ["/x/step-2", "/x/v2", "/x/new", "/x"]),
    ],
)
def test_globs(glob: str, yes: list[str], no: list[str]) -> None:
    """`*` stays within a segment, `**` is any number of segments, `a|b` either, `{order}` an id."""
    pages = PageMatcher([PageRule("r", "buy", 0.7, (glob,))])
    assert yes == [path for path in yes + no if pages.find(path, True)]


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        (
            "/index?controller=cart",
            ["?controller=cart", "?a=1&Controller=CART#x"],
            ["", "?controller=carts", "?a=cart"],
        ),
        ("/index?a=1&b=*", ["?b=&a=1", "?a=1&b=2"], ["?a=1", "?a=2&b=1"]),
        ("/index?order_id|id_order={order}", ["?order_id=7", "?id_order=A1001"], ["?order_id=new", "?id=7"]),
        (
            "/**?route=checkout/success",
            ["?route=checkout%2Fsuccess", "?route=checkout/success"],
            ["?route=checkout"],
        ),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_parameters(glob: str, yes: list[str], no: list[str], apart: bool) -> None:
    """A pattern may name parameters, which are with the path or in a field of their own."""
    own = classifier(
        "[read]\npage = ['context.page.path']\nurl = ['context.page.search']\nurl_params = ['q']\n"
        f"[[page]]\nname = 'r'\nmoment = 'buy'\nconfidence = 0.7\npaths = ['{glob}']\n"
    )
    assert yes == [
        query
        for query in yes + no
        if own(
            event(
                "",
                "page",
                context={
                    "page": {"path": "/index.php", "search": query}
                    if apart
                    else {"path": f"/index.php{query}"}
                },
            )
        )
    ]


def test_a_rule_with_words_reads_a_path_by_its_lexicons() -> None:
    """Words are found in any segment and in any language, and numbers are none."""
    own = classifier(
        "[read]\npage = ['context.page.path']\n"
        "[[page]]\nname = 'r'\nmoment = 'do'\nconfidence = 0.7\nany = ['visit !paid']\n"
        "[lexicon.en]\nvisit = ['book visit']\npaid = ['order']\n"
        "[lexicon.it]\nvisit = ['prenota * visita']\npaid = []\n"
    )
    yes = ["/book-visit", "/a/book/42/visit.html", "/BookVisit", "/it/prenota-una-visita", "/it/book-visit"]
    no = ["/book", "/visit-book", "/order/book-visit", "/order/prenota-una-visita", "/12"]
    assert yes == [
        path for path in yes + no if own(event("", "page", context={"page": {"path": path}})) is not None
    ]
    explained = own.explain(event("", "page", context={"page": {"path": "/it/prenota-una-visita"}}))
    assert ("page", "visit: prenota una visita") == (explained.evidence, explained.matched)


def test_words_for_seen_pages_hide_no_other_rule() -> None:
    """What happens on such a page is read by the next rule that holds, and so `explain` names that one."""
    own = classifier(
        "[read]\npage = ['context.page.path']\n"
        "[[page]]\nname = 'seen'\nmoment = 'truth'\nconfidence = 0.7\nviews_only = true\nany = ['paid']\n"
        "[[page]]\nname = 'glob'\nmoment = 'know'\nconfidence = 0.7\npaths = ['/paid']\n"
        "[[page]]\nname = 'words'\nmoment = 'buy'\nconfidence = 0.7\nany = ['paid']\n"
        "[lexicon.en]\npaid = ['paid']\n"
    )
    rules = [
        (explained.rule, explained.next and explained.next.rule)
        for kind in ("page", "track")
        for path in ("/paid", "/well/paid")
        for explained in [own.explain(event("", kind, context={"page": {"path": path}}))]
    ]
    assert [("seen", "glob"), ("seen", "words"), ("glob", "words"), ("words", None)] == rules


@pytest.mark.parametrize(
    ("name", "kind", "properties", "context", "rule"),
    [
        ("", "page", {"path": "/cart"}, {}, "page.checkout"),
        ("", "page", {"url": "https://x.example/cart"}, {}, "page.checkout"),
        ("Cart", "screen", {}, {}, "page.checkout"),
        ("Order Confirmation", "screen", {}, {}, "page.order-done"),
        ("Order Confirmation", "page", {}, {"page": {"path": "/x-y/z"}}, "page.order-done"),
        ("Blue Shirt", "page", {}, {"page": {"path": "/x-y/z"}}, "page.slug-short"),
        ("Blue Shirt", "page", {}, {"page": {"path": "/x/y-z"}}, "page.slug"),
        ("Blip", "track", {}, {}, None),
        ("Whatever", "page", {}, {"page": {"path": "/stores"}}, "page.go"),
        ("Something Shown", "track", {}, {"page": {"path": "/stores"}}, "page.go"),
        ("Something Shown", "track", {}, {"page": {"path": "/blue-shirt-cotton"}}, None),
        ("page_view", "track", {"page_location": "https://x.example/carrello"}, {}, "page.checkout"),
        ("page_view", "track", {"page_location": "https://x.example/"}, {}, "page-view"),
        (
            "page_view",
            "track",
            {"page_location": "https://x.example/checkout/success"},
            {},
            "page.order-done",
        ),
        ("click", "track", {"page_location": "https://x.example/order-received"}, {}, "click"),
        ("scroll", "track", {"page_location": "https://x.example/order-received"}, {}, "scroll"),
        ("scroll", "track", {"page_location": "https://x.example/cart"}, {}, "page.checkout"),
        ("Something Shown", "track", {}, {"page": {"path": "/order-received"}}, None),
        ("Product Viewed", "track", {}, {"page": {"path": "/cart"}}, "product"),
        (
            "",
            "page",
            {},
            {"page": {"path": "/search", "search": "?q=buy+shoes"}, "locale": "en"},
            "query.buy",
        ),
        (
            "",
            "page",
            {},
            {"page": {"path": "/search", "search": "?q=zzz"}, "locale": "en"},
            "query.otherwise",
        ),
        ("", "page", {}, {"page": {"path": "/cart", "search": "?q=zzz"}, "locale": "en"}, "page.checkout"),
        ("Products Searched", "track", {"query": "zzz", "url": "/cart"}, {}, "query.otherwise"),
        ("Products Searched", "track", {"query": "", "url": "/cart"}, {}, "search"),
        ("page_view", "track", {"page_location": "https://x.example/search?q=zzz"}, {}, "query.otherwise"),
        ("page_view", "track", {"page_location": "https://x.example/cart?q=zzz"}, {}, "page.checkout"),
        ("", "page", {}, {"page": {"path": "/zzz", "search": "?q=shoes"}, "locale": "en"}, "query.otherwise"),
        ("", "page", {"path": 5}, {"page": "cart"}, None),
    ],
)
def test_order_of_evidence(
    name: str, kind: str, properties: dict[str, Any], context: dict[str, Any], rule: str | None
) -> None:
    """The name comes before the query, the query before the page.

    A page of another moment comes before a search that no rule reads, one of the same moment after it.

    An order is done where its page is seen, not where something else happens on it. A slug is read where
    nothing else tells what the page is.
    """
    assert rule == SHIPPED.explain(event(name, kind, properties, context)).rule


WORDS = st.sampled_from(["cart", "carts", "c", "p", "help", "help-me", "x", "it"])
GLOBS = st.lists(
    st.one_of(WORDS, st.sampled_from(["*", "**", "c*", "help*", "*p", "h*p*", "c|p", "x|it*"])),
    min_size=1,
    max_size=4,
).map("/".join)


@given(st.lists(GLOBS, min_size=1, max_size=6), st.lists(WORDS, max_size=4), st.booleans())
def test_the_index_only_saves_time(globs: list[str], path: list[str], seen: bool) -> None:
    """The rule that is found is the first whose pattern matches, as if each had been tried in turn."""
    rules = [PageRule(f"r{n}", "know", 0.7, (glob,), views_only=n % 2 == 0) for n, glob in enumerate(globs)]
    alone = [PageMatcher([rule]).find("/".join(path), seen) for rule in rules]
    expected = next((n for n, found in enumerate(alone) if found), None)
    tried = next(
        (
            n
            for n, g in enumerate(globs)
            if (seen or n % 2)
            and any(
                glob_matches(glob_segments(each), path_segments("/".join(path)), "**", same_segment)
                for each in expand_glob(g)
            )
        ),
        None,
    )
    found = PageMatcher(rules).find("/".join(path), seen)
    assert (found[0].place if found else None) == expected == tried


@given(st.lists(GLOBS, min_size=2, max_size=6), st.lists(WORDS, max_size=4), st.data())
def test_what_has_a_condition_hides_nothing(globs: list[str], path: list[str], data: st.DataObject) -> None:
    """All rules that match are found, up to the first that holds whatever the event is.

    Last resorts come at the end.
    """
    asks = [data.draw(st.booleans()) for _ in globs]
    last = [data.draw(st.booleans()) for _ in globs]
    rules = [
        PageRule(f"r{n}", "know", 0.7, (glob + ("?a=1" if asks[n] else ""),), otherwise=last[n])
        for n, glob in enumerate(globs)
    ]
    matching = [
        n
        for n, g in enumerate(globs)
        if PageMatcher([PageRule("r", "know", 0.7, (g,))]).find("/" + "/".join(path), True)
    ]
    ordered = sorted(matching, key=lambda n: (last[n], n))
    certain = next((at for at, n in enumerate(ordered) if not asks[n]), len(ordered))
    found = [match.place for match in PageMatcher(rules).find("/" + "/".join(path), True)]
    assert ordered[: certain + 1] == list(dict.fromkeys(found))


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_no_address_makes_a_pattern_raise(address: str, parameters: dict[str, str]) -> None:
    """Patterns, words and ids are read off any text."""
    for pattern in ("/**?a={order}", "/{order}/**", "**/x/{order}?b=*"):
        Glob(pattern).order(both_segments(address), parameters)
    assert SHIPPED.explain(event("", "page", {"path": address, "url": address})) is not None
