"""A person's steps are found without reading those of everybody."""

from random import Random

from streams.dashboard.step_index import BLOCK_RECORDS, StepIndex
from streams.log.memory import MemoryLog
from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.records import Output
from streams.topology import TRANSITIONS
from tests.contract.looking import batch

PEOPLE, PARTITIONS, ROUNDS = 400, 2, 12


class Counting(MemoryLog):
    """It counts the records that it gives away."""

    given = 0

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        tail = await super().tail(topic, partition, position, limit)
        self.given += len(tail.records)
        return tail


async def found(index: StepIndex, partition: int, who: bytes) -> list[bytes | None]:
    return [record.value async for record in index.records(partition, (who,)) if record.key == who]


async def test_all_steps_of_a_person_are_found() -> None:
    """Whenever they came: before the index was made, while it grew, and since it was read on last."""
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


async def test_hardly_any_other_is_read() -> None:
    """However many there are."""
    log = Counting(1)
    session = await log.open(0)
    blocks = 20
    for block in range(blocks):
        outputs = [Output(TRANSITIONS.name, b"%d" % block, b"x") for _ in range(BLOCK_RECORDS)]
        await session.commit(batch(b"c", outputs))
    index = StepIndex(log)
    while not await index.grow():
        pass
    log.given = 0
    assert BLOCK_RECORDS == len(await found(index, 0, b"7"))
    assert BLOCK_RECORDS == log.given
