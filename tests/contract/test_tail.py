"""A follower who asks again and again ends with what a scan gives, whatever happens between."""

import random

import msgspec
import pytest

from streams.log.port import Log
from streams.log.tail import FollowedTable, Tail, TailPosition
from streams.records import Headers, Output
from streams.topology import STATE
from tests.contract.conftest import Compact, NewStore
from tests.contract.looking import COMPACTED, batch, fill, scanned

TURNS = 40
KEYS = [b"%d" % number for number in range(6)]


def restarted(position: TailPosition) -> TailPosition:
    """The position as it comes back from wherever a follower has stored it."""
    return msgspec.json.decode(msgspec.json.encode(position), type=TailPosition)


async def to_end(log: Log, topic: str, position: TailPosition | None, limit: int = 1_000) -> list[Tail]:
    """All tails up to the end."""
    tails = [await log.tail(topic, 0, position, limit)]
    while not tails[-1].at_end:
        tails.append(await log.tail(topic, 0, tails[-1].position, limit))
    return tails


async def catch_up(log: Log, topic: str, table: FollowedTable, position: TailPosition | None) -> TailPosition:
    """Reads to the end in small steps."""
    for tail in await to_end(log, topic, position, 3):
        table.apply(tail)
    return tail.position


def held(table: FollowedTable) -> list[tuple[int, bytes | None, bytes | None, Headers]]:
    """What a follower has, in the form of a scan."""
    return [(0, key, record.value, record.headers) for key, record in sorted(table.records.items())]


@pytest.mark.parametrize("topic", ["transitions", "journeys"])
async def test_each_record_of_an_append_only_topic_comes_once(new_store: NewStore, topic: str) -> None:
    """In order, in steps of any size, over restarts; nothing is ever read anew."""
    log = new_store()()
    session = await log.open(0)
    found: list[bytes | None] = []
    position, written = None, 0
    chance = random.Random(topic)
    for _ in range(TURNS):
        count = chance.randrange(4)
        outputs = [Output(topic, b"k", b"%d" % number) for number in range(written, written + count)]
        await session.commit(batch(b"c", outputs))
        written += count
        tail = await log.tail(topic, 0, position, chance.randrange(1, 5))
        assert not tail.anew
        found += [record.value for record in tail.records]
        position = restarted(tail.position)
    await scanned(log, topic)
    for tail in await to_end(log, topic, position):
        assert not tail.anew
        found += [record.value for record in tail.records]
    assert found == [b"%d" % number for number in range(written)]
    await log.close()


async def test_a_compacted_topic_begins_at_its_first_offset(
    new_store: NewStore, sleep_through_compaction: Compact
) -> None:
    """Between that and the end lies what a follower reads."""
    log = new_store()()
    session = await log.open(0)
    for turn in range(3):
        outputs = [Output("tallies", key, b"%d" % turn) for key in KEYS]
        await session.commit(batch(b"c", outputs))
    await scanned(log, "tallies")
    (end,) = await log.end_positions("tallies")
    await sleep_through_compaction(log, "tallies", 0, end)
    (first,), (end,) = await log.first_offsets("tallies"), await log.end_positions("tallies")
    records = [record for tail in await to_end(log, "tallies", None) for record in tail.records]
    assert first == records[0].offset
    assert end.offset - first >= len(records) >= len(KEYS)
    await log.close()


async def test_the_input_can_be_followed(new_store: NewStore) -> None:
    """With times, keys and headers."""
    log = new_store()()
    await fill(log, [b"a", b"b"], time_ms=7)
    (tail,) = await to_end(log, "events", None)
    assert [(record.offset, record.time_ms, record.key, record.value) for record in tail.records] == [
        (0, 7, b"key", b"a"),
        (1, 7, b"key", b"b"),
    ]
    await log.close()


