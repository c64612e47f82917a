"""A batch is one: its outputs, its state and its checkpoint are there together or not at all."""

from collections.abc import Callable

import pytest

from streams.errors import Fenced
from streams.log.memory import COMPACT_RECORDS, MemoryLog
from streams.log.sqlite import chunks
from streams.log.sqlite.log import SqliteLog
from streams.records import Batch, NewRecord, Output, Record
from tests.contract.conftest import NewStore
from tests.contract.looking import (
    APPENDED,
    COMPACTED,
    Restored,
    batch,
    full_batch,
    input_ends,
    restored,
    scanned,
    seen,
)


async def test_all_of_a_batch_is_seen_after_its_commit(new_store: NewStore) -> None:
    """Outputs in the order given, state and checkpoint, by this opener and by the next."""
    store = new_store()
    log = store()
    await (await log.open(0)).commit(full_batch(b"1"))
    for reader in (log, store()):
        assert await scanned(reader, "transitions") == [(0, b"k", b"1", ()), (0, b"k", b"12", ())]
        assert await scanned(reader, "current") == [(0, b"k", b"1", ())]
        assert await reader.checkpoints() == [b"1"]
        assert await restored(await reader.open(0)) == Restored(b"1", {b"counter": b"1"})
        await reader.close()


async def test_a_first_start_has_nothing(new_store: NewStore) -> None:
    """No checkpoint, no state, no records, no end but 0."""
    log = new_store(2)()
    assert await restored(await log.open(1)) == Restored(None, {})
    assert (await seen(log)).topics == {}
    assert (await input_ends(log), await log.checkpoints()) == ([0, 0], [None, None])
    await log.close()


async def test_an_empty_batch_commits_its_checkpoint(new_store: NewStore) -> None:
    """Time can move without anything to say."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    await session.commit(batch(b"2"))
    assert await restored(session) == Restored(b"2", {b"counter": b"1"})
    await log.close()


BAD: dict[str, Callable[[], Batch]] = {
    "an unknown topic": lambda: batch(
        b"2", [Output("transitions", b"k", b"v"), Output("nowhere", b"k", b"v")], [(b"counter", b"2")]
    ),
    "the input": lambda: batch(
        b"2", [Output("transitions", b"k", b"v"), Output("events", b"k", b"v")], [(b"counter", b"2")]
    ),
    "the state": lambda: batch(
        b"2", [Output("transitions", b"k", b"v"), Output("state", b"k", b"v")], [(b"counter", b"2")]
    ),
    "no key in a compacted topic": lambda: batch(
        b"2", [Output("transitions", b"k", b"v"), Output("current", None, b"v")], [(b"counter", b"2")]
    ),
}


@pytest.mark.parametrize("bad", sorted(BAD))
async def test_a_commit_that_fails_leaves_no_trace(new_store: NewStore, bad: str) -> None:
    """A batch that may not be is a defect; not one of its records is written, and the session goes on."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    before = await seen(log)
    with pytest.raises(AssertionError):
        await session.commit(BAD[bad]())
    assert await seen(log) == before
    await session.commit(full_batch(b"3"))
    assert await restored(session) == Restored(b"3", {b"counter": b"3"})
    await log.close()


async def test_opening_fences_the_session_before(new_store: NewStore) -> None:
    """Its next commit raises Fenced and writes nothing, also when the other is another
    process's; the new session goes on unharmed.
    """
    store = new_store()
    log, other = store(), store()
    first = await log.open(0)
    await first.commit(full_batch(b"1"))
    second = await other.open(0)
    before = await seen(log)
    for _ in range(2):
        with pytest.raises(Fenced):
            await first.commit(full_batch(b"2"))
    assert await seen(log) == before
    await second.commit(full_batch(b"3"))
    with pytest.raises(Fenced):
        await first.commit(full_batch(b"4"))
    assert await restored(second) == Restored(b"3", {b"counter": b"3"})
    await other.close()
    await log.close()


