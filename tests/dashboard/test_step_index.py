"""A person's steps are found without reading those of everybody."""

from collections.abc import Sequence
from random import Random

import pytest

from streams.dashboard import step_index
from streams.dashboard.step_index import StepIndex
from streams.log.memory import MemoryLog
from streams.records import Output, Record
from streams.topology import TRANSITIONS
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
    monkeypatch.setattr(step_index, "BLOCK_RECORDS", block)
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