@pytest.mark.parametrize("topic", COMPACTED)
async def test_tombstones_of_a_compacted_topic_are_followed(new_store: NewStore, topic: str) -> None:
    """A value of None, in order among the others, while no compaction has removed it."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(batch(b"1", [Output(topic, b"a", b"1"), Output(topic, b"b", b"1", (("h", b"v"),))]))
    first = (await to_end(log, topic, None))[-1]
    await session.commit(batch(b"2", [Output(topic, b"a", None), Output(topic, b"b", b"2")]))
    await scanned(log, topic)
    tails = await to_end(log, topic, first.position)
    records = [(record.key, record.value) for tail in tails for record in tail.records]
    assert records == [(b"a", None), (b"b", b"2")]
    assert [tail.anew for tail in tails] == [False] * len(tails)
    await log.close()


async def test_who_slept_through_a_compaction_reads_anew(
    new_store: NewStore, sleep_through_compaction: Compact
) -> None:
    """It learns that a key is gone whose tombstone is gone too, and keeps its table whole until it knows."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(batch(b"1", [Output("current", b"a", b"1"), Output("current", b"b", b"1")]))
    table = FollowedTable()
    position = await catch_up(log, "current", table, None)
    await session.commit(batch(b"2", [Output("current", b"a", None), Output("current", b"c", b"2")]))
    position = restarted(await sleep_through_compaction(log, "current", 0, position))
    woken = await log.tail("current", 0, position, 1)
    assert woken.anew
    table.apply(woken)
    assert {b"a", b"b"} <= table.records.keys() | {record.key for record in woken.records}
    await catch_up(log, "current", table, woken.position)
    assert held(table) == await scanned(log, "current") == [(0, b"b", b"1", ()), (0, b"c", b"2", ())]
    await log.close()


