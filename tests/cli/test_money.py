"""The commands show amounts, refunds of parts, and refunds that found nothing."""

import json
from pathlib import Path
from typing import get_args

import pytest

from schemas.kinds import Kind
from streams.cli.render.timeline import SYMBOLS
from tests.cli.running import lines, streams

EVENTS = (
    ("u", "Order Completed", {"order_id": "1", "total": 90, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "1", "total": 30, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "2", "total": "?", "currency": "EUR"}),
    (None, "Order Refunded", {"order_id": "2"}),
)


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
    assert 1 == found["unread_amounts"]
    shown = streams("funnel", "--data-dir", data).stdout
    assert "bought for 90.00 EUR, 30.00 EUR given back" in shown
    assert "1 refund without a purchase, 1 refund without a person, 1 amount that cannot be read" in shown


def test_a_person_with_a_partial_refund_is_shown(data: Path) -> None:
    """Each step has a symbol, whatever its kind; the purchase stands."""
    shown = streams("journey", "u", "--data-dir", data).stdout
    assert "↩  partially_refunded" in shown
    assert "converted, came as far as truth" in shown
    assert set(get_args(Kind)) == set(SYMBOLS)