async def test_opening_leaves_other_partitions_alone(new_store: NewStore) -> None:
    """Who opens partition 1 does not fence partition 0."""
    log = new_store(2)()
    zero = await log.open(0)
    one = await log.open(1)
    await log.open(1)
    await zero.commit(full_batch(b"0"))
    with pytest.raises(Fenced):
        await one.commit(full_batch(b"1"))
    assert await log.checkpoints() == [b"0", None]
    assert [await log.checkpoints(partition) for partition in range(2)] == [[b"0"], [None]]
    await log.close()


async def test_partitions_keep_apart(new_store: NewStore) -> None:
    """Equal keys in many partitions of one log are different records."""
    log = new_store(5)()
    sessions = [await log.open(number) for number in range(5)]
    for session in sessions:
        await session.commit(full_batch(b"p%d" % session.partition))
    for session in sessions:
        tag = b"p%d" % session.partition
        assert await restored(session) == Restored(tag, {b"counter": tag})
        assert await scanned(log, "current", session.partition) == [(session.partition, b"k", tag, ())]
    assert [number for number, *_ in await scanned(log, "transitions")] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    await log.close()


async def test_state_is_the_latest_value_of_each_key(new_store: NewStore) -> None:
    """Within a batch and from batch to batch; a tombstone takes the key away, a value after it brings
    it back. Any bytes are a key or a value.
    """
    log = new_store()()
    session = await log.open(0)
    await session.commit(
        batch(
            b"1",
            state=[
                (b"a", b"1"),
                (b"a", b"2"),
                (b"b", b"1"),
                (b"\x00", b"\xff\x00"),
                (b"", b""),
                (b"gone", None),
            ],
        )
    )
    assert (await restored(session)).state == {b"a": b"2", b"b": b"1", b"\x00": b"\xff\x00", b"": b""}
    await session.commit(
        batch(b"2", state=[(b"a", None), (b"b", None), (b"b", b"3"), (b"\x00", b"x"), (b"", None)])
    )
    assert (await restored(await log.open(0))).state == {b"b": b"3", b"\x00": b"x"}
    await log.close()


async def test_state_survives_many_rewrites(new_store: NewStore) -> None:
    """More is written than a log keeps before it compacts; the latest values stay and nothing else."""
    store = new_store()
    log = store()
    session = await log.open(0)
    for turn in range(12):
        value = b"%02d" % turn * 500
        state: list[tuple[bytes, bytes | None]] = [(b"%d" % number, value) for number in range(1_500)]
        await session.commit(
            batch(
                b"%d" % turn,
                [Output("current", key, b"%02d" % turn * 300) for key, _ in state],
                [*state, (b"%d" % turn, None)],
            )
        )
    for reader in (log, store()):
        found = await restored(await reader.open(0))
        assert found == Restored(
            b"11", {b"%d" % number: b"11" * 500 for number in range(1_500) if number != 11}
        )
        current = await scanned(reader, "current")
        assert current == [
            (0, key, b"11" * 300, ()) for key in sorted(b"%d" % number for number in range(1_500))
        ]
        await reader.close()


@pytest.mark.parametrize("topic", APPENDED)
async def test_an_append_only_topic_keeps_everything(new_store: NewStore, topic: str) -> None:
    """Repeated keys, no keys, no values, headers, in the order given."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(
        batch(
            b"1",
            [
                Output(topic, b"k", b"1", (("h", b"\x00"),)),
                Output(topic, None, b"2"),
                Output(topic, b"k", None),
            ],
        )
    )
    await session.commit(batch(b"2", [Output(topic, b"k", b"1")]))
    assert await scanned(log, topic) == [
        (0, b"k", b"1", (("h", b"\x00"),)),
        (0, None, b"2", ()),
        (0, b"k", None, ()),
        (0, b"k", b"1", ()),
    ]
    offsets = [record.offset async for _, record in log.scan(topic)]
    assert offsets[:3] == [0, 1, 2]
    assert offsets[3] in (3, 4)  # on a broker the marker of a transaction takes an offset too
    await log.close()


@pytest.mark.parametrize("topic", COMPACTED)
async def test_a_compacted_topic_keeps_the_latest(new_store: NewStore, topic: str) -> None:
    """In key order, with the headers of the latest; None takes a key away."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(
        batch(b"1", [Output(topic, b"b", b"1"), Output(topic, b"\x00a", b"2"), Output(topic, b"c", b"3")])
    )
    await session.commit(
        batch(
            b"2",
            [
                Output(topic, b"b", b"4", (("h", b"x"),)),
                Output(topic, b"c", None),
                Output(topic, b"never", None),
            ],
        )
    )
    assert await scanned(log, topic) == [(0, b"\x00a", b"2", ()), (0, b"b", b"4", (("h", b"x"),))]
    await log.close()


