"""After a crash an agent continues at or before its first undone record, whatever gaps the offsets have."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, cast

import pytest
from faust.types import Message
from faust.types.tuples import TP, ConsumerMessage
from hypothesis import given
from hypothesis import strategies as st

from streams.host.consumer import AgentConsumer
from tests.host.hosting import real_app

PLACE = TP("shop.transitions", 0)
ONE, ALL, COMMIT, AGAIN = "one is done", "all are done", "committed", "read again"

# Offsets grow by these: 1 without a gap, more over commit markers, aborted records and compaction.
steps = st.lists(st.one_of(st.integers(1, 5), st.sampled_from([ONE, COMMIT, AGAIN])), max_size=40)


@contextmanager
def consuming() -> Iterator[AgentConsumer]:
    """A consumer of transitions that gets its records from the test instead of a broker."""
    app = real_app()
    app.consumer_generation_id = 1
    consumer = app.consumer
    assert isinstance(consumer, AgentConsumer)
    app.topics.acking_topics.add(PLACE.topic)
    try:
        yield consumer
    finally:
        consumer.discard()


def message(offset: int, generation: int = 1) -> ConsumerMessage:
    return ConsumerMessage(
        PLACE.topic, PLACE.partition, offset, 0.0, 0, [], None, b"", None, tp=PLACE, generation_id=generation
    )


async def nobody(message: object) -> None:
    """Stands for agents that have the record and are not done with it."""


def test_the_position() -> None:
    """The position is after all done records, not after the first that is not done, and never moves back."""
    with consuming() as consumer:
        consumer._to_agents = nobody

        @given(first=st.integers(0, 3), steps=steps, random=st.randoms(use_true_random=False))
        def check(first: int, steps: list[int | str], random: Random) -> None:
            consumer.forget()
            consumer._committed_offset.clear()
            asyncio.run(live(consumer, first - 1, [*steps, ALL, COMMIT], random))

        check()


async def live(consumer: AgentConsumer, offset: int, steps: list[int | str], random: Random) -> None:
    """Plays the steps; the first record comes after `offset`."""
    position, last = 0, offset
    delivered: list[ConsumerMessage] = []  # and not committed
    for step in steps:
        if isinstance(step, int):
            last += step
            delivered.append(message(last))
            await consumer._deliver(delivered[-1])
        elif step == ONE and (under_way := [one for one in delivered if not one.acked]):
            consumer.ack(random.choice(under_way))
        elif step == ALL:
            for one in delivered:
                consumer.ack(one)
        elif step == AGAIN:
            # Partitions moved: uncommitted records come again, and an agent may still finish the one it had.
            late = [one for one in delivered if not one.acked][:1]
            consumer.forget()
            delivered = [message(one.offset) for one in delivered]
            for one in delivered[: len(delivered) // 2]:
                await consumer._deliver(one)
            for one in late:
                consumer.ack(one)
                delivered[[again.offset for again in delivered].index(one.offset)].acked = True
            for one in delivered[len(delivered) // 2 :]:
                await consumer._deliver(one)
        elif step == COMMIT and (found := consumer._filter_committable_offsets([PLACE])):
            assert found[PLACE] > position
            position = consumer._committed_offset[PLACE] = found[PLACE]
            assert all(one.acked for one in delivered if one.offset < position)
            delivered = [one for one in delivered if one.offset >= position]
    if last > offset:
        assert position == last + 1


async def test_what_is_read_while_partitions_move_is_not_delivered() -> None:
    """The next owner of the partitions reads these records again."""
    with consuming() as consumer:
        got: list[int] = []

        async def take(message: Message) -> None:
            got.append(message.offset)

        consumer._to_agents = take
        await consumer._deliver(message(0, generation=0))
        await consumer._deliver(message(1))
        consumer.stop_flow()
        await consumer._deliver(message(2))
        assert got == [1]


async def test_a_position_that_the_broker_does_not_take_is_offered_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same position is committed until the broker accepts it, and then no more."""
    with consuming() as consumer:
        answers, offered = [False, False, True], list[dict[TP, int]]()

        async def commit(offsets: dict[TP, int]) -> bool:
            offered.append(dict(offsets))
            return answers.pop(0)

        monkeypatch.setattr(consumer, "_commit", commit)
        monkeypatch.setattr(consumer, "assignment", lambda: {PLACE})
        consumer._to_agents = nobody
        record = message(4)
        await consumer._deliver(record)
        consumer.ack(record)
        assert [await consumer.commit() for _ in range(4)] == [False, False, True, False]
        assert offered == [{PLACE: 5}] * 3


async def test_the_client_reads_what_is_committed() -> None:
    """The client is in a group of its own and commits nothing by itself."""
    with consuming() as consumer:
        client = consumer._thread._create_worker_consumer(cast(Any, consumer.transport))
        assert (client._isolation_level, client._group_id, client._enable_auto_commit) == (
            "read_committed",
            "shop-agents",
            False,
        )
        await client.stop()
