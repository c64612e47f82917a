"""`streams explain --unknown` lists the names that no rule has, in files and in what a log has read."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import event, lines, streams, write

SHOP = [
    event("u-1", "Product Viewed", "10:00:00"),
    event("u-1", "my_order_paid_ok", "10:01:00"),
    event("u-2", "my_order_paid_ok", "10:02:00", properties={"order_id": "A-1"}),
    event("u-2", "My-Order-Paid-OK", "10:03:00"),
    event("u-2", "blender 17 switched on", "10:04:00"),
    event("u-2", "blender 4 switched on", "10:05:00"),
    event("u-3", "satchel_added_to_basket", "10:06:00"),
    event("u-3", "Payment Failed", "10:07:00"),
    event("u-3", "a_page_of_ours", "10:08:00", type="page"),
]


def named(report: dict[str, Any]) -> dict[str, Any]:
    """The names of a report without the place of an example."""
    return {
        name["name"]: {key: name[key] for key in ("events", "read_by", "moments", "rule")}
        for name in report["names"]
    }


EXPECTED = {
    "my_order_paid_ok": {
        "events": 3,
        "read_by": {"unnumbered_purchase": 2, "words": 1},
        "moments": {"buy": 2, "truth": 1},
        "rule": "words.purchase-unnumbered",
    },
    "blender # switched on": {
        "events": 2,
        "read_by": {"nothing": 2},
        "moments": {"none": 2},
        "rule": None,
    },
    "satchel_added_to_basket": {
        "events": 1,
        "read_by": {"words": 1},
        "moments": {"buy": 1},
        "rule": "words.cart-added",
    },
}


def test_names_in_a_file(tmp_path: Path) -> None:
    """How often each comes, what is read in it and by which words. Names that rules have are not there."""
    (report,) = lines("explain", "--unknown", write(tmp_path / "shop.jsonl", SHOP), "--json")
    assert EXPECTED == named(report)
    assert (9, 6, []) == (report["events"], report["unknown"], report["unreadable"])
    first = report["names"][0]
    assert ("my_order_paid_ok", "shop.jsonl: row 2", 2) == (first["name"], first["example"], first["unsure"])
    assert "cart: basket; added: added" == report["names"][-1]["matched"]


def test_names_in_a_log(tmp_path: Path) -> None:
    """What a data directory has read, by the rules that are in force now."""
    data = tmp_path / "data"
    assert 0 == streams("replay", write(tmp_path / "shop.jsonl", SHOP), "--data-dir", data).exit_code
    (report,) = lines("explain", "--unknown", "--data-dir", data, "--json")
    assert EXPECTED == named(report)
    assert report["names"][0]["example"].endswith("@1")
    own = tmp_path / "own.toml"
    own.write_text(
        'extends = "default"\n[[event]]\nname = "paid"\nmoment = "truth"\nconfidence = 0.9\n'
        'names = ["my order paid ok"]\n'
    )
    (later,) = lines("explain", "--unknown", "--data-dir", data, "--rules", own, "--json")
    assert {"blender # switched on", "satchel_added_to_basket"} == set(named(later))


def test_a_page_for_people(tmp_path: Path) -> None:
    """It says what to do about purchases that are not counted, and where the first event of a name is."""
    shown = streams("explain", "--unknown", write(tmp_path / "shop.jsonl", SHOP)).stdout
    told = " ".join(shown.split())
    assert "6 of 9 events (66.7%) have a name that no rule has" in told
    assert "2 of them look like purchases and name no order" in told
    assert "shop.jsonl: row 2" in told
    known = streams("explain", "--unknown", write(tmp_path / "known.jsonl", SHOP[:1])).stdout
    assert "0 of 1 events (0.0%)" in known


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--unknown", "x.jsonl", "--data-dir", "d"], "--unknown: a file, or --data-dir, --kafka and --app"),
        (["--unknown", "--search"], "--unknown: lists names"),
        (["--unknown", "--jsonl"], "--unknown: lists names"),
        (["--unknown", "no.jsonl"], "no.jsonl"),
        (["--unknown", "--data-dir", "no"], "no"),
        (["--unknown", "--format", "ga4"], "--format, --map and --zone say how a file is read"),
        (
            ["buy", "--data-dir", "d"],
            "--data-dir, --kafka, --app, --format, --map and --zone: are for --unknown",
        ),
    ],
)
def test_what_does_not_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    """It is refused, with what would be right."""
    monkeypatch.chdir(tmp_path)
    result = streams("explain", *arguments)
    assert 2 == result.exit_code
    assert says in " ".join(result.stderr.split())


def test_a_file_without_events(tmp_path: Path) -> None:
    """Nothing that can be read is an error, not an empty list."""
    result = streams("explain", "--unknown", write(tmp_path / "no.jsonl", [{"what": "is this"}]))
    assert 2 == result.exit_code
    assert "none of its events could be read" in result.stderr


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("carrello", "search"),
        ("aggiungi al carrello", "search"),
        ("basket_item_added", "event name"),
        ("basketItemAdded", "event name"),
    ],
)
def test_words_of_a_search_are_no_name(text: str, read_as: str) -> None:
    """A text is an event by its words only if it is spelled as names are: people search for words, too."""
    (report,) = lines("explain", text, "--json")
    assert read_as == report["read_as"]
