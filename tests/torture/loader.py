"""Puts the events on the brokers as collectors would, at the pace of the plan,
whatever happens to the brokers meanwhile.

What is stored in the end is the input of the run, be it that a broker's end made a batch come
twice: the judge reads the topics, not this.
"""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from tests.torture.plan import PIECE_S
from tests.torture.shop import KEYED, Sent

GIVE_UP_MS = 60_000  # a broker is back long before that


def place_of(number: int, record: Sent, partitions: tuple[int, int]) -> int:
    """The partition for a record: where Java clients put what has a key, and for the others in turn.

    `number`: of the record; `partitions`: how many each input has.
    """
    count = partitions[record.input]
    return (murmur2(record.key) & 0x7FFFFFFF) % count if record.input == KEYED else number // 50 % count


async def load(
    bootstrap: str,
    topics: tuple[str, str],
    partitions: tuple[int, int],
    records: Sequence[Sent],
    pieces: Sequence[float],
) -> None:
    """Sends the records in order, each piece's part of them at its time."""
    loop = asyncio.get_running_loop()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=1 << 19,
        request_timeout_ms=GIVE_UP_MS,
    )
    await producer.start()
    try:
        began, done, share = loop.time(), 0, 0.0
        sent: set[asyncio.Future[object]] = set()
        for number, piece in enumerate(pieces, 1):
            share += piece
            end = len(records) if number == len(pieces) else int(share * len(records))
            groups: dict[tuple[str, int], list[Sent]] = {}
            for n in range(done, end):
                record = records[n]
                place = topics[record.input], place_of(n, record, partitions)
                groups.setdefault(place, []).append(record)
            done = end
            for (topic, partition), group in groups.items():
                batch = producer.create_batch()
                for record in group:
                    key = record.key if record.input == KEYED else None
                    if batch.append(timestamp=None, key=key, value=record.value) is None:
                        sent.add(await producer.send_batch(batch, topic, partition=partition))
                        batch = producer.create_batch()
                        assert batch.append(timestamp=None, key=key, value=record.value) is not None
                sent.add(await producer.send_batch(batch, topic, partition=partition))
            for future in [future for future in sent if future.done()]:
                sent.discard(future)
                future.result()
            await asyncio.sleep(max(0.0, began + number * PIECE_S - loop.time()))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
