"""What is exported is what the questions answer, row for row and in sum."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.funnels.windows import ALL_TIME
from streams.errors import ConfigError
from streams.log.memory import MemoryLog
from streams.queries.cohorts import FUNNEL_MOMENTS, Cohort
from streams.queries.funnel import read_funnel
from streams.queries.instants import ms_of
from streams.queries.listing import list_records
from streams.queries.net_records import list_net_records
from streams.queries.parquet.columns import columns_of
from streams.queries.parquet.exporting import ExportChoice, check_target, export
from streams.queries.parquet.manifest import MANIFEST, Manifest
from streams.queries.parquet.table_file import TableFile
from streams.queries.parquet.tables import table_rows
from streams.queries.time_range import EVER, TimeRange
from streams.topology import CUES, JOURNEYS, TRANSITIONS
from tests.queries.test_need_funnel import ABOUT
from tests.queries.written import DAY, SHOP, did, written

ABOUT_APP = Manifest(app="shop", as_of="2024-05-06T00:00:00.000Z", exported_at="2024-05-07T00:00:00.000Z")
DIMENSIONS = ("device", "channel")
END = did("u:zoe", "look", 0, timestamp="2024-07-28T00:00:00Z")  # everything before it is over then
FLAT = {"dimensions": "", "opened_dimensions": "opened_"}


@st.composite
def happened(draw: st.DrawFn) -> bytes:
    """Something that somebody did about something. Some pages were slow, and some events have an amount."""
    properties = {
        "about": draw(st.sampled_from(["car", "coffee", ""])),
        "slow": draw(st.booleans()),
        **draw(st.sampled_from([{}, {"total": 30, "currency": "EUR"}, {"total": 90, "currency": "JPY"}])),
    }
    device = {"device": {"type": draw(st.sampled_from(["mobile", "desktop", ""]))}}
    who, name = draw(st.sampled_from(["u:ann", "u:bob", "d:cat"])), draw(st.sampled_from(NAMES))
    return did(who, name, draw(st.integers(0, 4 * DAY)), properties=properties, context=device)


NAMES = ("look", "glance", "cart", "pay", "back")


async def exported(
    log: MemoryLog, directory: Path, times: TimeRange = EVER, raw: bool = False
) -> Mapping[str, Path]:
    """The files of an export, by the name of the table."""
    choice = ExportChoice(DIMENSIONS, times, raw)
    found = await export(log, directory, ABOUT_APP, choice, lambda rows: None)
    return {name.removesuffix(".parquet"): directory / name for name in found.files}


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The rows, without what is null in them."""
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in pq.read_table(file).to_pylist()
    ]


