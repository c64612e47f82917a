"""A comparison in slices finds what one in a single piece finds, and says the same of what it compared."""

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.finality import CopyTimes
from streams.core.journeys.signal import Signal, event_ref, head_of
from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.memory import MemoryLog
from streams.log.port import Reader
from streams.queries.event_sets import BYTES_PER_EVENT, BYTES_PER_PERSON, EventSet, add_copy
from streams.queries.partition_check import PartitionCheck
from streams.queries.slices import Slice
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.damage import forge, twice, without
from tests.queries.test_verify import START, events

LAW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
NOW = int(START.timestamp() * 1000) + 400 * 86_400_000
SLICES = (1, 2, 7)
PEOPLE = 30
POOLED_IDS = 10_000


def crowd(seed: int, count: int, days: float, people: int = PEOPLE, ids: int = POOLED_IDS) -> list[bytes]:
    """Events of many people. `ids`: from how many each draws its id."""
    rnd = random.Random(seed)
    names = {b'"%s"' % who: [b'"p%d"' % n for n in range(people)] for who in (b"a", b"b")}
    found = []
    for value in events(seed, count, days, ids):
        for old, new in names.items():
            value = value.replace(b'Id":' + old, b'Id":' + rnd.choice(new))
        found.append(value)
    return found


async def written(values: list[bytes], **overrides: Any) -> MemoryLog:
    """A log in which all of these records are processed."""
    log = MemoryLog(1)
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    agent = await PartitionAgent.open(log, 0, load_settings(batch=100, **overrides), default_rules())
    await agent.catch_up()
    await agent.step(watermark_ms=agent.processor.population.watermark_ms)
    return log


async def checked(log: Reader, slices: int) -> tuple[PartitionCheck, str | None]:
    """The comparison with about so many slices, and what it found."""
    (raw,) = await log.checkpoints()
    assert raw is not None
    check = await PartitionCheck.load(log, 0, decode_checkpoint(raw))
    memory_bytes = (
        check.stored.checkpoint.counts.applied * (BYTES_PER_EVENT + BYTES_PER_PERSON // 4) // slices + 1
    )
    difference = await check.run(memory_bytes, lambda done, total: None)
    return check, difference


def outcome(check: PartitionCheck) -> tuple[object, ...]:
    people, counters = check.people, check.counters
    return check.records, people.checked, people.unchecked, people.transitions, counters.checked


@LAW
@given(st.integers(0, 2**32), st.sampled_from((50, 300)), st.sampled_from((2.0, 60.0)))
async def test_the_number_of_slices_changes_nothing(seed: int, count: int, days: float) -> None:
    """Everything is compared once, in however many slices."""
    log = await written(crowd(seed, count, days))
    found = {}
    for slices in SLICES:
        check, difference = await checked(log, slices)
        assert difference is None
        found[slices] = outcome(check)
        assert check.slices >= slices or check.people.checked < slices * 3
    assert len(set(found.values())) == 1


@pytest.mark.parametrize("slices", SLICES)
@pytest.mark.parametrize("topic", ["transitions", "late"])
@pytest.mark.parametrize("damage", [without, twice])
async def test_a_record_that_is_lost_or_doubled_is_found(slices: int, topic: str, damage: Any) -> None:
    """Wherever in the topic it is."""
    values = crowd(7, 400, 60.0)
    count = len((await written(values))._stored[0].appended[topic])
    assert count > 5
    for at in {0, count // 2, count - 1}:
        log = await written(values)
        damage(log._stored[0].appended[topic], at)
        _, difference = await checked(log, slices)
        assert difference is not None


@pytest.mark.parametrize("slices", SLICES)
async def test_a_counter_that_is_off_by_one_is_found(slices: int) -> None:
    """And one that is missing, unless it is zero: a recomputation has never seen what was taken back."""
    values = crowd(8, 300, 5.0)
    for at in range(0, 200, 37):
        for lost in (False, True):
            log = await written(values)
            latest = log._stored[0].latest["tallies"]
            counted = sorted(key for key, of in latest.items() if b'"count":0,' not in (of.value or b""))
            key = counted[at % len(counted)]
            old = latest[key].value
            assert old is not None
            before, _, count = old.partition(b'"count":')
            n = int(count.split(b",")[0].rstrip(b"}"))
            changed = before + b'"count":' + count.replace(b"%d" % n, b"%d" % (n + 1), 1)
            forge(log, key, None if lost else changed)
            _, difference = await checked(log, slices)
            assert difference is not None
            assert "counter" in difference


async def test_a_counter_that_was_deleted_too_early_is_found() -> None:
    """By a tombstone, although its window is still kept."""
    log = await written(crowd(8, 300, 5.0))
    tallies = log._stored[0].compacted["tallies"]
    tallies.put(next(key for key in tallies.latest if b"/all/" in key and b"opened" in key), None, ())
    _, difference = await checked(log, 1)
    assert difference is not None
    assert "counter recomputed, but not published" in difference


async def test_what_was_published_later_is_passed_over() -> None:
    """Counters and transitions of later batches than the checkpoint belong to no comparison with it, even if
    a compaction has removed the values that they had.
    """
    values = crowd(9, 300, 5.0)
    log = await written(values[:150])
    (raw,) = await log.checkpoints()
    assert raw is not None
    await log.append([NewRecord(0, None, value, NOW) for value in values[150:]])
    agent = await PartitionAgent.open(log, 0, load_settings(batch=40), default_rules())
    await agent.catch_up()
    for compacted in (False, True):
        if compacted:
            log.compact("tallies", 0)
        check = await PartitionCheck.load(log, 0, decode_checkpoint(raw))
        assert await check.run(1 << 30, lambda done, total: None) is None
        assert 150 == check.records
        assert check.people.transitions > 0
        assert (check.counters.unchecked > 0) == compacted
        assert check.counters.checked > 0


def test_people_take_what_they_are_said_to_take() -> None:
    """The figures by which slices are planned are those of a set of events and its transitions, and a third
    more.
    """
    for events_each in (1, 5, 40):
        taken = _measured_bytes(300, events_each)
        planned = 300 * (BYTES_PER_PERSON + events_each * BYTES_PER_EVENT)
        assert planned / 2 < taken < planned


def _measured_bytes(people: int, events_each: int) -> int:
    """What so many people take in memory, with so many events each and half as many transitions."""
    held: list[object] = []
    tracemalloc.start()
    try:
        for who in range(people):
            sets: list[EventSet] = [{}]
            for number in range(events_each):
                ref = event_ref(f"{who:08x}-0000-4000-8000-{number:012x}")
                signal = Signal(head_of(NOW + number + who * 100, 1, True, 3), ref, 5, 4)
                add_copy(sets, signal, CopyTimes(0, LATEST_MS))
            net = {f"{who}/{n}".encode().ljust(16): 1 for n in range((events_each + 1) // 2)}
            held += [f"u:customer-{who}", sets, net, NOW + who]
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_slices_split_into_all_that_they_were() -> None:
    """Each person is in exactly one slice, and stays in one of its parts."""
    slices = [small for people in Slice(1, 0).split(3) for small in people.split(4)]
    assert len(set(slices)) == 12
    for n in range(500):
        key = f"u:{n}"
        (own,) = [people for people in slices if people.has(key)]
        assert Slice(3, own.number % 3).has(key)
