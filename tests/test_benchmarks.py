"""The benchmark runs, and measures what it says it does."""

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import dashboard, hot_keys, identity, moments, pipeline, readers, views
from benchmarks.generate import events
from benchmarks.memory import SIGNALS
from streams.core.ingest.event import Event
from streams.core.ingest.times import LATEST_MS
from tests.reading import read_record


def test_events_are_the_same_for_the_same_seed() -> None:
    """Two machines measure the same stream."""
    assert events(500, 50, 1, seed=7) == events(500, 50, 1, seed=7) != events(500, 50, 1, seed=8)


def test_events_have_the_stated_mix() -> None:
    """Every record can be read; about 5 % are out of order by at most 5 minutes, about 1 % come
    twice, and sizes are those of a collector's.
    """
    records = events(20_000, 2_000, 4)
    read_events = [read_record(record.value, (), LATEST_MS) for record in records]
    assert all(isinstance(event, Event) for event in read_events)
    ids = [event.id for event in read_events if isinstance(event, Event)]
    assert 0.005 < 1 - len(set(ids)) / len(ids) < 0.015
    behind_ms = [
        record.time_ms - event.at_ms
        for record, event in zip(records, read_events, strict=True)
        if isinstance(event, Event)
    ]
    assert 0.03 < sum(ms > 1_000 for ms in behind_ms) / len(records) < 0.07
    assert 0 <= min(behind_ms) <= max(behind_ms) <= 600_000
    assert all(330 <= len(record.value or b"") <= 600 for record in records)


def test_a_small_run_prints_every_figure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`make bench` names the machine, each stage, and the goals beside the figures."""
    pipeline.main(
        [
            "--events",
            "2000",
            "--people",
            "100",
            "--profiles",
            "5",
            "--runs",
            "1",
            "--batch",
            "500",
            "--dir",
            str(tmp_path),
        ]
    )
    printed = capsys.readouterr().out
    stages = (
        "decode",
        "classify",
        "dimensions",
        "fold",
        "timers",
        "tally",
        "encode",
        "append",
        "commit",
        "replay of a file",
    )
    assert [stage for stage in stages if stage not in printed] == []
    assert printed.count("goal") == 4
    assert "Python 3." in printed
    assert f"{SIGNALS} signals" in printed


def test_hot_keys_prints_its_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    """Each figure of many stands beside that of few, with the goal."""
    hot_keys.main(["--many", "60", "--runs", "1"])
    printed = capsys.readouterr().out
    assert "people with 30 signals" in printed
    assert 3 == printed.count(f"goal {hot_keys.GOAL}")


def test_readers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Each format that has a golden file has a line, beside Segment's."""
    readers.main(["--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert {"segment", "snowplow", "shopify", "matomo", "xdm", "access-log"} <= {
        line.split()[0] for line in lines
    }
    assert all("times Segment's" in line for line in lines)


def test_searches_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Each figure stands beside its goal, and the memory is said."""
    moments.main(["--searches", "400", "--runs", "1"])
    printed = capsys.readouterr().out
    lines = ("new search, us", "search that is remembered, us", "loading and compiling, s", "memory: rules")
    assert [line for line in lines if line not in printed] == []


def test_searches_are_all_different() -> None:
    """No search comes twice, so a cache of searches helps none of them; the same seed makes the same ones."""
    given = list(islice(moments.searches(), 2_000))
    assert len({text for text, _ in given}) == 2_000
    assert {"en", "it", "es"} == {language for _, language in given}
    assert given == list(islice(moments.searches(), 2_000))


def test_the_read_model_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each figure."""
    views.main(["--cells", "1000", "--partitions", "2"])
    assert 5 == len(capsys.readouterr().out.splitlines())


def test_a_start_and_stories_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each figure."""
    monkeypatch.setattr(dashboard, "EVENTS", 300)
    monkeypatch.setattr(dashboard, "STORIES", 20)
    dashboard.main(["--cells", "1000", "--steps", "500"])
    assert 9 == len(capsys.readouterr().out.splitlines())


def test_identity_prints_its_ratios(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each figure that has a goal stands beside it; people with many devices are measured, and memory."""
    monkeypatch.setattr(identity, "MANY", (1, 20))
    monkeypatch.setattr(identity, "EVENTS_OF_ONE", 20)
    monkeypatch.setattr(identity, "PER_FIGURE", 20)
    monkeypatch.setattr(identity, "PEOPLE", 5)
    identity.main(["--events", "2000", "--people", "200", "--runs", "1"])
    printed = capsys.readouterr().out
    lines = ("guests: off", "users: off", "a link that moves 120 events", "one person on 20 devices", "9 d")
    assert [line for line in lines if line not in printed] == []
    assert 4 == printed.count("goal ")
