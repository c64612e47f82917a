"""What is appended to the input is read back: all of it, in order, from wherever a session asks."""

import pytest

from streams.errors import Fenced
from streams.records import Batch, NewRecord, Output, Record, Source
from tests.contract.conftest import NewStore
from tests.contract.looking import fill, input_ends, read, seen

MANY = 3_000  # more than fits into one chunk of any adapter


async def test_what_was_appended_is_read_as_it_was(new_store: NewStore) -> None:
    """Key, value, time and headers come back byte for byte; offsets count from 0."""
    log = new_store()()
    session = await log.open(0)
    headers = (("source", b"web\x00"), ("source", b""))
    await log.append(
        [NewRecord(0, None, b"", -1), NewRecord(0, b"\x00\xff", b"a\x00b", 1_700_000_000_123, headers)]
    )
    assert await read(session, 0, 10) == [
        Record(0, -1, None, b"", ()),
        Record(1, 1_700_000_000_123, b"\x00\xff", b"a\x00b", headers),
    ]
    await log.close()


@pytest.mark.parametrize("limit", [1, 7, 1_000, 1_024, MANY, 10 * MANY])
async def test_reading_on_misses_nothing(new_store: NewStore, limit: int) -> None:
    """Reading on from the last offset gives every record once, in order, whatever
    the size of the steps and of the appends.
    """
    log = new_store()()
    session = await log.open(0)
    values = [b"%d" % number for number in range(MANY if limit > 1 else 50)]
    for start in range(0, len(values), 1_700):
        await fill(log, values[start : start + 1_700])
    found: list[Record] = []
    while step := await read(session, len(found), limit):
        assert len(step) <= limit
        found += step
    assert [record.offset for record in found] == list(range(len(values)))
    assert [record.value for record in found] == values
    await log.close()


@pytest.mark.parametrize("offset", [0, 1, 1_023, 1_024, 1_025, 2_999])
async def test_reading_starts_anywhere(new_store: NewStore, offset: int) -> None:
    """A session may ask for any position, again and again, forwards or backwards."""
    log = new_store()()
    session = await log.open(0)
    await fill(log, [b"%d" % number for number in range(MANY)])
    for start in (offset, 2_000, offset, offset + 1):
        assert [record.value for record in await read(session, start, 3)] == [
            b"%d" % number for number in range(start, min(start + 3, MANY))
        ]
    await log.close()


async def test_the_end_is_empty_until_more_comes(new_store: NewStore) -> None:
    """At the end there is nothing; what is appended later, through another opener
    even, is seen by a session that is open.
    """
    store = new_store()
    log, other = store(), store()
    session = await log.open(0)
    assert await read(session, 0, 5) == []
    await fill(other, [b"a", b"b"])
    assert [record.value for record in await read(session, 0, 1)] == [b"a"]
    assert await read(session, 2, 5) == []
    await fill(log, [b"c"])
    assert [record.value for record in await read(session, 1, 5)] == [b"b", b"c"]
    await other.close()
    await log.close()


async def test_partitions_count_for_themselves(new_store: NewStore) -> None:
    """One append may go to many partitions; each has its own offsets and its own end."""
    log = new_store(3)()
    await log.append([NewRecord(2, None, b"a", 0), NewRecord(0, None, b"b", 0), NewRecord(2, None, b"c", 0)])
    assert await input_ends(log) == [1, 0, 2]
    values = [[record.value for record in await read(await log.open(number), 0, 9)] for number in range(3)]
    assert values == [[b"b"], [], [b"a", b"c"]]
    await log.close()


async def test_an_append_to_no_partition_writes_nothing(new_store: NewStore) -> None:
    """All or none: a record for a partition that isn't there is a
    defect, and its neighbours are not written.
    """
    log = new_store(2)()
    before = await seen(log)
    with pytest.raises(AssertionError):
        await log.append([NewRecord(0, None, b"a", 0), NewRecord(2, None, b"b", 0)])
    assert await seen(log) == before
    await log.close()


async def test_large_values(new_store: NewStore) -> None:
    """Megabytes in one value, beside small ones, come back whole."""
    log = new_store()()
    session = await log.open(0)
    values = [b"s", b"\x00\xff" * 3_000_000, b"t", b"x" * 1_000_000]
    await fill(log, values)
    found: list[Record] = []
    while step := await read(session, len(found), 9):  # a session may give less than was asked for
        found += step
    assert [record.value for record in found] == values
    assert [record.value for record in await read(session, 2, 1)] == [b"t"]
    await log.close()


async def test_the_input_outlives_the_log(new_store: NewStore) -> None:
    """Closed and opened again, the input is the same and goes on where it ended."""
    store = new_store()
    log = store()
    await fill(log, [b"a"])
    await log.close()
    log = store()
    await fill(log, [b"b"])
    assert [record.value for record in await read(await log.open(0), 0, 9)] == [b"a", b"b"]
    await log.close()


async def test_a_source_is_appended_once(new_embedded_store: NewStore) -> None:
    """How far a file was appended is known for good, together with its records; whoever
    appends from another position is fenced.

    Of the embedded logs: on a broker it is collectors who append.
    """
    store = new_embedded_store()
    log = store()
    assert await log.position("f") == 0
    await log.append([NewRecord(0, None, b"a", 0), NewRecord(0, None, b"b", 0)], Source("f", 0, 2))
    await log.append([NewRecord(0, None, b"x", 0)], Source("g", 0, 1))
    before = await seen(log)
    for start in (0, 1, 3):
        with pytest.raises(Fenced):
            await log.append([NewRecord(0, None, b"c", 0)], Source("f", start, start + 1))
    assert await seen(log) == before
    await log.close()
    log = store()
    assert [await log.position(name) for name in ("f", "g", "h")] == [2, 1, 0]
    await log.append([], Source("f", 2, 5))
    assert await log.position("f") == 5
    await log.close()


async def test_what_is_sent_lies_in_the_inbox_of_its_partition(new_store: NewStore) -> None:
    """Messages go to the partitions that they name, in order, and fence nobody."""
    log = new_store(2)()
    sessions = [await log.open(0), await log.open(1)]
    sent = [Output("inbox", None, b"%d" % n, (), n % 2) for n in range(5)]
    await log.send(sent)
    for number, session in enumerate(sessions):
        fetched = await session.read({}, 10)
        ((source, found),) = fetched.chunks
        assert source == f"inbox:{number}"
        assert [b"%d" % n for n in range(5) if n % 2 == number] == [record.value for record in found]
        await session.commit(Batch([], [], b"still the owner"))
    await log.close()
