"""Dead letters as real shops have them: once they are redriven, each counts for what it was."""

from collections import Counter
from pathlib import Path
from typing import Any

from tests.cli.running import event, lines, streams
from tests.cli.test_dead_letters import LATER, replayed
from tests.cli.test_redrive import redriven

TILL = event("max", "Order Completed", "", properties={"order_id": "o-1"}) | {
    "timestamp": "2024-05-20T10:05:00",  # what the clock on the wall of the shop in Rome shows: 08:05Z
    "context": {"timezone": "Europe/Rome"},
}
# One's own rules come before shipped ones: a watchdog says nothing, and a paid order is dated by its edit.
MEND = """
extends = "default"
name = "mend"
off = ["order-updated"]
[[event]]
name = "watchdog"
moment = "none"
types = ["track", "page"]
where = { path = "context.userAgent", contains = ["shop-watchdog"] }
[[event]]
name = "paid"
moment = "truth"
confidence = 0.9
names = ["Order Updated"]
where = { path = "properties.financial_status", is = ["paid"] }
"""


def told(here: Path, who: str) -> list[tuple[Any, ...]]:
    """The transitions of a person that stand: kind, time, seconds in the moment before."""
    net: Counter[tuple[Any, ...]] = Counter()
    for s in lines("transitions", "--data-dir", here / "data", "--json"):
        if s["profile"].endswith(f":{who}"):
            net[s["at"], s["kind"], s["dwell_s"]] += 1 if s["op"] == "assert" else -1
    return [(kind, at, dwell_s) for at, kind, dwell_s in sorted(+net, key=lambda step: step[0])]


def is_right(here: Path) -> bool:
    """True if everything computed again is what was published."""
    return streams("verify", "--data-dir", here / "data").exit_code == 0


def test_a_phone_was_offline_for_days(tmp_path: Path) -> None:
    """The purchase in a pop-up store without a network counts, at the time it was made, in the journey that
    led to it: whichever of its events the phone sends first.
    """
    replayed(tmp_path, event("max", "Product Viewed", "10:00:00"), LATER[0])
    replayed(
        tmp_path,
        event("max", "Order Completed", "10:12:00", properties={"order_id": "o1"}),
        event("max", "Product Added", "10:10:00"),
    )
    assert [("opened", "2024-05-20T10:00:00.000Z", None)] == told(tmp_path, "max")[:1]
    assert {"applied": 2} == redriven(tmp_path, "late")["ended"]
    assert [
        ("opened", "2024-05-20T10:00:00.000Z", None),
        ("advanced", "2024-05-20T10:10:00.000Z", 600.0),
        ("converted", "2024-05-20T10:12:00.000Z", 120.0),
    ] == told(tmp_path, "max")
    assert is_right(tmp_path)


def test_a_till_writes_local_times(tmp_path: Path) -> None:
    """Its days arrive late. They count at the time in its zone."""
    replayed(tmp_path, event("max", "Product Added", "08:00:00"), LATER[0])
    replayed(tmp_path, TILL)
    assert {"applied": 1} == redriven(tmp_path, "late")["ended"]
    assert [
        ("opened", "2024-05-20T08:00:00.000Z", None),
        ("converted", "2024-05-20T08:05:00.000Z", 300.0),
    ] == told(tmp_path, "max")
    assert is_right(tmp_path)


def test_rules_were_mended_before_the_redrive(tmp_path: Path) -> None:
    """What is redriven is read by the rules that are in force then, those of one's own first."""
    order = {"order_id": "7", "financial_status": "paid", "created_at": "2024-05-01T09:00:00Z"}
    replayed(tmp_path, *LATER)
    replayed(
        tmp_path,
        event("dog", "Product Added", "10:00:00", context={"userAgent": "shop-watchdog/2.0"}),
        event("max", "Order Updated", "10:00:00", properties=order),
    )
    (rules := tmp_path / "mend.toml").write_text(MEND, encoding="utf-8")
    found = redriven(tmp_path, "late", "--rules", rules)
    assert {"no_signal": 1, "applied": 1} == found["ended"]
    assert [] == told(tmp_path, "dog")
    at = "2024-05-20T10:00:00.000Z"
    assert [("opened", at, None), ("converted", at, None)] == told(tmp_path, "max")
    assert is_right(tmp_path)


def test_a_queue_was_stuck_for_two_months(tmp_path: Path) -> None:
    """The clock error of the phone is taken off its own time, to the millisecond."""
    stuck = event("max", "Order Completed", "", properties={"order_id": "1"}) | {
        "originalTimestamp": "2024-02-11T09:35:55.807Z",
        "sentAt": "2024-04-09T04:34:24.785Z",
        "receivedAt": "2024-04-09T04:34:25.251Z",
    }
    del stuck["timestamp"]
    replayed(tmp_path, *LATER)
    replayed(tmp_path, stuck)
    assert {"applied": 1} == redriven(tmp_path, "late")["ended"]
    assert ["2024-02-11T09:35:56.273Z"] * 2 == [at for _, at, _ in told(tmp_path, "max")]


def test_late_events_were_sent_again_with_other_times(tmp_path: Path) -> None:
    """Retries are copies: the earliest one stays, and the purchase counts once."""
    bought = event("max", "Order Completed", "10:06:00", properties={"order_id": "o"})
    replayed(tmp_path, *LATER)
    replayed(
        tmp_path,
        event("max", "Product Added", "10:00:00"),
        bought,
        bought | {"timestamp": "2024-05-20T10:05:00Z"},
        bought | {"timestamp": "2024-05-20T12:05:00Z"},
    )
    assert {"applied": 3, "duplicate": 1} == redriven(tmp_path, "late")["ended"]
    steps = [
        ("opened", "2024-05-20T10:00:00.000Z", None),
        ("converted", "2024-05-20T10:05:00.000Z", 300.0),
    ]
    assert steps == told(tmp_path, "max")
    assert is_right(tmp_path)


def test_a_refund_is_redriven_with_its_purchase(tmp_path: Path) -> None:
    """It lies before it among the dead letters, and gives back a part of it."""
    order = {"order_id": "1001", "currency": "EUR"}
    replayed(tmp_path, *LATER)
    replayed(
        tmp_path,
        event("max", "Order Refunded", "11:00:00", properties=order | {"total": 30}),
        event("max", "Order Completed", "10:00:00", properties=order | {"total": 90}),
    )
    found = redriven(tmp_path, "late")
    assert {"applied": 2} == found["ended"]
    assert ["opened", "converted", "partially_refunded"] == [kind for kind, _, _ in told(tmp_path, "max")]
    assert 9000 == found["counters"]["day/2024-05-20/revenue/converted/-/EUR/other/other"]
    assert is_right(tmp_path)


def test_an_order_is_edited_long_after_it_was_counted(tmp_path: Path) -> None:
    """The edit of an order that is final is a repeat of it: no second purchase, and no first one."""
    order = {"order_id": "2", "financial_status": "paid", "created_at": "2024-05-20T10:00:00Z"}
    replayed(tmp_path, event("max", "Order Completed", "10:00:00", properties={"order_id": "2"}), *LATER)
    replayed(tmp_path, event("max", "Order Updated", "10:00:01", properties=order))
    before = told(tmp_path, "max")
    found = redriven(tmp_path, "late")
    assert {"late": 1} == found["ended"]
    assert {"final": 1} == found["refused"]
    assert before == told(tmp_path, "max")
    assert is_right(tmp_path)
