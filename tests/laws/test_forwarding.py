"""Inputs that are not keyed by the person: events take the way through the handover
topic, and nothing of it shows in the result.

Law: however the events are spread over partitions and inputs, however far the agents run ahead
of each other and whenever they die, everybody's journeys and all counters are what one
partition makes of the same events in order.
"""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from streams.core.ingest.partition import partition_of
from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.inbox import Forwarded, decode_message
from streams.log.memory import MemoryLog
from streams.queries.funnel import read_funnel
from streams.queries.verify import verify
from streams.records import Batch, NewRecord, Output
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from streams.settings.tables import Settings
from tests.telemetry.fixed import FixedClock

DAY, START = 86_400_000, 1_772_323_200_000
NAMES = (
    "Product Viewed",
    "Store Located",
    "Video Playback Started",
    "Product Added",
    "Order Completed",
    "Order Refunded",
    "Scrolled",
)
APART: tuple[dict[str, Any], ...] = (
    {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
    {"consent": {"categoryPreferences": {"analytics": False}}},
)
"""Contexts of events that are counted apart: of a robot, and of a person who refused."""
NOW = START + 400 * DAY


def events(rnd: random.Random, count: int, days: int, people: int, tenants: bool = False) -> list[bytes]:
    """In order of time but for some hours; some sent twice, some broken."""
    found: list[bytes] = []
    for n in range(count):
        at = START + days * DAY * n // count - rnd.choice((0, 0, 0, rnd.randrange(DAY)))
        properties: dict[str, Any] = {"order_id": f"o{rnd.randrange(9)}"} if rnd.random() < 0.3 else {}
        if tenants:
            properties["shop"] = rnd.choice(("", "north", "south"))
        stamp = datetime.fromtimestamp(at / 1000, UTC).isoformat()
        who = {rnd.choice(("userId", "anonymousId")): f"p{rnd.randrange(people)}"}
        context = rnd.choice(APART) if rnd.random() < 0.08 else {}
        found.append(
            msgspec.json.encode(
                {
                    "type": "track",
                    "messageId": f"m{n}",
                    "event": rnd.choice(NAMES),
                    "timestamp": stamp,
                    "properties": properties,
                    "context": context,
                    **who,
                }
            )[: None if rnd.random() > 0.02 else 30]
        )
        if rnd.random() < 0.05:
            found.append(found[-1])
    return found


def key(value: bytes, settings: Settings) -> bytes:
    """The record key of an event's person, read without the product's own way to it."""
    try:
        event = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return b""
    person = event.get("userId", event.get("anonymousId", ""))  # a batch has none
    shop = event["properties"].get("shop") if settings.tenant else None
    return (f"{shop}\x1f{person}" if shop else person).encode()


async def alone(values: list[bytes], settings: Settings) -> MemoryLog:
    """One partition, in order."""
    log = MemoryLog(1)
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    agent = await PartitionAgent.open(log, 0, settings, default_rules())
    await agent.catch_up()
    await agent.catch_up(agent.processor.population.watermark_ms)
    return log


async def together(
    values: list[bytes], settings: Settings, rnd: random.Random, partitions: int, keyed: float
) -> MemoryLog:
    """Spread over the partitions, a part of them where they belong;
    agents take turns as they like, and die.
    """
    log = MemoryLog(partitions, round_robin=keyed < 1.0)
    home = [partition_of(key(value, settings), partitions) for value in values]
    spread = [number if rnd.random() < keyed else rnd.randrange(partitions) for number in home]
    await log.append(
        [NewRecord(number, None, value, NOW) for number, value in zip(spread, values, strict=True)]
    )
    agents = [
        await PartitionAgent.open(log, number, settings, default_rules()) for number in range(partitions)
    ]
    pace = [rnd.choice((1, 1, 5, 30)) for _ in agents]  # some are rarely given a turn
    for turn in range(40 * partitions + len(values)):
        number = rnd.randrange(partitions)
        if rnd.randrange(pace[number]) and turn < len(values):
            continue
        agent = agents[number]
        agent.batch = rnd.choice((1, 3, 20, 200))
        if rnd.random() < 0.05:
            # And dies with it.
            agent.processor.take(await agent.session.read(agent.processor.tracker.offsets, 10))
            agents[number] = await PartitionAgent.open(log, number, settings, default_rules())
            continue
        await agent.step()
    for _ in range(3):  # what one hands over last the other has yet to read
        for agent in agents:
            agent.batch = 500
            await agent.catch_up()
    for _ in range(4):
        for agent in agents:
            await agent.step()
    mark = max(agent.processor.population.watermark_ms for agent in agents)
    for agent in agents:
        await agent.catch_up(mark)
    return log


async def said(log: MemoryLog) -> Counter[bytes]:
    """The standing transitions, less the number that counts within a partition."""
    found: Counter[bytes] = Counter()
    async for _, record in log.scan("transitions"):
        said = msgspec.json.decode(record.value or b"")
        op = said.pop("op")
        del said["rev"]
        found[msgspec.json.encode(said)] += 1 if op == "assert" else -1
    assert min(found.values()) >= 0
    return +found


async def checkpoints(log: MemoryLog) -> list[Checkpoint]:
    return [decode_checkpoint(raw) for raw in await log.checkpoints() if raw is not None]


@pytest.mark.parametrize("seed", range(16))
def test_nothing_shows_of_the_way_that_events_take(seed: int) -> None:
    """Transitions, counters and how each record ended are one partition's; what was handed over
    was read elsewhere; nothing is late by it.
    """

    async def law() -> None:
        rnd = random.Random(seed)
        tenants = seed % 4 == 0
        settings = load_settings(batch=500, tenant="properties.shop" if tenants else None)
        values = events(rnd, rnd.choice((60, 400)), rnd.choice((3, 30, 90)), rnd.choice((2, 12)), tenants)
        one = await alone(values, settings)
        many = await together(values, settings, rnd, rnd.choice((2, 3, 5)), rnd.choice((0.0, 0.0, 0.9, 1.0)))
        assert await said(many) == await said(one)
        expected, found = await read_funnel(one), await read_funnel(many)
        for name in expected.__struct_fields__:
            assert getattr(found, name) == getattr(expected, name)
        assert found.events.late == expected.events.late
        assert found.events.received == len(values)
        forwarded = sum(c.counts.forwarded for c in await checkpoints(many))
        messages = [decode_message(record.value) async for _, record in many.scan("inbox")]
        assert forwarded == sum(isinstance(message, Forwarded) for message in messages)
        verified = await verify(many, lambda done, total: None)
        assert verified.difference is None
        assert verified.records == len(values)

    asyncio.run(law())


@pytest.mark.parametrize("tenants", [False, True])
async def test_every_record_is_where_its_key_belongs(tenants: bool) -> None:
    """The key of each record about a person is their bare id, after the tenant, and the hash of that key
    names the partition that the record is in, whichever way the event came.
    """
    rnd = random.Random(7)
    settings = load_settings(batch=50, tenant="properties.shop" if tenants else None)
    log = await together(events(rnd, 300, 200, 12, tenants), settings, rnd, 3, 0.0)
    found = set()
    for topic in ("transitions", "journeys", "current", "current_devices"):
        async for number, record in log.scan(topic):
            value = msgspec.json.decode(record.value or b"")
            tenant, person = value["tenant"], value["profile"][2:]
            assert record.key == (person if tenant is None else f"{tenant}\x1f{person}").encode()
            assert number == (murmur2(record.key) & 0x7FFFFFFF) % 3
            found.add((topic, number, tenant))
    assert {(topic, number) for topic in ("transitions", "journeys") for number in range(3)} <= {
        (topic, number) for topic, number, _ in found
    }
    assert {tenant for _, _, tenant in found} == ({None, "north", "south"} if tenants else {None})


async def test_headers_name_the_record_that_was_read_first() -> None:
    """Whichever way an event came: a transition's headers name the record of the input that holds it."""
    rnd = random.Random(8)
    log = await together(events(rnd, 300, 90, 12), load_settings(batch=50), rnd, 3, 0.3)
    stored = {
        ("events", number, record.offset): record.value or b"" async for number, record in log.scan("events")
    }
    crossed = with_headers = 0
    async for number, record in log.scan("transitions"):
        headers = {name: value.decode() for name, value in record.headers}
        if headers:
            place = (
                headers["source-topic"],
                int(headers["source-partition"]),
                int(headers["source-offset"]),
            )
            step = msgspec.json.decode(record.value or b"")
            assert step["event"] == msgspec.json.decode(stored[place])["messageId"]
            assert "0" == headers.get("source-index", "0")
            with_headers += 1
            crossed += place[1] != number
    assert with_headers > crossed > 0


@pytest.mark.parametrize("tenants", [False, True])
async def test_a_keyed_input_costs_nothing(tenants: bool) -> None:
    """When everybody's events are where they belong, nothing is handed over and nobody tells anybody
    anything. (With identity on, partitions report to each other all the same.)
    """
    tenant = "properties.shop" if tenants else None
    settings = load_settings(batch=500, tenant=tenant, identity={"on": False})
    values = events(random.Random(1), 200, 9, 8, tenants)
    log = await together(values, settings, random.Random(2), 3, 1.0)
    assert [record async for _, record in log.scan("inbox")] == []
    assert not any(c.forwarding or c.peers for c in await checkpoints(log))


async def test_a_partition_that_is_ahead_waits() -> None:
    """One that has read three months does not judge late what another has
    yet to hand over, however long that takes.
    """
    values = events(random.Random(3), 300, 90, 4)
    settings = load_settings(batch=500)
    log = MemoryLog(2, round_robin=True)
    await log.append([NewRecord(n % 2, None, value, NOW) for n, value in enumerate(values)])
    ahead, behind = [await PartitionAgent.open(log, number, settings, default_rules()) for number in range(2)]
    while (await ahead.step()).records:
        pass
    assert ahead.processor.tracker.waiting_for == [1]
    assert ahead.processor.population.watermark_ms < START + 5 * DAY  # of three months that it has read
    for agent in (behind, ahead, behind, ahead):
        for _ in range(5):
            await agent.step()
    counts = [agent.processor.checkpoint.counts for agent in (ahead, behind)]
    assert [c.late for c in counts] == [0, 0]
    assert sum(c.received for c in counts) == len(values)
    assert (
        ahead.processor.population.watermark_ms == behind.processor.population.watermark_ms > START + 85 * DAY
    )


async def test_who_is_silent_for_ever_can_be_let_go() -> None:
    """Then the others go on without it, and wait again as soon as it is back."""
    values = events(random.Random(4), 100, 30, 4)
    log = MemoryLog(2, round_robin=True)
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    clock = FixedClock(0.0)
    settings = load_settings(batch=500, exclude_after="10m")
    agent = await PartitionAgent.open(log, 0, settings, default_rules(), clock=clock)
    while (await agent.step()).records:
        pass
    stuck = agent.processor.population.watermark_ms
    for _ in range(11):
        assert agent.processor.tracker.excluded == set()
        clock.now_s += 60.0
        await agent.step()
    assert agent.processor.tracker.excluded == {1}
    await agent.step()
    assert agent.processor.population.watermark_ms > stuck
    other = await PartitionAgent.open(log, 1, load_settings(batch=500), default_rules())
    await other.step()
    await agent.step()
    assert agent.processor.tracker.excluded == set()
    assert agent.processor.tracker.waiting_for == [1]


async def test_who_was_away_itself_excludes_nobody() -> None:
    """It has heard nobody meanwhile: what others have reported waits to be read. What it sends may be late by
    now, so it remembers none of it as told.
    """
    log = MemoryLog(2, round_robin=True)
    clock = FixedClock(0.0)
    settings = load_settings(exclude_after="10m")
    agent = await PartitionAgent.open(log, 0, settings, default_rules(), clock=clock)
    await agent.step()
    for _ in range(5):
        clock.now_s += 3_600.0
        await agent.step()
    assert agent.processor.tracker.excluded == set()
    assert agent.processor.tracker.was_away


async def test_what_somebody_else_wrote_into_the_handover_is_rejected() -> None:
    """One rejection each, which names the place; everything else goes on, and the recomputation agrees."""
    values = events(random.Random(5), 60, 3, 4)
    log = await together(values, load_settings(batch=500), random.Random(6), 2, 0.0)
    before = (await read_funnel(log)).events
    strangers = [
        None,
        b"",
        b"\xff",
        values[0],
        msgspec.msgpack.encode(["forwarded/1", "clicks:0"]),
        msgspec.msgpack.encode(["forwarded/99", "clicks:0", 1, 0, 5, "segment", [], values[0]]),
        msgspec.msgpack.encode(["watermark/1", "one", 5, False]),
    ]
    foreign = await log.open(1)
    raw = (await log.checkpoints())[1]
    assert raw is not None
    await foreign.commit(Batch([Output("inbox", None, stranger, (), 0) for stranger in strangers], [], raw))
    agent = await PartitionAgent.open(log, 0, load_settings(batch=500), default_rules())
    await agent.catch_up()
    after = (await read_funnel(log)).events
    assert len(strangers) == after.rejected - before.rejected == after.received - before.received
    assert {b"inbox"} == {
        dict(r.headers)["topic"] for _, r in [e async for e in log.scan("rejected", 0)][-len(strangers) :]
    }
    assert (await verify(log, lambda done, total: None)).difference is None
