"""Rules files: mistakes are refused, versions name the content, files build on the shipped rules."""

from pathlib import Path

import pytest

from streams.core.moments import rules, tables
from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import MAX_RULES, default_rules, load_rules, shipped_text
from streams.core.moments.spec import ORDER_PATHS
from streams.errors import ConfigError
from tests.core.moments.examples import DEFAULT, classifier, event

ROOT = Path(__file__).parents[3]
SHOP = (ROOT / "examples/simple_shop/rules.toml").read_text("utf-8")
CART = '[[event]]\nname = "cart"\nmoment = "buy"\nconfidence = 0.9\nnames = ["cart"]\n'
QUERY = (
    'read = {query = ["properties.q"]}\n[[query]]\nname = "q"\nmoment = "buy"\nconfidence = 0.9\n'
    'any = ["w"]\n[lexicon.en]\nw = ["buy"]\n'
)
GUESS = (
    '[[grammar]]\nname = "g"\nmoment = "buy"\nconfidence = 0.9\nany = ["w"]\n'
    '[vocabulary.en]\nw = ["basket"]\n'
)
PAGE = 'read = {page = ["name"]}\n[[page]]\nname = "p"\nmoment = "buy"\nconfidence = 0.9\npaths = ["/cart"]\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rules: there are none"),
        ("name = ", "rules: not valid TOML"),
        ("x = " + "[" * 5000, "rules: not valid TOML"),
        ("nmae = 'x'\n" + CART, "nmae = 'x': unknown key; did you mean name?"),
        ("name = 'Mine!'\n" + CART, "name = 'Mine!': must be 1 to 64"),
        ("extends = 'base'\n" + CART, "extends = 'base': can only be \"default\""),
        ("off = ['cart']\n" + CART, "off = ['cart']: switches inherited rules off, so it needs extends"),
        ("extends = 'default'\noff = ['crat']", 'off = "crat": no such rule to switch off'),
        ("event = 3", "event = 3: must be written as [[event]]"),
        ("event = [3]", "[[event]] number 1 = 3: must be a table"),
        (CART.replace('name = "cart"', ""), "[[event]] number 1: name = (missing): every rule needs a name"),
        (CART + CART, 'rule "cart": name = "cart": another rule has it'),
        ("extends = 'default'\n" + CART, 'rule "cart": name = "cart": another rule has it'),
        (
            CART.replace('"buy"', '"byu"'),
            "rule \"cart\": moment = 'byu': must be one of know, go, do, buy, truth, refund, none",
        ),
        (CART.replace("0.9", "1.5"), 'rule "cart": confidence = 1.5: must be a number above 0 and at most 1'),
        (CART.replace("0.9", "0"), 'rule "cart": confidence = 0: must be a number above 0'),
        (CART.replace("0.9", "nan"), 'rule "cart": confidence = nan: must be a number above 0'),
        (CART.replace("0.9", "true"), 'rule "cart": confidence = True: must be a number above 0'),
        (CART.replace("0.9", "'high'"), "rule \"cart\": confidence = 'high': must be a number above 0"),
        (
            CART.replace("confidence = 0.9", ""),
            'rule "cart": confidence = (missing): must be a number above 0',
        ),
        (CART.replace('names = ["cart"]', ""), 'rule "cart": names = (missing): which events is it for?'),
        (CART.replace('["cart"]', "[]"), 'rule "cart": names = []: is empty'),
        (CART.replace('["cart"]', '"cart"'), "rule \"cart\": names = 'cart': must be a list of strings"),
        (CART.replace('["cart"]', '["--"]'), 'rule "cart": names = [\'--\']: "--" has no letters or digits'),
        (CART.replace('["cart"]', '["cart*"]'), '"cart*": names are compared whole: write each'),
        (CART + "color = 'red'", "rule \"cart\": color = 'red': unknown key"),
        (
            CART + "types = ['click']",
            'rule "cart": types = [\'click\']: "click" is none of track, page, screen, identify',
        ),
        (CART + "yields_to = ['name']", 'rule "cart": yields_to = [\'name\']: "name" is none of query, page'),
        (CART + "view = true", 'rule "cart": view = True: only makes a difference with'),
        (CART + "where = 'x'", "rule \"cart\": where = 'x': must be a table"),
        (
            CART + "where = {path = 'colour', is = ['x']}",
            "rule \"cart\": where: path = 'colour': must be a path into the event",
        ),
        (
            CART + "where = {path = 'properties.a'}",
            "rule \"cart\": where = {'path': 'properties.a'}: needs exactly one of is",
        ),
        (CART + "where = {path = 'properties.a', is = ['x'], exists = true}", "needs exactly one of is"),
        (
            GUESS.replace('["w"]', '["v"]', 1),
            'rule "g": any: "v" is no vocabulary in any language (there are: w)',
        ),
        (GUESS.replace('["w"]', '["!w"]', 1), 'rule "g": any = [\'!w\']: "!w" is no clause'),
        (GUESS.replace('any = ["w"]', ""), 'rule "g": any = (missing): which names is it for?'),
        (
            GUESS.replace('"buy"', '"truth"', 1),
            "rule \"g\": moment = 'truth': the words of a name are a guess",
        ),
        (
            GUESS.replace('"buy"', '"refund"', 1),
            "rule \"g\": moment = 'refund': the words of a name are a guess",
        ),
        (GUESS.replace("0.9", "0.9\nview = true"), 'rule "g": view = True: only makes a difference with'),
        (GUESS.replace("0.9", "0.9\nnames = ['x']"), "rule \"g\": names = ['x']: unknown key"),
        (GUESS + 'v = ["x"]\n', "[vocabulary.en]: v: no grammar rule uses it (used: w)"),
        (GUESS + 'w2 = ["*x*"]\n', '[vocabulary.en]: w2 = "*x*": "*x*" has two wildcards'),
        (
            GUESS.replace("vocabulary.en", "vocabulary.english"),
            "must be a language of two or three letters: [vocabulary.it]",
        ),
        (
            "read = {noise = ['n']}\n" + GUESS,
            '[read]: noise = "n": no vocabulary in any language has this name',
        ),
        (
            QUERY.replace('["w"]', '["v"]', 1),
            'rule "q": any: "v" is no lexicon in any language (there are: w)',
        ),
        (QUERY.replace('["w"]', '["!w"]', 1), 'rule "q": any = [\'!w\']: "!w" is no clause'),
        (QUERY.replace('["w"]', '["w&w"]', 1), 'rule "q": any = [\'w&w\']: "w&w" is no clause'),
        (QUERY.replace('any = ["w"]', ""), 'rule "q": any = (missing): needs clauses'),
        (
            QUERY.replace('any = ["w"]', 'any = ["w"]\notherwise = true'),
            "rule \"q\": any = ['w']: needs clauses",
        ),
        (
            QUERY.replace('moment = "buy"', 'moment = "refund"'),
            "rule \"q\": moment = 'refund': a search is no refund",
        ),
        (QUERY.replace('"buy"]', '"* buy"]'), '[lexicon.en]: w = "* buy": begins with *'),
        (QUERY.replace('"buy"]', '"bu*y"]'), '[lexicon.en]: w = "bu*y": "bu*y" is no word'),
        (QUERY.replace('"buy"]', '"*buy*"]'), '[lexicon.en]: w = "*buy*": "*buy*" has two wildcards'),
        (QUERY.replace('"buy"]', '"?"]'), '[lexicon.en]: w = "?": "?" is no word'),
        (
            QUERY.replace('"buy"]', '"a b c d e f g h i"]'),
            '[lexicon.en]: w = "a b c d e f g h i": must have 1 to 8 words',
        ),
        (
            QUERY.replace('"buy"]', '"a|b a|b a|b a|b a|b a|b a|b a|b c|d"]'),
            "stands for 512 phrases; at most 256",
        ),
        (QUERY.replace('"buy"]', '"(a+)+$"]'), 'w = "(a+)+$": "(a+)+$": queries are read without "("'),
        (
            QUERY.replace('"buy"]', '"l\'aut*"]'),
            '"l\'aut*" is more than one word; a wildcard belongs to a single',
        ),
        (
            QUERY.replace('"buy"]', '"4#gb"]'),
            '"4#gb": # stands for a whole number, and no digit stands beside',
        ),
        (QUERY.replace('"buy"]', '"##"]'), '"##": # stands for a whole number'),
        (QUERY.replace('"buy"]', '"#.#"]'), '"#.#": # stands for a whole number'),
        (CART + "profile = 'My Own'", "rule \"cart\": profile = 'My Own': must be the name of a profile"),
        (CART + "profile = 1", 'rule "cart": profile = 1: must be a string'),
        ("profiles = ['x y']\n" + CART, "profiles = ['x y']: \"x y\" is no name of a profile"),
        (
            "profiles = ['kiosk']\n" + CART + "profile = 'home'",
            'profiles = "kiosk": no rule has this profile (there are: home)',
        ),
        (
            QUERY + "v = [" + ", ".join(f'"{n} {"a|b|c|d " * 4}"' for n in range(400)) + "]",
            "has more than 100000 phrases",
        ),
        (QUERY + "v = ['x']", "[lexicon.en]: v: no query rule uses it"),
        (
            QUERY + "[lexicon.it]\nfunction-words = ['il']\n",
            "[lexicon.en]: function-words = (missing): [lexicon.it] has it; give its words in this language",
        ),
        (
            "extends = 'default'\n" + QUERY.replace("read =", "#") + "[lexicon.it]\noffer = ['affare']\n",
            "[lexicon.it]: w = (missing): [lexicon.en] has it; give its words in this language, too",
        ),
        (QUERY.replace("lexicon.en", "lexicon.english"), "[lexicon]: english = "),
        (
            QUERY.replace('query = ["properties.q"]', ""),
            "[read]: query = (missing): query rules need to know where",
        ),
        (QUERY.replace("properties.q", "q"), "[read]: query = ['q']: \"q\" is no path into an event"),
        (
            QUERY.replace('query = ["properties.q"]', 'url = ["context.page.search"]'),
            "[read]: url, url_params: one makes no sense without the other",
        ),
        (
            QUERY.replace('query = ["properties.q"]', 'query = ["properties.q"], polite = ["kind"]'),
            '[read]: polite = "kind": no lexicon',
        ),
        (PAGE.replace("/cart", "cart"), 'rule "p": paths = [\'cart\']: "cart" must begin with / or *'),
        (PAGE.replace("/cart", "/a**/b"), "** stands alone between slashes"),
        (PAGE.replace('paths = ["/cart"]', ""), 'rule "p": paths = (missing): which pages is it for?'),
        (PAGE.replace('page = ["name"]', ""), "[read]: page = (missing): page rules need to know where"),
        (PAGE + "views_only = 1", 'rule "p": views_only = 1: must be true or false'),
        (PAGE.replace("/cart", "/cart#top"), '"/cart#top" must begin with / or * and have no #'),
        (PAGE.replace("/cart", "/cart?step"), '"/cart?step": behind ? stand parameters: ?name=value'),
        (PAGE.replace("/cart", "/cart?=1"), '"/cart?=1": behind ? stand parameters'),
        (PAGE.replace("/cart", "/{order}?id={order}"), "braces are for one segment or parameter alone"),
        (PAGE.replace("/cart", "/x{order}"), "braces are for one segment or parameter alone"),
        (PAGE.replace("/cart", "/" + "/".join(["a|b"] * 10)), "stands for 1024 paths; at most 500"),
        (PAGE + "where = { path = 'properties.id', is_id = true, exists = true }", "needs exactly one of is"),
        (PAGE + "any = ['nowhere']", 'rule "p": any: "nowhere" is no lexicon in any language'),
        (PAGE + "any = ['(x)']", 'rule "p": any = [\'(x)\']: "(x)" is no clause'),
        (PAGE + "any = ['v']\notherwise = true", 'rule "p": otherwise = True: is for rules with paths'),
        (
            PAGE + "any = ['v']\nwhere = { path = 'properties.id', is_id = true }",
            "is for rules with paths, not for those with any: make two rules of it",
        ),
        (
            "\n".join(CART.replace('name = "cart"', f'name = "c{n}"') for n in range(MAX_RULES + 1)),
            f"rules: {MAX_RULES + 1} of them: at most",
        ),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    """An error names the rule and the key, with the value and what would be right."""
    with pytest.raises(ConfigError) as error:
        load_rules(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        CART,
        QUERY,
        PAGE,
        SHOP,
        "extends = 'default'\noff = ['cart', 'query.vendor']\n",
        r'name = "x"' + "\n" + CART.replace('["cart"]', r'["\u007f\"\\é\ta"]'),
    ],
)
def test_the_text_makes_the_rules_again(text: str) -> None:
    """The stored text stands alone: it gives equal rules, numbers and version."""
    first = load_rules(text)
    assert first == load_rules(first.text)
    assert "extends" not in first.text


