"""Where batches are cut: by time and bytes when there is more to read, and it never shows in what is
published.
"""

import asyncio
import json
import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.clock import Clock
from streams.core.ingest.event import MAX_RECORD_BYTES
from streams.log.memory import MemoryLog
from streams.log.port import LOG_READ_BYTES
from streams.log.sqlite.chunks import CHUNK_BYTES
from streams.log.sqlite.log import SqliteLog
from streams.queries.net_records import list_net_records
from streams.records import NewRecord
from streams.runtime.embedded import Embedded
from streams.runtime.pace import TURN_S
from streams.runtime.partition_agent import MAX_BATCH_BYTES, READ_RECORDS, PartitionAgent
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from streams.topology import TRANSITIONS
from tests.core.processing.feeding import DAY, HORIZON, HOUR, MINUTE, START, event, rules

NOW = START + 400 * DAY


class SteppingClock(Clock):
    """A clock that goes on by so much with each look: as if what is done between two took so long."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def monotonic_s(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    def processor_s(self) -> float:
        return self.monotonic_s()

    def wall_ms(self) -> int:
        return NOW


def _events(rnd: random.Random, count: int) -> list[bytes]:
    """Weeks of a few people, with disorder, copies, purchases that go back, and what can't be read."""
    values: list[bytes] = []
    at = 0
    for n in range(count):
        at += rnd.choice((MINUTE, HOUR, HOUR, 6 * HOUR, 4 * DAY if n % 40 == 0 else HOUR))
        when = max(0, at - rnd.choice((0, 0, 0, HOUR, HORIZON, HORIZON + HOUR)))
        name = rnd.choice(("Looked", "Looked", "Looked", "Bought", "Sent Back", "Slept"))
        category = rnd.choice(("car", "coffee"))
        who = str(rnd.randrange(4))
        values.append(event(when, f"e{n}", name, user=who, category=category, order_id=f"o{n % 7}"))
        if rnd.random() < 0.1:
            values.append(rnd.choice((b"{", rnd.choice(values))))
    return values


async def _published(values: list[bytes], cut: random.Random | None) -> dict[str, Any]:
    """What holds in the end. `cut`: batches of random sizes, some by time; None: one batch of all."""
    log = MemoryLog(1)
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    clock = SteppingClock(0.003)
    agent = await PartitionAgent.open(log, 0, Settings(), rules(), clock=clock)
    agent.batch = len(values)
    while (step := await agent.step()).records or step.more:
        if cut is not None:
            agent.batch = cut.choice((1, 2, 7, 50, len(values)))
            agent.budget_s = cut.choice((None, 0.0, 0.01, 1.0))
    await agent.catch_up(START + 300 * DAY)
    appended = {
        topic: Counter([(record.key, record.value, record.headers) async for _, record in log.scan(topic)])
        for topic in ("cues", "journeys", "late", "rejected")
    }
    last = {
        topic: {record.key: _without_rev(record.value) async for _, record in log.scan(topic)}
        for topic in ("tallies", "current")
    }
    net = Counter(
        [json.dumps(_without_rev(one.record.value)) async for one in list_net_records(log, TRANSITIONS)]
    )
    counts = agent.processor.checkpoint.counts
    return {"net": net, "counts": counts, **appended, **last}


def _without_rev(value: bytes | None) -> Any:
    """A value without the number of the batch or record that wrote it."""
    return {name: found for name, found in json.loads(value or b"{}").items() if name != "rev"}


@pytest.mark.parametrize("seed", range(8))
async def test_where_batches_are_cut_does_not_show(seed: int) -> None:
    """Not in a net transition, final record or dead letter, nor in the last value of any key."""
    rnd = random.Random(seed)
    values = _events(rnd, 250)
    whole = await _published(values, None)
    cut = await _published(values, rnd)
    assert whole["late"]
    assert whole["rejected"]
    assert whole["journeys"]
    for what, found in whole.items():
        if what == "tallies":  # a counter that came back to zero may be written, or never have been
            found, cut[what] = (
                {key: value for key, value in cells.items() if value.get("count")}
                for cells in (found, cut[what])
            )
        assert found == cut[what], what


