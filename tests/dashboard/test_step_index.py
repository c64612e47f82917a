"""A person's steps are found without reading those of everybody."""

from collections.abc import Sequence
from random import Random

import pytest

from streams.dashboard import key_index
from streams.dashboard.key_index import KeyIndex
from streams.dashboard.step_index import StepIndex
from streams.log import memory
from streams.log.memory import MemoryLog
from streams.records import Output, Record
from streams.topology import CURRENT, TRANSITIONS
from tests.contract.looking import batch

PEOPLE, PARTITIONS, ROUNDS = 400, 2, 12


class Counting(MemoryLog):
    """It counts the records that it gives away by their offsets."""

    given = 0

    async def read_at(self, topic: str, partition: int, offsets: Sequence[int]) -> Sequence[Record]:
        self.given += len(offsets)
        return await super().read_at(topic, partition, offsets)


async def found(index: StepIndex, partition: int, who: bytes) -> list[bytes | None]:
    return [record.value async for record in index.records(partition, (who,)) if record.key == who]


@pytest.mark.parametrize("block", [64, 16_384])
async def test_all_steps_of_a_person_are_found(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever they came: before the index was made, while it grew, and since it was read on last."""
    monkeypatch.setattr(key_index, "BLOCK_RECORDS", block)
    log, chance = Counting(PARTITIONS), Random(3)
    sessions = [await log.open(number) for number in range(PARTITIONS)]
    index = StepIndex(log)
    written: dict[tuple[int, bytes], list[bytes | None]] = {}
    for number in range(ROUNDS):
        for partition, session in enumerate(sessions):
            outputs = []
            for step in range(chance.randrange(700)):
                who = b"%d" % chance.randrange(PEOPLE)
                value = b"%d/%d" % (number, step)
                outputs.append(Output(TRANSITIONS.name, who, value))
                written.setdefault((partition, who), []).append(value)
            await session.commit(batch(b"c", outputs))
        for _ in range(chance.randrange(3)):
            await index.grow()
        who = b"%d" % chance.randrange(PEOPLE)
        for partition in range(PARTITIONS):
            assert written.get((partition, who), []) == await found(index, partition, who)
    assert [] == await found(index, 0, b"nobody")


async def test_no_other_is_read() -> None:
    """However many there are."""
    log = Counting(1)
    session = await log.open(0)
    outputs = [Output(TRANSITIONS.name, b"%d" % (step % 1_000), b"x") for step in range(20_000)]
    await session.commit(batch(b"c", outputs))
    index = StepIndex(log)
    while not await index.grow():
        pass
    assert 20 == len(await found(index, 0, b"7"))
    assert 20 == log.given


@pytest.mark.parametrize("block", [64, 16_384])
async def test_what_a_compacted_topic_says_of_somebody_now(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was written of them before, deleted or compacted. Somebody may have several keys."""
    monkeypatch.setattr(key_index, "BLOCK_RECORDS", block)
    monkeypatch.setattr(memory, "COMPACT_RECORDS", 300)
    log, chance = Counting(1), Random(5)
    session = await log.open(0)
    index = KeyIndex(log, CURRENT, lambda key: None if key == b"x" else key.rpartition(b"/")[2])
    now: dict[bytes, bytes] = {}
    for number in range(60):
        outputs = []
        for _ in range(chance.randrange(100)):
            key = b"%d/%d" % (chance.randrange(2), chance.randrange(40))
            value = None if chance.random() < 0.3 else b"%d" % number
            outputs += [Output(CURRENT.name, key, value), Output(CURRENT.name, b"x", b"x")]
            if value is None:
                now.pop(key, None)
            else:
                now[key] = value
        await session.commit(batch(b"c", outputs))
        for _ in range(chance.randrange(3)):
            await index.grow()
        who = b"%d" % chance.randrange(45)
        expected = {key: value for key, value in now.items() if key.rpartition(b"/")[2] == who}
        assert expected == await index.newest(0, who, single=False)
    assert {} == await index.newest(0, b"x", single=False)


async def test_of_a_single_key_one_record_is_read() -> None:
    """However often it was written."""
    log = Counting(1)
    session = await log.open(0)
    outputs = [Output(CURRENT.name, b"%d" % (step % 40), b"%d" % step) for step in range(1_000)]
    await session.commit(batch(b"c", outputs))
    index = KeyIndex(log, CURRENT, bytes)
    assert {b"7": b"967"} == await index.newest(0, b"7", single=True)
    assert {} == await index.newest(0, b"nobody", single=True)
    assert 1 == log.given