def test_the_default_text_makes_the_default_again() -> None:
    """The stored text of the shipped rules gives the shipped rules."""
    assert DEFAULT == load_rules(DEFAULT.text) == rules.default_rules()
    assert DEFAULT.version.startswith("default-")
    assert 8 == len(DEFAULT.version.removeprefix("default-"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.9", "0.91"),
        ('"buy"', '"do"'),
        ('["cart"]', '["carts"]'),
        ('name = "cart"', 'name = "kart"'),
        ("[[event]]", 'name = "x"\n[[event]]'),
    ],
)
def test_any_change_changes_the_version(old: str, new: str) -> None:
    """Any change of the content changes the version."""
    assert load_rules(CART).version != load_rules(CART.replace(old, new)).version


def test_a_word_changes_the_version_a_comment_does_not() -> None:
    """A word changes the version, and a comment does not: it names the content, not the file."""
    text = shipped_text()
    other, same = text.replace('"test drive", ', ""), "# a comment\n" + text.replace(" = [", "   = [")
    assert DEFAULT.version != load_rules(other, orders=ORDER_PATHS).version
    assert DEFAULT.version == load_rules(same, orders=ORDER_PATHS).version


def test_a_file_that_extends_comes_first() -> None:
    """The rules of a file that extends win, and its phrases are added.

    A rule that it switches off is gone, with the words that only this rule used.
    """
    own = load_rules(
        """
        extends = "default"
        name = "mine"
        off = ["video", "query.vendor"]
        read = {locale = ["properties.lang"]}
        event = [{name = "added", moment = "do", confidence = 0.5, names = ["product_added"]}]
        lexicon = {en = {offer = ["two for one"]}, de = {offer = ["angebot"]}}
        """
    )
    mine = Classifier(own)
    assert ["added", "cart", None] == [
        mine.explain(event(name)).rule for name in ("Product Added", "Cart Viewed", "video_start")
    ]
    assert ["query.offer"] * 2 == [
        mine.query(*each).rule for each in [("two for one", "en"), ("angebot", "de")]
    ]
    assert "vendor" not in {lexicon.name for lexicon in own.content.lexicons}
    assert (
        "query.price"
        == mine.explain(event("Products Searched", properties={"query": "prezzo", "lang": "it"})).rule
    )
    assert own.rules[0].name == "added"
    assert own.version.startswith("mine-")


