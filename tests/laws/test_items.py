"""Records that hold several items: however events are put together into records, what comes of them is the
same.

Law: transitions, counters, how each item ended and every dead letter are those of the same events sent one by
one, in one partition and in several, and the recomputation agrees.
"""

import asyncio
import json
import random
from collections import Counter

import msgspec
import pytest

from streams.core.ingest.formats import FORMATS
from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.inbox import Forwarded, decode_message
from streams.log.memory import MemoryLog
from streams.queries.funnel import read_funnel
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.laws.test_forwarding import NOW, alone, events, said, together


def is_call(value: bytes) -> bool:
    """True for what can stand in a batch."""
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def put_together(values: list[bytes], rnd: random.Random) -> list[bytes]:
    """The same events in fewer records: some alone, some in batches, and some batches that hold none."""
    records: list[bytes] = []
    at = 0
    while at < len(values):
        run = values[at : at + rnd.choice((1, 2, 7, 40))]
        end = next((n for n, value in enumerate(run) if not is_call(value)), len(run))
        if end == 0 or (end == 1 and rnd.random() < 0.5):
            records.append(run[0])
            at += 1
            continue
        records.append(b'{"batch": [' + b",".join(run[:end]) + b'], "sentAt": "2026-03-01T00:00:00Z"}')
        at += end
        if rnd.random() < 0.1:
            records.append(b'{"batch": []}')
    return records


async def dead_letters(log: MemoryLog) -> Counter[tuple[str, bytes, bytes]]:
    """(topic, reason, value) of every dead letter."""
    found: Counter[tuple[str, bytes, bytes]] = Counter()
    for topic in ("late", "rejected"):
        async for _, record in log.scan(topic):
            found[topic, dict(record.headers)["reason"], record.value or b""] += 1
    return found


@pytest.mark.parametrize("seed", range(12))
def test_how_events_are_put_together_does_not_show(seed: int) -> None:
    """Batches end item by item as their events do one by one; an empty batch is one item that shows no
    intent.
    """

    async def law() -> None:
        rnd = random.Random(seed)
        settings = load_settings(batch=500)
        values = events(rnd, rnd.choice((60, 300)), rnd.choice((3, 30)), rnd.choice((2, 12)))
        records = put_together(values, rnd)
        empty = sum(record == b'{"batch": []}' for record in records)
        one = await alone(values, settings)
        many = await together(records, settings, rnd, rnd.choice((1, 3)), 0.0)
        assert await said(one) == await said(many)
        expected, found = await read_funnel(one), await read_funnel(many)
        assert expected.journeys == found.journeys
        assert expected.events.received + empty == found.events.received
        assert expected.events.no_signal + empty == found.events.no_signal
        for name in ("applied", "duplicate", "late", "rejected"):
            assert getattr(expected.events, name) == getattr(found.events, name), name
        assert await dead_letters(one) == await dead_letters(many)
        verified = await verify(many, lambda done, total: None)
        assert (None, (), found.events.received) == (
            verified.difference,
            tuple(verified.unchecked),
            verified.records,
        )

    asyncio.run(law())


async def opened(values: list[bytes], partitions: int = 1) -> tuple[MemoryLog, PartitionAgent]:
    log = MemoryLog(partitions, round_robin=partitions > 1)
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    return log, await PartitionAgent.open(log, 0, load_settings(batch=500), default_rules())


def call(who: str, id: str, **fields: str) -> bytes:
    """One call of a batch."""
    given = {"type": "track", "userId": who, "messageId": id, "event": "Product Added"}
    return json.dumps(given | {"timestamp": "2026-03-01T10:00:00Z"} | fields).encode()


async def test_a_dead_letter_names_the_item() -> None:
    """The bytes of the one item, and its place in the record."""
    log, agent = await opened([call("a", "1"), b'{"batch":[' + call("a", "2") + b',{"type":"dance"}]}'])
    step = await agent.step()
    (letter,) = [record async for _, record in log.scan("rejected")]
    headers = dict(letter.headers)
    assert (b'{"type":"dance"}', b"1", b"1") == (letter.value, headers["offset"], headers["index"])
    assert (2, 3, {"unknown_type": 1}) == (step.records, step.totals.received, dict(step.reasons["rejected"]))


async def test_a_forwarded_item_goes_alone() -> None:
    """Each item goes to the partition that owns its person, as its own bytes, with where it was read."""
    calls = [call(f"person-{n}", str(n)) for n in range(20)]
    log, agent = await opened([b'{"batch":[' + b",".join(calls) + b"]}"], partitions=4)
    step = await agent.step()
    messages = [decode_message(record.value) async for _, record in log.scan("inbox")]
    sent = {m.index: m for m in messages if isinstance(m, Forwarded)}
    assert step.totals.forwarded == len(sent) > 5
    assert step.totals.received + len(sent) == len(calls)
    assert all(("events:0", 0, calls[n]) == (m.source, m.offset, m.value) for n, m in sent.items())


async def test_an_empty_batch_is_one_item() -> None:
    """It ends as no-signal, for the reason `empty`."""
    _, agent = await opened([b'{"batch":[]}'])
    step = await agent.step()
    assert (1, 1, {"empty": 1}) == (
        step.totals.received,
        step.totals.no_signal,
        dict(step.reasons["no_signal"]),
    )


async def test_what_no_reader_of_this_release_reads_is_left_unchecked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Offsets of an era with another reader are named, and nothing is judged of that partition."""
    log, agent = await opened([call("a", str(n)) for n in range(5)])
    await agent.step()
    older = FORMATS["segment"].version
    newer = msgspec.structs.replace(FORMATS["segment"], version=older + 1)
    assert isinstance(FORMATS, dict)
    monkeypatch.setitem(FORMATS, "segment", newer)
    await log.append([NewRecord(0, None, call("a", "9"), NOW)])
    later = await PartitionAgent.open(log, 0, load_settings(batch=500), default_rules())
    await later.step()
    (stored,) = await log.checkpoints()
    assert [{}, {"events:0": 5}] == [era.offsets for era in decode_checkpoint(stored or b"").eras]
    verified = await verify(log, lambda done, total: None)
    assert verified.difference is None
    ((source, first, last, reader),) = verified.unchecked
    assert ("events:0", 0, 4) == (source, first, last)
    assert reader.startswith(f"segment {older},")
