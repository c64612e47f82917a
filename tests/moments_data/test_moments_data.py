"""The labelled rows are well formed, and the score counts what it says."""

import json

import pytest

from streams.core.ingest.event import EVENT_TYPES
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import KNOW, Explanation, Verdict
from tests.moments_data import HERE, LANGUAGES, MOMENTS, Row, event_of, read_rows, split_of
from tests.moments_data.__main__ import answers_to
from tests.moments_data.score import answer, score

FILES = sorted(path.stem for path in HERE.glob("*.tsv"))


@pytest.mark.parametrize("name", FILES)
def test_rows_are_well_formed(name: str) -> None:
    """Each row has a text of its own, known labels, a domain, a reason, and the split of its number."""
    rows = read_rows(name)
    assert len(rows) == len({(row.text, row.type, row.properties) for row in rows})
    for number, row in enumerate(rows, 1):
        assert set(row.moments) <= set(MOMENTS), row
        assert len(set(row.moments)) == len(row.moments), row
        assert split_of(number, row.reason) == row.split, row
        assert row.text.strip() == row.text, row
        assert all((row.text, row.domain, row.reason)), row
        assert row.type in EVENT_TYPES, row
        assert isinstance(json.loads(row.properties), dict), row


def test_every_language_has_queries_of_every_domain() -> None:
    """There are at least 200 queries per language, with rows of no moment, over as many domains in each."""
    rows = {language: read_rows(f"queries_{language}") for language in LANGUAGES}
    assert all(len(each) >= 200 for each in rows.values())
    assert 1 == len({len({row.domain for row in each}) for each in rows.values()})
    assert all(sum(row.moment == "none" for row in each) >= 20 for each in rows.values())


def test_an_event_of_a_row_is_what_a_stream_meets() -> None:
    """A query is a search with its language, a name a call of its type, a page a path that is seen."""
    row = Row("/cart", "buy", "shop", "a cart", "tune", "screen", '{"a": 1}')
    search = event_of("queries", row, "it")
    assert ("Products Searched", "/cart", "it") == (
        search.name,
        search.properties["query"],
        search.context["locale"],
    )
    named = event_of("names", row)
    assert ("screen", "/cart", {"a": 1}) == (named.type, named.name, named.properties)
    seen = event_of("pages", row)
    assert ("page", {"path": "/cart"}) == (seen.type, seen.context["page"])


@pytest.mark.parametrize(
    ("labels", "moment", "confidence", "sure", "figures"),
    [
        ("know", "know", 0.8, True, (1, 1, 0, 0)),
        ("buy/know", "know", 0.8, True, (1, 1, 0, 0)),
        ("buy", "know", 0.8, True, (0, 0, 1, 0)),
        ("buy", "know", 0.4, False, (0, 0, 0, 0)),
        ("none/buy", "know", 0.4, False, (1, 0, 0, 0)),
        ("none", "know", 0.8, True, (0, 0, 1, 1)),
        ("truth", "truth", 0.8, False, (1, 1, 0, 0)),
        ("know", "truth", 0.8, False, (0, 0, 0, 0)),
    ],
)
def test_the_score(
    labels: str, moment: str, confidence: float, sure: bool, figures: tuple[float, float, float, float]
) -> None:
    """A truth of a search is an answer though it is not sure; an unsure know is none."""
    row = Row("x", labels, "shop", "why", "tune")
    said = Explanation(Verdict(KNOW, sure, 0), moment, "rule", confidence)
    assert figures == score([answer(row, said)])[1:]


def test_a_row_that_nothing_reads_is_no_answer() -> None:
    """What no rule reads is right for a row of no moment, and wrong for any other."""
    said = Explanation(None, "none")
    assert [True, False] == [
        answer(Row("x", label, "d", "r", "tune"), said).right for label in ("none", "go")
    ]


def test_rows_of_others_are_scored_as_what_they_are() -> None:
    """The kind of a file is in its name, in whatever folder it is."""
    rules = classifier_for(default_rules())
    read = {name: answers_to(rules, f"others/{name}", "all", False) for name in ("queries_it", "names")}
    assert all(0.9 < score(answers).accuracy for answers in read.values())


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shipped_rules_read_searches(language: str, as_text: bool) -> None:
    """No change of the shipped rules makes them worse than these bounds, in any language."""
    figures = score(answers_to(classifier_for(default_rules()), f"queries_{language}", "all", as_text))
    assert figures.accuracy >= 0.85, figures
    assert figures.precision >= 0.92, figures
    assert figures.wrong_and_sure <= 0.05, figures