def test_a_file_that_stands_alone() -> None:
    """A file that extends nothing takes nothing from the shipped rules."""
    assert ["p"] == [rule.name for rule in load_rules(PAGE).rules]


PROFILED = """
    read = {query = ["properties.q"]}
    event = [{name = "ping", moment = "do", confidence = 0.5, names = ["ping"], profile = "kiosk"}]
    cue = [{name = "slow", cue = "slow_page", names = ["slow"], profile = "kiosk"}]
    [[query]]
    name = "light"
    moment = "none"
    any = ["light"]
    profile = "assistant"
    [[query]]
    name = "lamp"
    moment = "buy"
    confidence = 0.8
    any = ["lamp"]
    [lexicon.en]
    light = ["light"]
    lamp = ["light", "lamp"]
"""


@pytest.mark.parametrize(
    ("profiles", "rules_in_force", "lexicons"),
    [
        ("", ["lamp"], ["lamp"]),
        ("profiles = ['assistant']", ["light", "lamp"], ["light", "lamp"]),
        ("profiles = ['kiosk']", ["ping", "lamp", "slow"], ["lamp"]),
        ("profiles = ['kiosk', 'assistant']", ["ping", "light", "lamp", "slow"], ["light", "lamp"]),
    ],
)
def test_profiles(profiles: str, rules_in_force: list[str], lexicons: list[str]) -> None:
    """A rule with a profile holds where the file names that profile, and else is as if it were not there.

    What is stored has the rules in force only, so a profile changes the version.
    """
    loaded = load_rules(profiles + PROFILED)
    assert rules_in_force == [rule.name for rule in loaded.rules]
    assert lexicons == [lexicon.name for lexicon in loaded.content.lexicons]
    assert loaded == load_rules(loaded.text)