async def test_a_scan_can_ask_for_one_key(new_store: NewStore) -> None:
    """This holds for an append-only and a compacted topic, for one partition and for all; an unknown key
    finds nothing.
    """
    log = new_store(2)()
    for number in range(2):
        outputs = [
            Output(topic, key, key) for topic in ("transitions", "current") for key in (b"a", b"a\x00", b"b")
        ]
        await (await log.open(number)).commit(batch(b"1", outputs))
    for topic in ("transitions", "current"):
        assert await scanned(log, topic, key=b"a\x00") == [
            (0, b"a\x00", b"a\x00", ()),
            (1, b"a\x00", b"a\x00", ()),
        ]
        assert await scanned(log, topic, 1, b"a") == [(1, b"a", b"a", ())]
        assert await scanned(log, topic, key=b"c") == []
    await log.close()


async def test_closing_a_session_commits_nothing_and_frees_the_partition(new_store: NewStore) -> None:
    """The next one starts from the last commit."""
    log = new_store()()
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    await session.close()
    assert await restored(await log.open(0)) == Restored(b"1", {b"counter": b"1"})
    await log.close()


async def test_a_scan_begun_before_a_commit_shows_all_of_it_or_none(new_store: NewStore) -> None:
    """Never a part of a batch."""
    store = new_store()
    log, reader = store(), store()
    session = await log.open(0)
    await session.commit(batch(b"1", [Output("transitions", b"k", b"1")] * 3))
    scan = reader.scan("transitions")
    first = await anext(scan)
    await session.commit(batch(b"2", [Output("transitions", b"k", b"2")] * 2))
    values = [first[1].value] + [record.value async for _, record in scan]
    assert values in ([b"1"] * 3, [b"1"] * 3 + [b"2"] * 2)
    await reader.close()
    await log.close()


async def test_forwarded_records_are_read_in_their_partition(new_store: NewStore) -> None:
    """Each partition's sessions read what all partitions have forwarded to it, each writer's
    in order, beside their input and after it.
    """
    log = new_store(3)()
    sessions = [await log.open(number) for number in range(3)]
    for number, session in enumerate(sessions):
        outputs = [
            Output("inbox", b"k", b"%d%d%d" % (number, to, turn), (("h", b"v"),), to)
            for to in range(3)
            for turn in range(2)
        ]
        await session.commit(batch(b"1", [Output("transitions", b"k", b"t"), *outputs]))
    for to, session in enumerate(sessions):
        source = session.sources[-1]
        found: list[Record] = []
        while step := (await session.read({source: found[-1].offset + 1 if found else 0}, 4)).chunks:
            ((name, records),) = step
            assert name == source
            found += records
        assert sorted(record.value or b"" for record in found) == [
            b"%d%d%d" % (number, to, turn) for number in range(3) for turn in range(2)
        ]
        assert [[r.value for r in found if (r.value or b"")[:1] == b"%d" % n] for n in range(3)] == [
            [b"%d%d%d" % (n, to, turn) for turn in range(2)] for n in range(3)
        ]
        assert {(record.key, record.headers) for record in found} == {(b"k", (("h", b"v"),))}
        assert [record.value async for record in log.scan_source(source)] == [
            record.value for record in found
        ]
    await log.close()


