"""The page and the API never disagree with the commands."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.memory import MemoryLog
from streams.log.sqlite.log import SqliteLog
from streams.queries.cohorts import report_of_cells, reports_by_dimension
from streams.queries.funnel import read_funnel
from streams.queries.funnel_window import all_read_to_ms, choose_window, window_report
from streams.queries.instants import ms_of
from streams.queries.tallies import read_window_tallies
from streams.settings.durations import HOURS
from tests.cli.running import SMALL, streams, write
from tests.dashboard.asking import asked, shown
from tests.queries.written import HOUR, did

UNTIL = "2024-05-02T00:00:00Z"
WHO = ("u:ann", "u:bob", "d:cat")
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(WHO),
        st.sampled_from(("look", "glance", "cart", "pay", "back")),
        st.integers(0, 30 * HOUR),
        st.sampled_from(("mobile", "desktop", "")),
    ),
    max_size=25,
)


async def log_of(happened: Sequence[tuple[str, str, int, str]], partitions: int) -> MemoryLog:
    """In this order, so that many come late or take back what was."""
    records = [
        did(who, event, minute, context={"device": {"type": device}})
        for who, event, minute, device in happened
    ]
    return await shown(records, partitions)


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


@settings(max_examples=30)
@given(HAPPENINGS, st.integers(1, 2))
async def test_the_funnel_is_that_of_the_command(
    happened: Sequence[tuple[str, str, int, str]], partitions: int
) -> None:
    """Over all time and in a window, whole and by device."""
    log = await log_of(happened, partitions)
    dashboard = await asked(log)
    everything = await read_funnel(log)
    found = (await dashboard.get("/api/funnel?by=device")).json
    for name in ("journeys", "furthest", "been_in", "revenue"):
        assert plain(getattr(everything, name)) == found["report"][name]
    assert everything.cues == found["cues"]
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await log.checkpoints()]
    newest_ms = max((one.watermark_ms for one in stored if one is not None), default=-1)
    window = choose_window(24 * HOURS, ms_of(UNTIL), newest_ms)
    cells = await read_window_tallies(log, window)
    found = (await dashboard.get(f"/api/funnel?last=24h&until={UNTIL}&by=device")).json
    assert plain(report_of_cells(cells)) == found["report"]
    assert plain(reports_by_dimension(cells, "device")) == found["by"]["device"]
    assert plain(window_report(window, all_read_to_ms(stored))) == found["window"]


@settings(max_examples=20)
@given(HAPPENINGS)
async def test_the_figures_of_the_page_add_up(happened: Sequence[tuple[str, str, int, str]]) -> None:
    """Openings, purchases and journeys are the same in every part, and parts add up to the whole."""
    dashboard = await asked(await log_of(happened, 1))
    page = (await dashboard.get("/api/overview?range=7d&by=device")).json
    moves = page["moves"]
    assert page["opened"]["total"] == sum(m["count"] for m in moves if m["kind"] == "opened")
    assert page["purchases"]["total"] == sum(m["count"] for m in moves if m["kind"] == "converted")
    assert page["purchases"]["total"] == sum(point["count"] for point in page["purchases"]["points"])
    whole, *parts = page["by"]["rows"]
    for name in ("opened", "converted", "abandoned", "open"):
        assert whole[name] == sum(part[name] for part in parts)
        assert whole[name] == page["opened"]["total" if name == "opened" else name]
    here = sum(moment["open"] for moment in page["people"].values())
    assert here == (await dashboard.get("/api/funnel")).json["report"]["journeys"]["open"]
    cohorts = (await dashboard.get("/api/cohorts?range=28d")).json["cohorts"]
    for name in ("opened", "converted", "open"):
        assert sum(cohort[name] for cohort in cohorts) == whole[name]


PRINTED = (
    ((), ""),
    (("--by", "device"), "?by=device"),
    (("--last", "7d", "--until", "2024-05-21T00:00:00Z"), "?last=7d&until=2024-05-21T00:00:00Z"),
)


def test_the_funnel_is_that_of_the_command_line(tmp_path: Path) -> None:
    """What is printed, and what is answered."""
    directory = tmp_path / "data"
    assert 0 == streams("replay", write(tmp_path / "events.jsonl", SMALL), "--data-dir", directory).exit_code
    answers = asyncio.run(_answers(directory))
    for (options, _), answer in zip(PRINTED, answers, strict=True):
        printed = json.loads(streams("funnel", "--data-dir", directory, "--json", *options).stdout)
        both = answer["report"] | {name: answer[name] for name in ("cues", "by", "window")}
        common = [name for name in printed if both.get(name) is not None]
        assert {"journeys", "furthest", "been_in", "revenue"} <= {*common}
        assert {name: printed[name] for name in common} == {name: both[name] for name in common}


async def _answers(directory: Path) -> list[Any]:
    reader = SqliteLog.read_only(directory)
    try:
        dashboard = await asked(reader)
        return [(await dashboard.get(f"/api/funnel{parameters}")).json for _, parameters in PRINTED]
    finally:
        await reader.close()