async def _behind(clock: Clock, count: int, faults: list[str]) -> PartitionAgent:
    log = MemoryLog(1, faults.append)
    await log.append([NewRecord(0, None, event(n, f"e{n}"), NOW) for n in range(count)])
    return await PartitionAgent.open(log, 0, Settings(), rules(), clock=clock)


@pytest.mark.parametrize(
    ("budget_s", "records"),
    [(None, 3 * READ_RECORDS), (0.0, READ_RECORDS), (1e9, 3 * READ_RECORDS)],
    ids=["no budget", "used up by the first read", "never used up"],
)
async def test_a_batch_ends_when_its_fold_has_taken_its_budget(budget_s: float | None, records: int) -> None:
    """Behind its input an agent reads on until then; time that others took does not count."""
    agent = await _behind(SteppingClock(0.001), 3 * READ_RECORDS, [])
    agent.budget_s = budget_s
    step = await agent.step()
    assert step.records == records


async def test_at_the_head_a_batch_is_committed_at_once() -> None:
    """One read and one commit, however large the budget."""
    points: list[str] = []
    agent = await _behind(SteppingClock(0.0), 10, points)
    agent.budget_s = 1e9
    points.clear()
    step = await agent.step()
    assert (step.records, points.count("read.before"), points.count("commit.after")) == (10, 1, 1)


@pytest.mark.parametrize(("run_s", "turns"), [(TURN_S / 100, False), (TURN_S, True)])
async def test_others_get_their_turn_while_an_agent_folds(run_s: float, turns: bool) -> None:
    """After each run of records that took long enough."""
    agent = await _behind(SteppingClock(run_s), READ_RECORDS, [])
    had = 0

    async def other() -> None:
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await agent.step()
    task.cancel()
    assert (had > 3) == turns


def _large(n: int) -> bytes:
    """A record of 1 MiB."""
    small = event(n, f"e{n}", note="")
    return small.replace(b'"note":""', b'"note":"%s"' % (b"x" * (MAX_RECORD_BYTES - len(small))))


async def test_reads_and_batches_are_bounded_in_bytes(tmp_path: Path) -> None:
    """Large records make reads and batches of fewer."""
    log = SqliteLog(tmp_path)
    count = 2 * MAX_BATCH_BYTES // MAX_RECORD_BYTES
    await log.append([NewRecord(0, None, _large(n), NOW) for n in range(count)])
    agent = await PartitionAgent.open(log, 0, Settings(), rules())
    fetched = await agent.session.read({}, count)
    size = sum(len(record.value or b"") for _, records in fetched.chunks for record in records)
    assert 0 < size <= LOG_READ_BYTES + CHUNK_BYTES
    step = await agent.step()
    assert (
        MAX_BATCH_BYTES <= step.records * MAX_RECORD_BYTES <= MAX_BATCH_BYTES + LOG_READ_BYTES + CHUNK_BYTES
    )
    await agent.close()
    await log.close()


async def test_a_file_of_large_records_is_replayed_in_bounded_memory(tmp_path: Path) -> None:
    """Far less than the file has, whose records have 1 MiB each."""
    count = 192
    with (tmp_path / "large.jsonl").open("wb") as file:
        for n in range(count):
            file.write(_large(n) + b"\n")
    settings = Settings(data_dir=tmp_path / "data")
    embedded = await Embedded.open(settings, rules())
    tracemalloc.start()
    try:
        replayed = await embedded.replay(
            FiniteInput([tmp_path / "large.jsonl"], InputFormat()), lambda progress: None
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await embedded.close()
    assert replayed.records == count
    assert peak < count * MAX_RECORD_BYTES / 2
