"""What `streams explain` says of an event, a text and lines."""

import json
from pathlib import Path

import pytest

from tests.cli.running import lines, streams


@pytest.mark.parametrize(
    ("what", "read_as", "moment", "sure", "meaning"),
    [
        (["Concessionaria Honda vicino"], "search", "buy", True, "opens a journey in buy"),
        (["come scegliere l'auto giusta", "--locale", "it"], "search", "do", True, "opens a journey in do"),
        (["Product Added"], "event name", "buy", True, "opens a journey in buy"),
        (["Order Completed", "--search"], "search", "know", False, "keeps an open journey alive"),
        (["Order Refunded"], "event name", "refund", True, "never touches an open journey"),
        (
            ['{"event": "Order Completed", "properties": {"order_id": "7"}}'],
            "record",
            "truth",
            True,
            "closes the open journey",
        ),
        (
            ['{"type": "page", "context": {"page": {"path": "/checkout"}}}'],
            "record",
            "buy",
            True,
            "opens a journey in buy",
        ),
        (['{"event": "Something Else"}'], "event name", "none", False, "no rule knows an event of this name"),
        (["Something Else", "--event"], "event name", "none", False, "no rule knows an event of this name"),
        (["Something Else"], "search", "know", False, "keeps an open journey alive"),
        (['{"text": "prezzo honda civic", "locale": "it"}'], "search", "buy", True, "opens a journey in buy"),
        (['{"page": "/checkout"}'], "page", "buy", True, "opens a journey in buy"),
        (["hello"], "search", "none", False, "no signal"),
        (["zzz qqq"], "search", "know", False, "never opens or moves one"),
    ],
)
def test_explain(what: list[str], read_as: str, moment: str, sure: bool, meaning: str) -> None:
    """explain shows how something is read and what it means for a journey, for machines and for people."""
    (report,) = lines("explain", *what, "--json")
    assert (read_as, moment, sure) == (report["read_as"], report["moment"], report["sure"])
    assert meaning in report["meaning"]
    shown = streams("explain", *what).stdout
    assert moment in shown
    assert report["rules"] in shown


@pytest.mark.parametrize(
    ("what", "read_as", "taken"),
    [
        (["zzz qqq"], "search", "as a search: as an event's name no rule reads it"),
        (["Product Added"], "event name", "as an event's name, which a rule knows; as a search rule"),
        (["/it/carrello?x=1"], "page", "as a page, since it is a path or an address"),
        (["https://shop.example/cart"], "page", "as a page, since it is a path or an address"),
        (["Product Added", "--search"], "search", "as a search, as asked"),
        (["zzz", "--event"], "event name", "as an event's name, as asked"),
        (["cart", "--page"], "page", "as a page, as asked"),
        (['{"event": "Product Added", "x": 1}'], "record", "as a record, since it is JSON"),
    ],
)
def test_explain_says_as_what_it_took_a_text(what: list[str], read_as: str, taken: str) -> None:
    """A text can be a search, the name of an event, a page or a record: which one, and why, is said."""
    (report,) = lines("explain", *what, "--json")
    assert read_as == report["read_as"]
    assert report["taken"].startswith(taken)
    assert taken in " ".join(streams("explain", *what).stdout.split())


def test_explain_takes_a_text_as_one_thing() -> None:
    """--search, --event and --page exclude each other."""
    result = streams("explain", "x", "--search", "--page")
    assert 2 == result.exit_code
    assert "--search and --page: give one of them" in result.stderr


def test_explain_says_what_would_have_answered() -> None:
    """The language of a search, its typos, each piece of evidence, and what comes next, are said."""
    (report,) = lines("explain", "cerco un finanziamneto", "--locale", "en", "--json")
    assert ("it", ["finanziamneto", "finanziamento"]) == (report["language"], report["mended"])
    assert "query.contract" == report["next"]["rule"]
    shown = " ".join(streams("explain", "cerco un finanziamneto", "--locale", "en").stdout.split())
    assert "Italian; finanziamneto read as finanziamento" in shown
    assert "without it: query.contract (buy, " in shown
    event = {
        "event": "Products Searched",
        "properties": {"query": "where is my order", "url": "https://shop.example/cart"},
    }
    (report,) = lines("explain", json.dumps(event), "--json")
    assert [("event", "search"), ("query", "query.order"), ("page", "page.checkout")] == [
        (reason["evidence"], reason["rule"]) for reason in report["asked"]
    ]
    shown = " ".join(streams("explain", json.dumps(event)).stdout.split())
    assert 'the event\'s name "Products Searched": search (know, ' in shown
    assert "), unless the search says more" in shown


def test_explain_a_rejection() -> None:
    """An event that would be rejected is shown with its reason; fields
    that nobody wants to type may be missing.
    """
    (report,) = lines("explain", '{"event": 5}', "--json")
    assert "wrong_type" == report["rejected"]
    assert "undecodable" in streams("explain", '{"event": ').stdout


@pytest.mark.parametrize(
    ("context", "apart"),
    [
        ('{"userAgent": "Googlebot/2.1"}', "robot"),
        ('{"consent": {"categoryPreferences": {"analytics": false}}}', "refused"),
    ],
)
def test_explain_what_is_counted_apart(context: str, apart: str) -> None:
    """It says so, and that the event says nothing, whatever the rules know of its name."""
    event = f'{{"event": "Order Completed", "context": {context}}}'
    (report,) = lines("explain", event, "--json")
    assert (apart, "none", None) == (report["apart"], report["moment"], report["rule"])
    assert f"counted apart ({apart}" in " ".join(streams("explain", event).stdout.split())


def test_explain_lines(tmp_path: Path) -> None:
    """One line per line, in order: searches, names, pages, records of any format, and what is none."""
    call = '{"type": "Track", "event": "Order Completed", "userId": "u", "timestamp": "2024-05-20T10:00:00Z"}'
    given = [
        '{"text": "come arrivare al ristorante", "locale": "it"}',
        '{"event": "Product Added"}',
        '{"event": "Something Else"}',
        '{"page": "/checkout"}',
        call,
        '{"batch": [' + call + ', {"type": "alias", "userId": "u", "timestamp": "2024-05-20T10:00:00Z"}]}',
        "",
        "nonsense",
    ]
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(f"{line}\n" for line in given))
    found = lines("explain", "--jsonl", str(file))
    moments = [
        [item["moment"] for item in line["items"]] if "items" in line else line["moment"] for line in found
    ]
    assert ["do", "buy", "none", "buy", "truth", ["truth", "none"], "none", "none"] == moments
    keys = {"moment", "confidence", "sure", "rule", "evidence", "language", "asked", "next"}
    assert keys == set(found[0])
    assert ("segment", ["type"]) == (found[4]["format"], found[4]["repairs"])
    assert "undecodable" == found[7]["rejected"]


def test_explain_with_rules_of_ones_own(tmp_path: Path) -> None:
    """--rules names a rules file, as for replay."""
    rules = tmp_path / "rules.toml"
    rules.write_text(
        'name = "mine"\nextends = "default"\n[[event]]\nname = "tried"\nmoment = "do"\nconfidence = '
        '0.9\nnames = ["Dress Tried On"]\n'
    )
    (report,) = lines("explain", "Dress Tried On", "--rules", rules, "--json")
    assert ("tried", "do") == (report["rule"], report["moment"])
    assert report["rules"].startswith("mine-")
