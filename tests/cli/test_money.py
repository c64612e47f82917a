"""`streams funnel` shows amounts, and refunds that found nothing."""

import json
from pathlib import Path

from tests.cli.running import lines, streams

EVENTS = (
    ("u", "Order Completed", {"order_id": "1", "total": 90, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "1", "total": 30, "currency": "EUR"}),
    ("u", "Order Refunded", {"order_id": "2", "total": "?", "currency": "EUR"}),
    (None, "Order Refunded", {"order_id": "2"}),
)


def test_the_funnel_shows_revenue_and_what_found_nothing(tmp_path: Path) -> None:
    """Amounts are whole minor units by currency and kind; for people they have their digits."""
    file, data = tmp_path / "events.jsonl", tmp_path / "data"
    calls = [
        {
            **{"type": "track", "messageId": str(n), "userId": user, "event": name, "properties": properties},
            "timestamp": f"2024-05-20T10:0{n}:00Z",
        }
        for n, (user, name, properties) in enumerate(EVENTS)
    ]
    file.write_text("".join([json.dumps(call) + "\n" for call in calls]))
    assert 0 == streams("replay", file, "--data-dir", data).exit_code
    (found,) = lines("funnel", "--data-dir", data, "--json")
    assert {"EUR": {"converted": 9000, "partially_refunded": -3000}} == found["revenue"]
    assert {"purchase": 1, "person": 1} == found["unmatched_refunds"]
    assert 1 == found["unread_amounts"]
    shown = streams("funnel", "--data-dir", data).stdout
    assert "bought for 90.00 EUR, 30.00 EUR given back" in shown
    assert "1 refund without a purchase, 1 refund without a person, 1 amount that cannot be read" in shown
