"""Where an agent goes on after a crash: never behind a record that it has not come back from, whatever gaps the offsets have."""

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

# Offsets grow by these: 1 without a gap; marks of transactions, aborted records and compaction leave larger ones, also at the very beginning.
steps = st.lists(st.one_of(st.integers(1, 5), st.sampled_from([ONE, COMMIT, AGAIN])), max_size=40)


@contextmanager
def consuming() -> Iterator[AgentConsumer]:
    """A consumer of transitions, of which records come and go as if a broker had sent them."""
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
    """Takes it and keeps quiet."""


def test_the_position() -> None:
    """Is at most the first record that is not done, is beyond all that is done before it, and never goes back."""
    with consuming() as consumer:
        consumer._to_agents = nobody

        @given(first=st.integers(0, 3), steps=steps, random=st.randoms(use_true_random=False))
        def check(first: int, steps: list[int | str], random: Random) -> None:
            consumer.forget()
            consumer._committed_offset.clear()
            asyncio.run(live(consumer, first - 1, [*steps, ALL, COMMIT], random))

        check()


async def live(consumer: AgentConsumer, offset: int, steps: list[int | str], random: Random) -> None:
    """Records come after `offset`."""
    position, last = 0, offset
    given_out: list[ConsumerMessage] = []  # and not committed
    for step in steps:
        if isinstance(step, int):
            last += step
            given_out.append(message(last))
            await consumer._deliver(given_out[-1])
        elif step == ONE and (under_way := [one for one in given_out if not one.acked]):
            consumer.ack(random.choice(under_way))
        elif step == ALL:
            for one in given_out:
                consumer.ack(one)
        elif (
            step == AGAIN
        ):  # partitions were moved: what was not committed comes once more; what an agent still had, it may still finish
            late = [one for one in given_out if not one.acked][:1]
            consumer.forget()
            given_out = [message(one.offset) for one in given_out]
            for one in given_out[: len(given_out) // 2]:
                await consumer._deliver(one)
            for one in late:
                consumer.ack(one)
                given_out[[again.offset for again in given_out].index(one.offset)].acked = True
            for one in given_out[len(given_out) // 2 :]:
                await consumer._deliver(one)
        elif step == COMMIT and (found := consumer._filter_committable_offsets([PLACE])):
            assert found[PLACE] > position
            position = consumer._committed_offset[PLACE] = found[PLACE]
            assert all(one.acked for one in given_out if one.offset < position)
            given_out = [one for one in given_out if one.offset >= position]
    if last > offset:
        assert position == last + 1


async def test_what_is_read_while_partitions_move_is_not_handed_over() -> None:
    """It is read again by whoever has them then."""
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
    """Until it does; then it is no more."""
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
    """In a group of its own, and commits nothing by itself."""
    with consuming() as consumer:
        client = consumer._thread._create_worker_consumer(cast(Any, consumer.transport))
        assert (client._isolation_level, client._group_id, client._enable_auto_commit) == (
            "read_committed",
            "shop-agents",
            False,
        )
        await client.stop()