def as_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record of a topic is as a row: times as times, maps as columns, nothing where it has null."""
    return {name: value for name, value in _columns(record) if value is not None}


def _columns(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name in FLAT:
            yield from ((f"{FLAT[name]}dim_{dimension}", word) for dimension, word in value.items())
        elif name == "dwell_s" and isinstance(value, dict):
            yield from ((f"dwell_{moment}_s", spent) for moment, spent in value.items())
        elif isinstance(value, list):
            yield name, [as_nested(one) if isinstance(one, dict) else one for one in value]
        elif name == "at" or name.endswith("_at"):
            yield name, datetime.fromisoformat(value)
        elif name != "record":
            yield name, value


def as_nested(stay: Mapping[str, Any]) -> dict[str, Any]:
    return {**stay, "at": datetime.fromisoformat(stay["at"])}


async def records(log: MemoryLog, topic: Any, net: bool = False) -> list[dict[str, Any]]:
    listed = (list_net_records if net else list_records)(log, topic)
    return [json.loads(one.record.value or b"") async for one in listed]


def asked(sql: str, **files: Path) -> list[Any]:
    """The rows of an answer of DuckDB."""
    with duckdb.connect() as database:
        for name, file in files.items():
            database.execute(f"CREATE VIEW {name} AS SELECT * FROM '{file}'")
        return database.execute(sql).fetchall()


@settings(max_examples=20)
@given(st.lists(happened(), max_size=14), st.integers(1, 2), st.booleans())
async def test_it_says_what_the_questions_say(told: list[bytes], partitions: int, is_over: bool) -> None:
    """About needs, with late events, corrections and refunds: each step and journey, and every sum of the
    funnel, out of counters and out of steps.
    """
    log = await written(told + [END] * is_over, partitions, need=("properties.about",))
    with TemporaryDirectory() as directory:
        files = await exported(log, Path(directory), raw=True)
        for topic in (TRANSITIONS, CUES):
            assert [as_row(one) for one in await records(log, topic, net=True)] == rows_of(files[topic.name])
            assert [as_row(one) for one in await records(log, topic)] == rows_of(files[f"raw_{topic.name}"])
        finished = await records(log, JOURNEYS)
        for table, tag in (("journeys", "journey"), ("refunds", "refund")):
            assert [as_row(one) for one in finished if one["record"] == tag] == rows_of(files[table])
        await _check_sums(log, files)


async def _check_sums(log: MemoryLog, files: Mapping[str, Path]) -> None:
    funnel, cells, steps = await read_funnel(log), files["cells"], files["transitions"]
    journeys = "measure = 'cohort' AND outcome IN ('open', 'converted', 'abandoned')"
    cohorts = {(moment, outcome): getattr(cohort, outcome) for moment, cohort in funnel.furthest.items()
        for outcome in Cohort.__struct_fields__}  # fmt: skip
    found = asked("""SELECT furthest, outcome, sum(count) FROM cells
        WHERE "window" = 'all' AND measure = 'cohort' GROUP BY ALL""", cells=cells)  # fmt: skip
    assert Counter(cohorts) == Counter({(furthest, outcome): n for furthest, outcome, n in found})
    opened = dict(asked(f'SELECT "window", sum(count) FROM cells WHERE {journeys} GROUP BY ALL', cells=cells))
    assert funnel.journeys.opened == opened.get("day", 0) == opened.get("all", 0)
    kinds = dict(asked("SELECT kind, count(*) FROM steps GROUP BY ALL", steps=steps))
    for name in ("opened", "converted", "abandoned", "refunded"):
        assert getattr(funnel.journeys, name) == kinds.get(name, 0)
    found = asked('SELECT "to", count(*) FROM steps WHERE first_entry GROUP BY ALL', steps=steps)
    assert dict.fromkeys(FUNNEL_MOMENTS, 0) | dict(found) == funnel.been_in
    signed = "sum(CASE kind WHEN 'converted' THEN value_minor ELSE -value_minor END)"
    for question in (
        f"SELECT currency, kind, {signed} AS n FROM steps WHERE currency IS NOT NULL GROUP BY ALL",
        """SELECT currency, kind, sum(count) AS n FROM cells
        WHERE "window" = 'all' AND measure = 'revenue' GROUP BY ALL""",
    ):
        revenue: dict[str, dict[str, int]] = {}
        for currency, kind, n in asked(question, cells=cells, steps=steps):
            if n:
                revenue.setdefault(currency, {})[kind] = n
        assert funnel.revenue == revenue


async def test_each_file_has_types_and_says_where_it_is_from(tmp_path: Path) -> None:
    """Times are times in UTC, words are dictionaries, amounts are whole numbers."""
    files = await exported(await written([*SHOP, END], 2), tmp_path)
    assert ["transitions", "cues", "journeys", "refunds", "cells"] == list(files)
    described = dict(
        asked("SELECT column_name, column_type FROM (DESCRIBE steps)", steps=files["transitions"])
    )
    assert ("TIMESTAMP WITH TIME ZONE", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR[]") == tuple(
        described[name] for name in ("at", "value_minor", "dwell_s", "first_entry", "skipped")
    )
    read = pq.read_schema(files["transitions"])
    assert all("dictionary" in str(read.field(name).type) for name in ("kind", "from", "dim_device", "op"))
    for file in files.values():
        metadata = pq.read_metadata(file).metadata
        assert (b"shop", b"2024-05-06T00:00:00.000Z", b"1.0") == tuple(
            metadata[b"streams." + name] for name in (b"app", b"as_of", b"contract")
        )
    written_down = json.loads((tmp_path / MANIFEST).read_text())
    rows = {name: pq.read_metadata(file).num_rows for name, file in files.items()}
    assert rows == {
        name.removesuffix(".parquet"): file["rows"] for name, file in written_down["files"].items()
    }
    assert all(0 < n for name, n in rows.items() if name != "cues")


async def test_a_range(tmp_path: Path) -> None:
    """Steps are those of its time, and windows those that begin in it; counters over all time are of none."""
    log = await written([*SHOP, END])
    times = TimeRange(ms_of("2024-05-01T00:05:00Z"), ms_of("2024-05-01T00:12:00Z"))
    files = await exported(log, tmp_path, times)
    assert [as_row(one) for one in await records(log, TRANSITIONS, net=True)
        if "2024-05-01T00:05" <= one["at"] < "2024-05-01T00:12"] == rows_of(files["transitions"])  # fmt: skip
    starts = {row["start"].isoformat()[:16] for row in rows_of(files["cells"])}
    assert starts <= {f"2024-05-01T00:{minute:02d}" for minute in range(5, 12)}
    assert 1 == len(rows_of(files["journeys"]))


def test_rows_are_written_in_groups(tmp_path: Path) -> None:
    """So that few are held at a time; words stay dictionaries, whatever words each group has."""
    from schemas import RefundRecord

    record = json.loads((Path(__file__).parents[3] / "schemas" / "examples" / "journeys.json").read_text())[
        -1
    ]
    file = TableFile(tmp_path / "some.parquet", columns_of(RefundRecord, ()), {}, 2, 4)
    kinds = ["refunded", "partially_refunded", "refunded"] * 3
    for kind in kinds:
        file.add(record | {"kind": kind})
        assert len(file._records) < 2
        assert len(file._packed) < 2
    file.close()
    assert 3 == pq.read_metadata(tmp_path / "some.parquet").num_row_groups
    assert kinds == [row["kind"] for row in rows_of(tmp_path / "some.parquet")]


async def test_what_ends_early_leaves_nothing(tmp_path: Path) -> None:
    """Neither a part of a file, nor less of the export that was there; the next one replaces all of that."""
    log = await written(SHOP)
    await exported(log, tmp_path, raw=True)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def stop(rows: int) -> None:
        if rows == 5:
            raise KeyboardInterrupt

    for directory in (tmp_path, tmp_path / "new"):
        check_target(directory, replace=True)
        with pytest.raises(KeyboardInterrupt):
            await export(log, directory, ABOUT_APP, ExportChoice(DIMENSIONS, EVER), stop)
    assert [] == list((tmp_path / "new").iterdir())
    (tmp_path / "new").rmdir()
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    await exported(log, tmp_path)
    assert {name for name in before if not name.startswith("raw_")} == {
        file.name for file in tmp_path.iterdir()
    }


def test_counters_of_partitions_are_added_up() -> None:
    """And windows come in order, so that a reader finds a range without reading all of the file."""

    async def run() -> None:
        one, two = [await written(ABOUT, partitions) for partitions in (1, 2)]
        found = [
            [row async for name, row in table_rows(log, EVER, False) if name == "cells"] for log in (one, two)
        ]
        unordered = [Counter(json.dumps(row, sort_keys=True) for row in rows) for rows in found]
        assert unordered[0] == unordered[1]
        for rows in found:
            starts = [row["start"] for row in rows if row["window"] == "minute"]
            assert sorted(starts) == starts
            assert ALL_TIME == len({row["window"] for row in rows}) - 1

    asyncio.run(run())


def test_another_export_stays(tmp_path: Path) -> None:
    """Unless it is to be replaced. Other files may be there."""
    (tmp_path / "notes.txt").touch()
    check_target(tmp_path, replace=False)
    (tmp_path / "journeys.parquet").touch()
    with pytest.raises(ConfigError, match=r"holds an export already \(journeys.parquet\).*--replace"):
        check_target(tmp_path, replace=False)
    check_target(tmp_path, replace=True)
    with pytest.raises(ConfigError, match="is a file: name a directory"):
        check_target(tmp_path / "notes.txt", replace=True)