async def test_a_topic_holds_everything_from_its_first_offset_on(new_store: NewStore) -> None:
    """Of which nothing was deleted yet, whether or not something is in it."""
    log = new_store(2)()
    assert [0, 0] == await log.first_offsets("late")
    session = await log.open(1)
    await session.commit(batch(b"1", [Output("late", b"k", b"v")]))
    assert [0, 0] == await log.first_offsets("late")
    await log.close()


async def test_records_are_got_at_by_their_offsets(new_embedded_store: NewStore) -> None:
    """Whatever commits and chunks they lie in; the others are not touched."""
    log = new_embedded_store(2)()
    session, count = await log.open(1), 0
    for size in (1, 3_000, 7):
        outputs = [
            Output("transitions", b"%d" % n, b"v", (("h", b"%d" % n),)) for n in range(count, count + size)
        ]
        await session.commit(batch(b"1", outputs))
        count += size
    offsets = [0, 1, 2, 1_500, 1_501, 3_000, 3_001, count - 1]
    assert isinstance(log, SqliteLog | MemoryLog)
    found = await log.read_at("transitions", 1, offsets)
    assert [(n, b"%d" % n, b"v", (("h", b"%d" % n),)) for n in offsets] == [
        (record.offset, record.key, record.value, record.headers) for record in found
    ]
    assert [] == list(await log.read_at("transitions", 0, []))
    await log.close()


async def test_records_of_a_compacted_topic_are_got_at_until_it_is_compacted(
    new_embedded_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then they have other offsets. Deleted ones have no value."""
    log = new_embedded_store(1)()
    assert isinstance(log, SqliteLog | MemoryLog)
    session = await log.open(0)
    values = [b"1", None, b"2"]
    await session.commit(batch(b"1", [Output("current", b"%d" % n, v) for n, v in enumerate(values)]))
    found = await log.read_at("current", 0, [1, 2])
    assert [(1, b"1", None), (2, b"2", b"2")] == [(one.offset, one.key, one.value) for one in found]
    monkeypatch.setattr(chunks, "COMPACT_BYTES", 1_000)
    many = COMPACT_RECORDS + 10
    await session.commit(batch(b"2", [Output("current", b"k", b"v" * 10)] * many))
    assert [] == list(await log.read_at("current", 0, [0, 1, 2]))
    tail = await log.tail("current", 0)
    (last,) = await log.read_at("current", 0, [tail.position.offset - 1])
    assert (b"k", b"v" * 10) == (last.key, last.value)
    await log.close()


async def test_a_replaced_session_forwards_nothing(new_store: NewStore) -> None:
    """It is a part of the batch."""
    store = new_store(2)
    log, other = store(), store()
    first = await log.open(0)
    await other.open(0)
    with pytest.raises(Fenced):
        await first.commit(batch(b"1", [Output("inbox", b"k", b"v", (), 1)]))
    assert (await (await log.open(1)).read({}, 9)).chunks in ((), [])
    assert await scanned(log, "inbox") == []
    await other.close()
    await log.close()


async def test_only_forwarded_records_go_to_other_partitions(new_store: NewStore) -> None:
    """What a partition says is in the partition of its number: anything else is a defect."""
    log = new_store(2)()
    session = await log.open(0)
    with pytest.raises(AssertionError):
        await session.commit(batch(b"1", [Output("transitions", b"k", b"v", (), 1)]))
    await log.close()


async def test_a_session_knows_when_it_has_read_everything(new_store: NewStore) -> None:
    """A source that a read has taken to its end is named; one with records left is not."""
    log = new_store()()
    session = await log.open(0)
    events, inbox = session.sources
    assert (await session.read({}, 5)).ended == {events, inbox}
    await log.append([NewRecord(0, None, b"%d" % number, 0) for number in range(4)])
    first = await session.read({}, 3)
    assert (first.count, events in first.ended) == (3, False)
    rest = await session.read({events: 3}, 3)
    assert (rest.count, events in rest.ended) == (1, True)
    await log.close()
