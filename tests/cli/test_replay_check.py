"""`streams replay --check` says what a replay would do, and does nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import event, streams, write

GOOD = [
    event("ann", "Product Viewed", "10:00:00", anonymousId="d1", properties={"product_id": "p"}),
    event("ann", "Order Completed", "10:12:00", properties={"order_id": "o1"}),
    event("bob", "Order Completed", "10:05:00", userId="undefined", anonymousId="d2", context=[]),
    event("bob", "Yodelled Far", "10:06:00"),
    event("bob", "Yodelled Far", "10:07:00"),
    event("bob", "Sneezed", "10:08:00"),
    {"type": "alias", "userId": "ann", "previousId": "d1", "timestamp": "2024-05-20T10:00:00Z"},
]


def checked(here: Path, records: list[Any], *arguments: object) -> dict[str, Any]:
    """What --check --json prints about these records."""
    result = streams("replay", "--check", "--json", write(here / "clicks.jsonl", records), *arguments)
    assert result.exit_code == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_report_for_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure is as worked out by hand, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    report = checked(tmp_path, [*GOOD, "{", "}", "hello"])
    assert [tmp_path / "clicks.jsonl"] == list(tmp_path.iterdir())
    assert [{"type": "track", "name": "Yodelled Far", "events": 2}, "Sneezed"] == [
        report["unread"][0],
        report["unread"][1]["name"],
    ]
    (refused,) = report.pop("refused")
    assert ("undecodable", 3, 3) == (refused["reason"], refused["items"], len(refused["samples"]))
    assert {"detail": "not JSON, nor a line of a known format", "value": "hello"} == refused["samples"][2]
    assert {"know": 1, "truth": 2, "none": 4} == report["moments"]
    assert {"placeholder": 1, "empty_list": 1} == report["repaired"]
    expected = {
        "rows": 10,
        "items": 10,
        "events": 7,
        "empty": 0,
        "refused_items": 3,
        "first": "2024-05-20T10:00:00.000Z",
        "last": "2024-05-20T10:12:00.000Z",
        "disorder_s": 720.0,
        "sorted": False,
        "people": 3,
        "people_exact": True,
        "with_user": round(6 / 7, 4),
        "with_device": round(2 / 7, 4),
        "purchases": 2,
        "with_order": 0.5,
        "guess": None,
        "warnings": [],
    }
    assert expected == {name: report[name] for name in expected}


def test_the_report_for_people(tmp_path: Path) -> None:
    """Files out of order are one input that would be sorted; more than half refused is a warning."""
    old = [event("zoe", "Product Viewed", "10:00:00") | {"timestamp": "2024-01-01T10:00:00Z"}]
    write(tmp_path / "a.jsonl", [*GOOD, *old])
    write(tmp_path / "b.jsonl", ["{"] * 20)
    result = streams("replay", "--check", tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert result.exit_code == 0, result.stderr
    for words in (
        "2 files, 28 rows",
        "up to 140 d 0 h out of order: a replay sorts them",
        "20 undecodable",
        "track Yodelled Far",
        "2; 50.0% of them have an order id",
        "1 placeholder",
        "warning: 20 of 28 events are refused (71%)",
    ):
        assert words.replace(" 0 h", "") in result.stdout.replace(" 0 h", ""), words


def test_a_file_that_is_refused_to_the_last_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with exit code 2 after the report, and a replay of it too."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "clicks.jsonl", ["{", '{"what": "is this"}'])
    result = streams("replay", "--check", "clicks.jsonl")
    assert 2 == result.exit_code
    assert "1 unknown_format" in result.stdout
    assert "'clicks.jsonl' is not what it was read as (--format): none of its events" in result.stderr
    write(tmp_path / "empty.jsonl", [])
    assert 0 == streams("replay", "--check", "empty.jsonl").exit_code


def test_json_is_for_the_check(tmp_path: Path) -> None:
    """A replay prints a report for people only, and says so."""
    result = streams("replay", "--json", write(tmp_path / "clicks.jsonl", GOOD))
    assert (2, True) == (result.exit_code, "--json is for --check" in result.stderr)


def test_who_somebody_is_has_no_name_for_rules(tmp_path: Path) -> None:
    """Calls that only say who somebody is are not among the names that no rule reads."""
    at = {"timestamp": "2025-03-10T09:46:45Z", "api_key": "phc_x", "distinct_id": "ann", "properties": {}}
    report = checked(
        tmp_path, [at | {"event": "$identify"}, at | {"event": "$set"}, at | {"event": "Sneezed"}]
    )
    assert ["Sneezed"] == [unread["name"] for unread in report["unread"]]


def test_robots_and_refusals_are_counted_and_no_more(tmp_path: Path) -> None:
    """They are no people and show no moment; of a refused record that cannot be read nothing is shown."""
    refusal = {"context": {"consent": {"categoryPreferences": {"analytics": False}}}}
    records = [
        *GOOD,
        event("eve", "Sneezed loudly", "10:01:00") | refusal,
        event("bot", "Order Completed", "10:02:00", context={"userAgent": "Googlebot/2.1"}),
        {"type": "track", "event": "Sneezed", "userId": "someone"} | refusal,
    ]
    plain, report = checked(tmp_path, GOOD), checked(tmp_path, records)
    assert (7, 1, 1, 1) == tuple(
        report[name] for name in ("events", "robots", "without_consent", "refused_items")
    )
    for name in ("people", "moments", "unread", "purchases", "with_user", "repaired"):
        assert plain[name] == report[name], name
    (refused,) = report["refused"]
    assert [("missing_time", "")] == [(refused["reason"], sample["value"]) for sample in refused["samples"]]
    assert "someone" not in json.dumps(report)
