"""What `streams funnel` prints for people and for machines."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.running import event, lines, streams, write


def test_the_funnel_for_machines(data: Path) -> None:
    """The funnel as JSON has exactly these fields, zeros included."""
    none = dict.fromkeys(("open", "stalled", "converted", "abandoned", "refunded"), 0)
    assert [
        {
            "profiles": 2, "profiles_converted": 1,
            "journeys": {"opened": 2, "open": 1, "stalled": 0, "converted": 1, "abandoned": 0, "refunded": 0},
            "furthest": {"know": none | {"open": 1}, "go": none, "do": none, "buy": none,
            "truth": none | {"converted": 1}},
            "been_in": {"know": 2, "go": 0, "do": 0, "buy": 1, "truth": 1},
            "cues": {},
            "revenue": {}, "time_to_convert": {"purchases": 1, "p50_s": 344.064, "p90_s": 344.064},
            "stitched": 0, "from_nowhere": 0,
            "unmatched_refunds": {"purchase": 0, "person": 0}, "unmatched_updates": 0, "unread_amounts": 0,
            "events": {
                "received": 6, "applied": 4, "refused": 0, "robot": 0, "no_signal": 0, "duplicate": 1,
                "late": 0, "rejected": 1,
            },
            "repaired": {},
        }
    ] == lines("funnel", "--data-dir", data, "--json")  # fmt: skip


def test_the_funnel_by_a_dimension(data: Path) -> None:
    """--by adds one field; a name that is no dimension is an error, which names the dimensions."""
    (found,) = lines("funnel", "--data-dir", data, "--json", "--by", "device")
    assert ["other"] == list(found["by"]["device"])
    other = found["by"]["device"]["other"]
    assert {
        name: found[name] for name in ("journeys", "furthest", "been_in", "revenue", "time_to_convert")
    } == other
    wrong = streams("funnel", "--data-dir", data, "--by", "colour")
    assert (2, "") == (wrong.exit_code, wrong.stdout)
    assert "--by colour: is no dimension" in wrong.stderr
    assert "its dimensions are device, channel" in wrong.stderr


def test_the_funnel_of_a_window(data: Path) -> None:
    """--last is about the journeys opened in it; people and events are not counted by window."""
    here = ["funnel", "--data-dir", data, "--json", "--until", "2024-05-20T10:06:30Z"]
    (found,) = lines(*here, "--last", "5m", "--by", "device")
    assert {
        "start": "2024-05-20T10:01:00.000Z", "end": "2024-05-20T10:06:00.000Z", "cells": "minute",
        "over": True, "read_to": "2024-05-20T10:07:00.000Z",
    } == found["window"]  # fmt: skip
    assert 0 == found["journeys"]["opened"]
    assert ["window", "journeys", "furthest", "been_in", "revenue", "time_to_convert", "by"] == list(found)
    (found,) = lines(*here, "--last", "10m")
    assert (1, 1) == (found["journeys"]["opened"], found["journeys"]["converted"])
    shown = streams("funnel", "--data-dir", data, "--last", "10m", "--until", "2024-05-20T10:30:00Z").stdout
    assert "journeys opened from 2024-05-20 10:20:00 to 2024-05-20 10:30:00 UTC" in shown
    assert "not over yet: events up to 2024-05-20 10:07:00 have been read" in shown


def test_the_funnel_of_the_last_minutes(tmp_path: Path) -> None:
    """Without --until a window ends now."""
    now = datetime.now(UTC)
    events = [
        event("ann", "Product Viewed", "10:00:00") | {"timestamp": (now - timedelta(minutes=ago)).isoformat()}
        | {"messageId": str(ago), "userId": str(ago)}
        for ago in (10, 600)
    ]  # fmt: skip
    streams("replay", write(tmp_path / "events.jsonl", events), "--data-dir", tmp_path / "data")
    for last, opened in (("2h", 1), ("20h", 2)):
        (found,) = lines("funnel", "--data-dir", tmp_path / "data", "--last", last, "--json")
        assert (opened, False) == (found["journeys"]["opened"], found["window"]["over"])


def test_the_funnel_of_a_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--need reads the transitions and says how far they go back."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "streams.toml").write_text('need = "properties.about"')
    events = [
        event("ann", "Product Viewed", "10:00:00", properties={"about": "car"}),
        event("bob", "Product Viewed", "10:01:00", properties={"about": "coffee"}),
    ]
    streams("replay", write(tmp_path / "events.jsonl", events))
    (found,) = lines("funnel", "--need", "car", "--json")
    assert ("car", "2024-05-20T10:00:00.000Z", 0, 1) == (
        found["need"], found["transitions_from"], found["cut_journeys"], found["journeys"]["opened"],
    )  # fmt: skip
    shown = streams("funnel", "--need", "car").stdout
    assert "about car, from the transitions, which go back to 2024-05-20 10:00:00" in shown
    assert "1 journeys" in shown or "1 journey" in shown


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_need_where_there_are_none(data: Path, json: list[str]) -> None:
    """It is a wrong command, not a funnel of zeros. The nameless need is there."""
    result = streams("funnel", "--need", "car", "--data-dir", data, *json)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--need car: there are no needs here (the setting `need` is not set)" in result.stderr
    (found,) = lines("funnel", "--need", "", "--data-dir", data, "--json")
    assert 0 < found["journeys"]["opened"]
