"""The commands show amounts, refunds of parts, and refunds that found nothing."""

import json
from pathlib import Path
from typing import get_args

import pytest

from schemas.kinds import Kind
from streams.cli.render.amounts import amount_cell
from streams.cli.render.timeline import SYMBOLS
from tests.cli.running import SMALL, event, lines, streams, write

EVENTS = (
    ("u", "Order Completed", {"order_id": "1", "total": 90, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "1", "total": 30, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "2", "total": "?", "currency": "EUR"}),
    (None, "Order Refunded", {"order_id": "2"}),
    ("v", "Order Updated", {"order_id": "9", "status": "paid"}),
)
UNMATCHED = (
    "1 refund without a purchase, 1 refund without a person, 1 update of an unknown order",
    "1 amount that cannot be read",
)


def shown(*arguments: object) -> str:
    """What a command prints for people, with one space for all that lies between two words."""
    found = streams(*arguments)
    assert max(map(len, found.stdout.splitlines())) <= 100
    return " ".join(found.stdout.split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with EVENTS in it."""
    calls = [
        {
            **{"type": "track", "messageId": str(n), "userId": user, "event": name, "properties": properties},
            "timestamp": f"2024-05-20T10:0{n}:00Z",
        }
        for n, (user, name, properties) in enumerate(EVENTS)
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("".join([json.dumps(call) + "\n" for call in calls]))
    assert 0 == streams("replay", file, "--data-dir", tmp_path / "data").exit_code
    return tmp_path / "data"


def test_the_funnel_shows_revenue_and_what_found_nothing(data: Path) -> None:
    """Amounts are whole minor units by currency and kind; for people they have their digits."""
    (found,) = lines("funnel", "--data-dir", data, "--json")
    assert {"EUR": {"converted": 9000, "partially_refunded": -3000}} == found["revenue"]
    assert {"purchase": 1, "person": 1} == found["unmatched_refunds"]
    assert (1, 1) == (found["unmatched_updates"], found["unread_amounts"])
    text = shown("funnel", "--data-dir", data)
    assert "bought for 90.00 EUR, 30.00 EUR given back" in text
    assert ", ".join(UNMATCHED) in text


@pytest.mark.parametrize("need", [(), ("--need", "")])
def test_revenue_of_a_window_and_by_a_dimension(data: Path, need: tuple[str, ...]) -> None:
    """By when something was bought or given back, and under the dimensions of that event."""
    here = ("funnel", "--data-dir", data, *need)
    (found,) = lines(*here, "--by", "device", "--json")
    assert {"EUR": {"converted": 9000, "partially_refunded": -3000}} == found["revenue"]
    assert found["revenue"] == found["by"]["device"]["other"]["revenue"]
    assert "other 1 1 0 1 100.0% ███████████████ 60.00 EUR" in shown(*here, "--by", "device")
    window = ("--last", "2m", "--until", "2024-05-20T10:03:00Z")
    (found,) = lines(*here, *window, "--json")
    assert {"EUR": {"partially_refunded": -3000}} == found["revenue"]
    assert "in this window: bought for 0.00 EUR, 30.00 EUR given back" in shown(*here, *window)


def test_transitions_show_what_found_nothing(data: Path) -> None:
    """Beneath the table, where refunds are in it; lines for machines are transitions and nothing else."""
    here = ("transitions", "--data-dir", data)
    every = lines(*here, "--json")
    assert ["opened", "converted", "partially_refunded"] == [step["kind"] for step in every]
    for given in ((), ("--net",), ("--limit", 1), ("--kind", "refunded")):
        assert f"counted and no steps: {UNMATCHED[0]}" in shown(*here, *given)
    assert "counted and no steps" not in shown(*here, "--kind", "stalled")


def test_a_person_with_a_partial_refund_is_shown(data: Path) -> None:
    """Each step has a symbol, whatever its kind; the purchase stands."""
    text = shown("journey", "u", "--data-dir", data)
    assert "↩ partially_refunded" in text
    assert "converted, came as far as truth" in text
    assert "★ converted truth 90.00 EUR" in text
    assert "truth 30.00 EUR given back" in text
    assert set(get_args(Kind)) == set(SYMBOLS)


def test_steps_show_their_amounts(data: Path) -> None:
    """In the table of transitions and beside the events that caused them."""
    assert "partially_refunded truth - 30.00 EUR refund" in shown("transitions", "--data-dir", data)
    text = shown("why", "u", "--data-dir", data)
    assert "converted - → truth 90.00" in text


def test_a_currency_of_a_newer_release() -> None:
    """Its digits are not known, so none are guessed."""
    assert "9,050 minor units of XXA" == amount_cell(9050, "XXA")
    assert "-90.50 EUR" == amount_cell(-9050, "EUR")
    assert "" == amount_cell(None, None)


def test_a_table_without_amounts_has_no_column_for_them(tmp_path: Path) -> None:
    """Nobody who does not sell sees an empty column."""
    data = tmp_path / "data"
    streams("replay", write(tmp_path / "small.jsonl", SMALL), "--data-dir", data)
    assert "amount" not in shown("transitions", "--data-dir", data)
    assert "amount" not in shown("journeys", "--data-dir", data)


def test_finished_journeys_show_amounts(tmp_path: Path) -> None:
    """With the digits of the currency; what parts gave back is beside it, and such a purchase stands."""
    orders = {"ann": (90, "EUR"), "bob": (12000, "JPY"), "cat": ("3.5", "KWD")}
    events = [
        event(who, "Order Completed", "10:00:00", properties={"total": total, "currency": currency})
        for who, (total, currency) in orders.items()
    ]
    parts = [("ann", "11:00:00", 30), ("ann", "12:00:00", 10.5), ("cat", "11:00:00", 9)]
    events += [
        event(who, "Order Refunded", at, properties={"total": total, "currency": orders[who][1]})
        for who, at, total in parts
    ]
    later = event("zoe", "Product Viewed", "10:00:00") | {"timestamp": "2024-06-10T10:00:00Z"}
    data = tmp_path / "data"
    streams("replay", write(tmp_path / "events.jsonl", [*events, later]), "--data-dir", data)
    rows = {row.split()[2]: row for row in streams("journeys", "--data-dir", data).stdout.splitlines()[1:-1]}
    assert {
        "u:ann": "converted 90.00 EUR 40.50 EUR truth 0.0 s",
        "u:bob": "converted 12,000 JPY truth 0.0 s",
        "u:cat": "refunded 3.500 KWD 3.500 KWD truth 0.0 s",
    } == {who: " ".join(row.split()[3:]) for who, row in rows.items()}
