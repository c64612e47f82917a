"""One fixed input, and every byte that consumers see of it.

A change of a field, a number or an order of records that nobody meant must show up in review, so what is
published is stored beside the input, one line per record. `input.jsonl` holds, in this order: a whole way
with a repeated order and a thank-you page; copies of one event; an anonymous device that searches; events
that say nothing; two needs in one order; going back; refunds with and without an order id, matched and not;
events out of order; records that cannot be read; silence in the store and at the till; a late purchase that
splits a journey; a device's wrong clock; new rules; events beyond the horizon; a person busy enough to be
folded; dead letters that are redriven; amounts and parts of refunds; a guest who signs in at the till, and a
tablet of six people; and months of silence in which journeys
are abandoned, become final and are forgotten.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from schemas.receipt import DeadLetterTopic
from streams.core.funnels.totals import FunnelTotals
from streams.core.moments.rules import Rules, load_rules
from streams.log.memory import MemoryLog, MemorySession
from streams.queries.redriving import Redrive, Wanted
from streams.records import Batch, NewRecord, Output, Record
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.jsonl import jsonl_rows
from streams.topology import (
    CUES,
    FUNNEL,
    LATE,
    PROGRESS,
    REJECTED,
    REPEATABLE,
    TALLIES,
    TRANSITIONS,
    Topic,
)
from tests.telemetry.fixed import FixedClock

HERE = Path(__file__).parent
ARRIVED_MS = 1_785_542_400_000  # 2026-08-01: when all of it was appended
# 2026-12-01: how far time goes on in the end, so that all is final and people and devices are forgotten
END_MS = 1_796_083_200_000
REDRIVEN_MS = 1_788_220_800_000  # 2026-09-01
LETTERS: tuple[DeadLetterTopic, ...] = ("late", "rejected", "late")  # what is redriven, in this order
BATCH = 40
SECOND_RULES_FROM = 65  # the offset of the first record read with them
SETTINGS: dict[str, Any] = {
    "need": ["properties.category", "properties.products.category"],
    "dimensions": {"country": {"path": "context.country", "values": ["it", "es", "de"]}},
    "batch": BATCH,
}


class Published(MemoryLog):
    """A log that also keeps every record it was given, tombstones and replaced
    values included, with the number of its batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, Output]] = []

    async def open(self, partition: int) -> MemorySession:
        session = await super().open(partition)
        return _Session(
            partition, session._all, session._faults, session.sources, self.round_robin, self.said
        )


class _Session(MemorySession):
    def __init__(self, *given: Any) -> None:
        *of_memory, self._said = given
        super().__init__(*of_memory)

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        number = self._said[-1][0] + 1 if self._said else 0
        self._said += [(number, output) for output in batch.outputs]


def rules(number: int) -> Rules:
    """The first or second rules of the run."""
    return load_rules((HERE / f"rules-{number}.toml").read_text(encoding="utf-8"))


def records() -> list[bytes]:
    """The input, as a collector's file has it."""
    return [value for value, _ in jsonl_rows((HERE / "input.jsonl").read_bytes().splitlines())]


async def run(values: Sequence[bytes], **overrides: Any) -> list[tuple[int, Output]]:
    """All that an agent publishes of this input, as (number of its batch, record)."""
    log, given = Published(), Settings.model_validate({**SETTINGS, **overrides})
    await log.append([NewRecord(0, None, value, ARRIVED_MS) for value in values[:SECOND_RULES_FROM]])
    agent = await PartitionAgent.open(log, 0, given, rules(1), clock=FixedClock(ARRIVED_MS / 1000))
    await agent.catch_up()
    await log.append([NewRecord(0, None, value, ARRIVED_MS) for value in values[SECOND_RULES_FROM:]])
    agent = await PartitionAgent.open(log, 0, given, rules(2), clock=FixedClock(ARRIVED_MS / 1000))
    await agent.catch_up()
    for number, letter in enumerate(LETTERS, 1):
        await Redrive(log, f"redrive-{number}", FixedClock(REDRIVEN_MS / 1000)).send(Wanted(letter), ignored)
        await agent.catch_up()
    await agent.catch_up(END_MS)
    return with_totals(log.said)


def ignored(sent: int) -> None:
    """Progress that nobody looks at."""


def with_totals(said: list[tuple[int, Output]]) -> list[tuple[int, Output]]:
    """The same, and the totals that the funnel topic on Kafka gets if they are written after each batch."""
    totals, whole = FunnelTotals(1), list[tuple[int, Output]]()
    totals.at_end(0)
    for number, batch in groupby(said, key=lambda pair: pair[0]):
        outputs = [output for _, output in batch]
        for output in outputs:
            if output.topic == TALLIES.name:
                totals.take(0, [Record(0, 0, output.key, output.value)])
        whole += [(number, output) for output in (*outputs, *totals.outputs())]
    return whole


def stored(topic: str) -> list[dict[str, Any]]:
    """The stored records of a topic: each with its key, headers if it has any, and value.

    `progress` has no golden file, since it has the time of a clock: it is run.
    """
    if topic == PROGRESS.name:
        said = [output for _, output in asyncio.run(run(records())) if output.topic == topic]
        return [json.loads(line) for line in _lines(PROGRESS, said)]
    return [json.loads(line) for line in (HERE / f"{topic}.jsonl").read_text(encoding="utf-8").splitlines()]


def pages(said: list[tuple[int, Output]]) -> Iterator[tuple[Path, str]]:
    """Each topic's file and what belongs into it."""
    for topic in (*REPEATABLE, FUNNEL):
        lines = [
            line
            for _, batch in groupby(said, key=lambda pair: pair[0])
            for line in _lines(topic, [output for _, output in batch])
        ]
        yield HERE / f"{topic.name}.jsonl", "".join(lines)


def _lines(topic: Topic, batch: list[Output]) -> Iterator[str]:
    """Of one batch.

    The counters change each key once in a batch, in no order that means
    anything: by key they are easier to compare.
    """
    outputs = [output for output in batch if output.topic == topic.name]
    for output in sorted(outputs, key=lambda o: o.key or b"") if topic in (TALLIES, FUNNEL) else outputs:
        key = "null" if output.key is None else _quoted(output.key)
        # The headers of transitions and cues are no content; test_source_headers.py is about them.
        pairs = () if topic in (TRANSITIONS, CUES) else output.headers
        headers = ",".join(f"{_quoted(name.encode())}:{_quoted(value)}" for name, value in pairs)
        value = (
            "null"
            if output.value is None
            else _quoted(output.value)
            if topic in (LATE, REJECTED)
            else output.value.decode()
        )
        yield f'{{"key":{key},' + (f'"headers":{{{headers}}},' if headers else "") + f'"value":{value}}}\n'


def _quoted(raw: bytes) -> str:
    """Any bytes as JSON text. The values that are JSON themselves are shown as they are, to the byte."""
    return json.dumps(raw.decode("utf-8", "backslashreplace"), ensure_ascii=False)
