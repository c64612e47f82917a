"""A table of examples is read strictly, and each example is held to what the rules say."""

import pytest

from streams.core.moments.rules import default_rules
from streams.errors import InputError
from streams.queries.explaining import Explainer
from streams.queries.rule_examples import RuleExample, parse_examples, wrong_verdicts

EXPLAINER = Explainer(default_rules())
HEAD = "kind\ttext\tmoment\tconfidence\tlocale\treason\n"


def lines(*examples: str, head: str = HEAD) -> list[RuleExample]:
    return parse_examples("pinned.tsv", head + "".join(f"{line}\n" for line in examples))


def wrong(*examples: str) -> list[tuple[int, str, bool]]:
    """The lines that differ, with what the rules say instead."""
    found = wrong_verdicts("pinned.tsv", lines(*examples), EXPLAINER)
    return [(one.example.line, one.verdict.moment, one.verdict.sure) for one in found]


def test_all_columns_and_only_those_that_are_needed() -> None:
    """Columns stand in any order; empty cells at the end may be left out; lines without examples are passed
    over.
    """
    full = lines("search\tcafé solo\tbuy/know\tunsure\tes\tan example", "", "# a note", "event\tAdded\tnone")
    assert [
        RuleExample(2, "search", "café solo", ("buy", "know"), False, "es"),
        RuleExample(5, "event", "Added", ("none",)),
    ] == full
    assert [RuleExample(2, "page", "/cart", ("buy",))] == lines(
        "buy\t/cart\tpage", head="moment\ttext\tkind\n"
    )


def test_what_spreadsheets_do_to_a_table() -> None:
    """A byte order mark, line ends of Windows, and quotes around a cell that has quotes."""
    text = '\ufeffkind\ttext\tmoment\r\nsearch\t"27"" monitor"\tbuy\r\nsearch\t"brew guide"\tdo\r\n'
    assert ['27" monitor', "brew guide"] == [one.text for one in parse_examples("a", text)]
    assert ['27" monitor', '"'] == [one.text for one in lines('search\t27" monitor\tbuy', 'search\t"\tknow')]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pinned.tsv: there are no examples in it"),
        ("# nothing\n\n", "pinned.tsv: there are no examples in it"),
        (HEAD, "pinned.tsv: there are no examples in it, only the names"),
        ("kind\ttext\tmomnet\n", "pinned.tsv:1: 'momnet' is no column"),
        ("kind text moment\n", "pinned.tsv:1: 'kind text moment' is no column: .* with tabs between"),
        ("kind\ttext\ttext\tmoment\n", "pinned.tsv:1: the column text stands there twice"),
        ("\n# note\nkind\ttext\n", "pinned.tsv:3: there is no column moment"),
        (HEAD + "search\tx\n", "pinned.tsv:2: no moment"),
        (HEAD + "event\t\tbuy\n", "pinned.tsv:2: no text"),
        (HEAD + "search\tx\tbuy\t\ten\twhy\tmore\n", "pinned.tsv:2: 7 cells, and there are 6 columns"),
        (HEAD + "query\tx\tbuy\n", "pinned.tsv:2: kind 'query': must be one of search, event, page, record"),
        (HEAD + "search\tx\tbuy/bye\n", "pinned.tsv:2: moment 'buy/bye': must be one of know, go, do, buy"),
        (HEAD + "search\tx\tbuy\tmaybe\n", "pinned.tsv:2: confidence 'maybe': must be sure or unsure"),
        (HEAD + "page\t/x\tbuy\t\tit\n", "pinned.tsv:2: locale 'it': is for searches; this is kind page"),
    ],
)
def test_a_wrong_table_is_refused(text: str, message: str) -> None:
    """The error names the file, the line, the value and what would be right."""
    with pytest.raises(InputError, match=message):
        parse_examples("pinned.tsv", text)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"event": 5}', r"pinned.tsv:2: the record cannot be read \("),
        ("no JSON", r"pinned.tsv:2: the record cannot be read \("),
        ('{"batch": []}', "pinned.tsv:2: the record holds no event"),
        ('[{"event": "a"}, {"event": "b"}]', "pinned.tsv:2: the record holds 2 events: write one a line"),
    ],
)
def test_a_record_that_is_no_event_is_refused(record: str, message: str) -> None:
    """Nothing can be said of it, so it is no example."""
    with pytest.raises(InputError, match=message):
        wrong(f"record\t{record}\tnone")


def test_each_kind_is_read_as_explain_reads_it() -> None:
    """A search, the name of an event, a page, and a whole record, in which properties decide."""
    assert [] == wrong(
        "search\tespresso machine near me\tgo",
        "event\tProduct Added\tbuy\tsure",
        "page\thttps://shop.example/en/cart?x=1\tbuy",
        'record\t{"event": "click", "properties": {"link_url": "tel:+39 02"}}\tgo\tsure',
        'record\t{"event": "click"}\tknow\tunsure',
        "event\tNever Heard Of\tnone",
    )


def test_what_differs_is_found() -> None:
    """In the moment, or in whether it is sure."""
    assert [(3, "buy", True), (4, "know", False), (5, "none", False)] == wrong(
        "event\tProduct Added\tbuy",
        "event\tProduct Added\tknow/do",
        'record\t{"event": "click"}\tknow\tsure',
        "event\tNever Heard Of\tknow",
    )


def test_a_search_is_read_in_its_language() -> None:
    """The locale of the example is that of the search."""
    assert RuleExample(2, "search", "burro", ("know",), None, "es") == lines("search\tburro\tknow\t\tes")[0]
    (one,) = wrong_verdicts("a", lines("search\tdove siete\tnone\t\tit"), EXPLAINER)
    assert "it: " in one.verdict.matched