def test_a_file_without_a_rule_in_force() -> None:
    """A file all of whose rules belong to profiles that are off reads nothing, which nobody wants."""
    with pytest.raises(ConfigError, match=r"rules: there are none: .* of one that is on"):
        load_rules(CART + 'profile = "kiosk"')


def test_a_language_without_words_for_a_lexicon() -> None:
    """An empty lexicon says that its language has no such words: a search is read in another one."""
    mine = Classifier(load_rules(QUERY + "[lexicon.it]\nw = []\n"))
    assert [("q", "en")] * 2 == [
        (found.rule, found.language) for found in (mine.query("buy", "en"), mine.query("buy", "it"))
    ]


def test_the_example_shop() -> None:
    """The example of a shop's own rules reads the shop's events."""
    shop = classifier(SHOP)
    expected = {
        "know": "catalog product1 product2",
        "buy": "cart delivery_choice delivery_courier delivery_pickup "
        "payment_choice payment_card payment_cash",
        "truth": "payment_done",
        "none": "main",
    }
    for moment, names in expected.items():
        assert {moment} == {shop.explain(event(name)).moment for name in names.split()}
        assert {moment != "none"} == {
            (verdict := shop(event(name))) is not None and verdict.sure for name in names.split()
        }


def test_the_page_shows_the_shipped_rules() -> None:
    """The tables of docs/rules.md are those that `fill_tables` makes."""
    page = (ROOT / "docs/rules.md").read_text("utf-8")
    assert page == tables.fill_tables(page, DEFAULT)


