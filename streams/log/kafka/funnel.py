"""Writes `<app>.funnel`: the tallies of all partitions, added up, by one fenced writer.

It keeps no state of its own. It fences the former writer, reads the topic that it writes to its end, reads
the tallies from their beginning, and writes what differs; then it follows the tallies. Each write is one
transaction. After an error it is dropped, and another one is opened.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from streams.clock import Clock
from streams.core.funnels.totals import FunnelTotals
from streams.errors import Fenced, Unavailable
from streams.log.kafka.client import CLOSE_TIMEOUT_S, COMMIT_TIMEOUT_S
from streams.log.kafka.errors import failure
from streams.log.kafka.lifecycle import start, stop
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.reader import EndOffsets, latest_records
from streams.log.kafka.tail import Tails
from streams.log.kafka.writer import FENCED, write
from streams.log.tail import TailPosition
from streams.records import Output
from streams.topology import FUNNEL, TALLIES, own_topic, single_transaction

READ_LIMIT = 2_000  # tallies of one partition in one read: some milliseconds, in which nothing else is done
# Reads before what has come is written: a total is written once, however many of its tallies they bring.
READS = 50
WRITE_LIMIT = 2_500  # totals in one transaction: a megabyte
TURN = 250  # totals that are made before the agents of the process get their turn: two milliseconds


class FunnelWriter:
    """Holds the writer's place until it is closed, or another one takes it."""

    def __init__(self, log: KafkaLog, clock: Clock) -> None:
        cluster = log.cluster
        self.totals = FunnelTotals(log.partitions)
        self._log, self._topic = log, TopicPartition(own_topic(log.app, FUNNEL), 0)
        self._producer: AIOKafkaProducer = cluster.producer(single_transaction(log.app, FUNNEL))
        # Connections of its own: a follower of the tallies in the same process has other positions.
        self._tails, self._end_offsets = Tails(cluster, clock, hidden_key=b"\0"), EndOffsets(cluster)
        self._positions: list[TailPosition | None] = [None] * log.partitions
        self._writing = False

    async def open(self) -> None:
        """Fences the former writer, and reads what it has written. Raises Refused or Unavailable."""
        await start(self._producer, self._log.cluster, f"{self._topic.topic} cannot be taken over")
        ends = await self._end_offsets.settled([self._topic], final=True)
        for record in (await latest_records(self._log.cluster, ends)).values():
            self.totals.restore(record)

    async def step(self) -> bool:
        """Reads on in the tallies, and writes the totals that have changed. False: there is more to read.

        Raises Fenced if another writer has taken over, and Refused or Unavailable.
        """
        for _ in range(READS):
            ended = all(await asyncio.gather(*map(self._read, range(self._log.partitions))))
            if ended:
                break
        if self.totals.ready:
            part: list[Output] = []
            for output in self.totals.outputs():
                part.append(output)
                if len(part) % TURN == 0:
                    await asyncio.sleep(0)
                if len(part) == WRITE_LIMIT:
                    await self._write(part)
                    part = []
            if part:
                await self._write(part)
        return ended

    async def _read(self, partition: int) -> bool:
        """Takes what has come in one partition. True: it was read to its end."""
        tp = TopicPartition(self._log.topic(TALLIES.name), partition)
        tail = await self._tails.tail(tp, self._positions[partition], READ_LIMIT, compacted=True)
        if tail.anew:
            raise Unavailable(f"{tp.topic} {partition} must be read anew: tombstones may have been missed")
        self.totals.take(partition, tail.records)
        if tail.at_end:
            self.totals.at_end(partition)
        self._positions[partition] = tail.position
        return tail.at_end

    async def _write(self, outputs: Sequence[Output]) -> None:
        records = ((output.key, output.value, output.headers, None) for output in outputs)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._producer.begin_transaction()
                self._writing = True
                await write(self._producer, [(self._topic, records)])
                await self._producer.commit_transaction()
                self._writing = False
        except FENCED as error:
            self._writing = False
            raise Fenced(f"{self._topic.topic}: another worker writes it now") from error
        except (KafkaError, IllegalOperation, OSError, TimeoutError) as error:
            raise failure(f"{self._topic.topic} cannot be written", error) from error

    async def close(self) -> None:
        """Gives the place back. Takes no longer than a few seconds, also when no broker answers."""
        try:
            if self._writing:
                # This spares readers the wait; the next writer ends the transaction anyway.
                with suppress(Exception):
                    await asyncio.wait_for(self._producer.abort_transaction(), CLOSE_TIMEOUT_S)
        finally:
            await stop(self._producer, *self._tails.detach(), *self._end_offsets.detach())
