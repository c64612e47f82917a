"""Reads and writes the record of an app in its topic `<app>.app`.

Several workers may want to write it at the same time, above all the first ones of a new app. So a writer
fences the others, reads the topic to its end, and only then decides what to write. Of two, one is fenced
before it has written anything; it then finds the record of the other.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from streams.backoff import Backoff
from streams.errors import Fenced
from streams.log.kafka.app_record import AppRecord, decode_app_record, encode_app_record
from streams.log.kafka.client import COMMIT_TIMEOUT_S, Cluster
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.reader import EndOffsets, last_values
from streams.log.kafka.writer import FENCED, write
from streams.topology import APP, own_topic, single_transaction

# A writer is done within a tenth of a second; the random part keeps two from fencing each other for long.
FIRST_REWRITE_S, LONGEST_REWRITE_S = 0.1, 2.0

RecordChange = Callable[[AppRecord | None], Awaitable[AppRecord]]


async def read_app_record(cluster: Cluster, app: str, ends: EndOffsets) -> AppRecord | None:
    """The record; None if no worker of this app has ever been started. Raises Incompatible for a record that
    this release cannot read, Refused, Unavailable.
    """
    return await _read(cluster, app, ends, final=False)


async def change_app_record(cluster: Cluster, app: str, ends: EndOffsets, change: RecordChange) -> AppRecord:
    """The record after `change`, which gets the stored one and returns the new one; what it raises is raised.

    `change` may be called several times. If it returns what it got, nothing is written.
    """
    backoff = Backoff(first_s=FIRST_REWRITE_S, longest_s=LONGEST_REWRITE_S)
    while True:
        # Before anybody is fenced: a worker that may not run is refused here, and disturbs nobody.
        stored = await _read(cluster, app, ends, final=False)
        wanted = await change(stored)
        if wanted == stored:
            return wanted
        try:
            return await _fence_and_write(cluster, app, ends, change)
        except Fenced:
            await asyncio.sleep(backoff.next_s())


async def _read(cluster: Cluster, app: str, ends: EndOffsets, *, final: bool) -> AppRecord | None:
    tp = TopicPartition(own_topic(app, APP), 0)
    found = await last_values(cluster, await ends.settled([tp], final=final), app.encode())
    raw = found.get(tp)
    return None if raw is None else decode_app_record(raw, tp.topic)


async def _fence_and_write(cluster: Cluster, app: str, ends: EndOffsets, change: RecordChange) -> AppRecord:
    """Raises Fenced if another writer came in between."""
    topic = own_topic(app, APP)
    producer = cluster.producer(single_transaction(app, APP))
    await start(producer, cluster, f"{topic} cannot be written")
    try:
        stored = await _read(cluster, app, ends, final=True)
        wanted = await change(stored)
        if wanted == stored:
            return wanted
        async with cluster_errors(f"{topic} cannot be written", COMMIT_TIMEOUT_S):
            try:
                await producer.begin_transaction()
                record = (app.encode(), encode_app_record(wanted), (), None)
                await write(producer, [(TopicPartition(topic, 0), [record])])
                await producer.commit_transaction()
            except FENCED as error:
                raise Fenced(f"{topic}: another worker writes it") from error
            except IllegalOperation as error:
                raise KafkaError(str(error)) from error
        return wanted
    finally:
        await stop(producer)