async def test_all_keys_can_be_gone_after_a_sleep(
    new_store: NewStore, sleep_through_compaction: Compact
) -> None:
    """A topic of which nothing is left empties the table of a follower."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(batch(b"1", [Output("current", key, b"1") for key in KEYS]))
    table = FollowedTable()
    position = await catch_up(log, "current", table, None)
    assert len(table.records) == len(KEYS)
    await session.commit(batch(b"2", [Output("current", key, None) for key in KEYS]))
    position = await sleep_through_compaction(log, "current", 0, position)
    await catch_up(log, "current", table, position)
    assert held(table) == []
    await log.close()


@pytest.mark.parametrize("seed", range(4))
async def test_a_follower_ends_with_what_a_scan_gives(
    new_store: NewStore, sleep_through_compaction: Compact, seed: int
) -> None:
    """It reads in small steps, sleeps through compactions, and
    restarts from a stored position, in any order.
    """
    log = new_store()()
    session = await log.open(0)
    chance, table = random.Random(seed), FollowedTable()
    position: TailPosition | None = None
    for turn in range(TURNS):
        what = chance.random()
        if what < 0.4:
            keys = chance.choices(KEYS, k=chance.randrange(1, 5))
            values = [None if chance.random() < 0.4 else b"%d" % turn for _ in keys]
            outputs = [Output("current", key, value) for key, value in zip(keys, values, strict=True)]
            await session.commit(batch(b"c", outputs))
        elif what < 0.85 or position is None:
            tail = await log.tail("current", 0, position, chance.randrange(1, 4))
            table.apply(tail)
            position = tail.position
        elif what < 0.93:
            position = await sleep_through_compaction(log, "current", 0, position)
        else:
            position = restarted(position)
    expected = await scanned(log, "current")
    await catch_up(log, "current", table, position)
    assert held(table) == expected
    await log.close()


async def test_a_tail_gives_no_more_than_it_is_asked_for(new_store: NewStore) -> None:
    """What is left is not the end, and comes next."""
    log = new_store()()
    await fill(log, [b"%d" % number for number in range(5)])
    assert await scanned(log, "events")
    first = await log.tail("events", 0, None, 3)
    assert (len(first.records), first.at_end) == (3, False)
    rest = await to_end(log, "events", first.position, 3)
    assert [record.value for tail in rest for record in tail.records] == [b"3", b"4"]
    assert rest[-1].at_end
    await log.close()


@pytest.mark.parametrize("topic", ["transitions", "current"])
async def test_a_follower_may_begin_at_the_end(new_store: NewStore, topic: str) -> None:
    """It gets what is committed from then on, in each partition."""
    log = new_store(2)()
    sessions = [await log.open(number) for number in range(2)]
    await sessions[0].commit(batch(b"1", [Output(topic, b"k", b"a"), Output(topic, b"l", b"b")]))
    positions = await log.end_positions(topic)
    for number, session in enumerate(sessions):
        await session.commit(batch(b"2", [Output(topic, b"k", b"%d" % number)]))
    for number, position in enumerate(positions):
        assert await scanned(log, topic, number)  # a broker may not know of the commit before
        tail = await log.tail(topic, number, restarted(position))
        assert ([b"%d" % number], False) == ([record.value for record in tail.records], tail.anew)
    await log.close()


async def test_a_topic_without_records_has_an_end(new_store: NewStore) -> None:
    """This holds for every partition, without a position and from it on."""
    log = new_store(2)()
    for topic in ("transitions", "current"):
        first = await log.tail(topic, 1)
        assert (list(first.records), first.anew, first.at_end) == ([], False, True)
        again = await log.tail(topic, 1, first.position)
        assert (list(again.records), again.anew, again.at_end) == ([], False, True)
    await log.close()


async def test_partitions_are_followed_apart(new_store: NewStore) -> None:
    """A follower of several asks for them in turn."""
    log = new_store(3)()
    for number in range(3):
        await (await log.open(number)).commit(batch(b"1", [Output("current", b"k", b"%d" % number)]))
    assert len(await scanned(log, "current")) == 3
    positions: dict[int, TailPosition | None] = dict.fromkeys(range(3))
    found: dict[int, list[bytes | None]] = {number: [] for number in range(3)}
    for _ in range(3):
        for number, position in positions.items():
            tail = await log.tail("current", number, position, 1)
            found[number] += [record.value for record in tail.records]
            positions[number] = tail.position
    assert found == {number: [b"%d" % number] for number in range(3)}
    await log.close()


async def test_a_position_beyond_the_end_is_of_another_log(new_store: NewStore) -> None:
    """The follower reads anew what there is."""
    log = new_store()()
    await fill(log, [b"a"])
    assert await scanned(log, "events")
    before = (await to_end(log, "events", None))[-1].position
    tail = await log.tail("events", 0, msgspec.structs.replace(before, offset=99))
    assert (tail.anew, [record.value for record in tail.records]) == (True, [b"a"])
    await log.close()


async def test_the_state_has_no_checkpoint_in_it(new_store: NewStore) -> None:
    """A follower of the state gets state records, wherever the log keeps its checkpoint."""
    log = new_store()()
    await (await log.open(0)).commit(batch(b"1", state=[(b"a", b"1"), (b"b", None)]))
    assert await scanned(log, STATE.name)
    table = FollowedTable()
    await catch_up(log, STATE.name, table, None)
    assert list(table.records) == [b"a"]
    await log.close()


async def test_a_tail_goes_on_where_another_opener_writes(new_store: NewStore) -> None:
    """The follower has a log of its own, as another process has."""
    store = new_store()
    writer, follower = store(), store()
    session = await writer.open(0)
    first = (await to_end(follower, "current", None))[-1]
    await session.commit(batch(b"1", [Output("current", b"k", b"1")]))
    assert await scanned(follower, "current")
    tails = await to_end(follower, "current", first.position)
    assert [record.value for tail in tails for record in tail.records] == [b"1"]
    await follower.close()
    await writer.close()


@pytest.mark.parametrize("topic", ["tallies", "state"])
async def test_all_versions_can_be_read(new_store: NewStore, topic: str) -> None:
    """Those that others have superseded and tombstones too, in the order in which they were written, and
    everything that was committed before; nothing of the log's own.
    """
    log = new_store()()
    session = await log.open(0)
    expected: list[tuple[bytes | None, bytes | None]] = []
    for number in range(5):
        pairs = [(b"pa", b"%d" % number), (b"pb", None if number % 2 else b"%d" % number)]
        if topic == STATE.name:
            await session.commit(batch(b"%d" % number, [], pairs))
        else:
            await session.commit(batch(b"%d" % number, [Output(topic, *pair) for pair in pairs]))
        expected += pairs
        found = [(record.key, record.value) async for record in log.scan_versions(topic, 0)]
        assert expected == found
    await log.close()


async def test_a_source_can_be_read_up_to_an_offset(new_store: NewStore) -> None:
    """The records before it, and no others."""
    log = new_store()()
    await fill(log, [b"a", b"b", b"c"])
    source = log.sources(0)[0]
    for end, expected in ((0, []), (2, [b"a", b"b"]), (9, [b"a", b"b", b"c"]), (None, [b"a", b"b", b"c"])):
        assert expected == [record.value async for record in log.scan_source(source, end)]
    await log.close()