def test_the_page_is_right() -> None:
    """Every example of docs/rules.md loads and does what the page describes."""
    blocks = [
        block.partition("```")[0]
        for block in (ROOT / "docs/rules.md").read_text("utf-8").split("```toml\n")[1:]
    ]
    head = "extends = 'default'\n"
    shown = [Classifier(load_rules(text if text.startswith("extends") else head + text)) for text in blocks]
    assert 9 == len(shown)
    assert "quote" == shown[0].explain(event("quote_requested")).rule
    assert "store-call" == shown[1].explain(event("click", properties={"link_url": "tel:1"})).rule
    assert ["valuation", "valuation", "words.message"] == [
        shown[2].explain(event(name)).rule
        for name in ("home_value_requested", "perizia_richiesta", "email_with_request_sent")
    ]
    assert ["page.test-drive", "page.test-drive", "page.visit", "page.our-thanks"] == [
        shown[n].explain(event("", "page", {"url": f"https://x.example{path}"})).rule
        for n, path in [
            (3, "/it/test-drive/now"),
            (3, "/index.php?view=Test_Drive"),
            (3, "/museum/plan-a-visit"),
            (4, "/grazie"),
        ]
    ]
    assert ["query.test-drive"] * 2 == [
        shown[5].query(*each).rule
        for each in [("test drive a used car", "en"), ("auto: prova su strada", "it")]
    ]
    assert (
        "cue.sold-out"
        == shown[7].explain(event("Product Viewed", properties={"availability": "sold out"})).cue_rule
    )
    assert "cue.slow-app" == shown[7].explain(event("", "screen", properties={"load_ms": 3001})).cue_rule
    assert "kiosk.touched" == shown[6].explain(event("screen_touched")).rule
    assert "buy" == shown[8].explain(event("x", properties={"filters": {"text": "buy shoes"}})).moment


def test_the_setting_says_where_an_order_has_its_id() -> None:
    """Rules take the paths from the setting `order_id` and keep them; a file that says others is refused."""
    ours = event("order_placed_ok", properties={"ref": 17})
    rules = load_rules('extends = "default"', orders=("properties.ref",))
    assert "truth" == Classifier(rules).explain(ours).moment
    assert rules == load_rules(rules.text)
    assert rules.version != default_rules().version
    assert "truth" == Classifier(default_rules(("properties.ref",))).explain(ours).moment
    assert "truth" != Classifier(default_rules(())).explain(ours).moment
    with pytest.raises(ConfigError, match=r"line 2: \[read\]: order = .* the setting `order_id` says where"):
        load_rules('extends = "default"\nread = {order = ["properties.ref"]}', orders=("properties.id",))
