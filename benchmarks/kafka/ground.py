"""Topics of a measurement, events in them, and what the commits of a run
tell: each leaves a checkpoint with its time.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.kafka.measure import Watched
from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.kafka.commit_groups import CHECKPOINT
from streams.records import Record
from streams.topology import OWN_TOPICS

ROOT = Path(__file__).parents[2]
WAIT_S = 180.0  # for anything that is expected to happen
POLL_S = 0.25


class Commit(NamedTuple):
    """One commit of one partition."""

    at_s: float
    received: int  # records so far


class Ground:
    """One app on the broker."""

    def __init__(self, bootstrap: str, logs: Path, partitions: int = 4, inputs: int | None = None) -> None:
        """`inputs`: partitions of the input topic, if not as many as the app has."""
        self.bootstrap, self.logs, self.partitions = bootstrap, logs, partitions
        self.input_partitions = inputs or partitions
        self.app = f"b{uuid4().hex[:10]}"
        self.input = f"{self.app}.clicks"

    async def make(self, others: Sequence[str] = ()) -> None:
        """Creates its topics; `others`: of programs beside it."""
        topics = [NewTopic(self.input, self.input_partitions, 1)]
        topics += [
            NewTopic(
                f"{self.app}.{topic.name}",
                1 if topic.single else self.partitions,
                1,
                topic_configs={"cleanup.policy": topic.cleanup.value},
            )
            for topic in OWN_TOPICS
        ]
        topics += [NewTopic(name, self.partitions, 1) for name in others]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            failed = [
                error
                for error in (await admin.create_topics(topics, timeout_ms=30_000)).topic_errors
                if error[1]
            ]
            assert not failed, failed
        finally:
            await admin.close()

    async def drop(self) -> None:
        """Deletes them: the next measurement shall have the disk and the broker's memory for itself."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(
                [name for name in await admin.list_topics() if name.startswith(self.app)]
            )
        finally:
            await admin.close()

    async def fill(self, records: Iterable[Record], keyed: bool = True) -> None:
        """Puts all events into the input, as fast as it goes."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            linger_ms=0,
            max_batch_size=1 << 20,
            max_request_size=16 << 20,
        )
        await producer.start()
        try:
            batches = [producer.create_batch() for _ in range(self.input_partitions)]
            sent = []
            for n, record in enumerate(records):
                key = record.key if keyed else None
                number = (
                    partition_of(key, self.input_partitions)
                    if key is not None
                    else n // 100 % self.input_partitions
                )
                if batches[number].append(timestamp=None, key=key, value=record.value) is None:
                    sent.append(await producer.send_batch(batches[number], self.input, partition=number))
                    batches[number] = producer.create_batch()
                    assert batches[number].append(timestamp=None, key=key, value=record.value) is not None
            sent += [
                await producer.send_batch(batch, self.input, partition=n)
                for n, batch in enumerate(batches)
                if batch.record_count()
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    def worker(self, name: str = "worker", profile: bool = False, **environment: str) -> Watched:
        """A worker of the real command. `profile`: it tells at its end where its time went."""
        run = ["run", "--kafka", self.bootstrap, "--app", self.app, "--input", self.input]
        command = ["-m", "benchmarks.sampling"] if profile else ["-c", "from streams.cli import main; main()"]
        return self.start(name, [*command, *run], **environment)

    def start(self, name: str, arguments: Sequence[str], **environment: str) -> Watched:
        """A process of Python; what it says goes to a file in the directory of logs."""
        env = {**os.environ, "STREAMS_WEB__PORT": "0", "STREAMS_LOG_FORMAT": "json", **environment}
        log = self.logs / f"{self.app}-{name}-{time.monotonic_ns()}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=env,
            )
        return Watched(process, log)

    async def ready(self, *workers: Watched) -> None:
        """Waits until these workers have all partitions open, and each of them some."""
        deadline = time.monotonic() + WAIT_S
        while True:
            opened = [worker.opened() for worker in workers]
            if all(opened) and sum(map(len, opened)) == self.partitions:
                return
            assert time.monotonic() < deadline, f"the partitions were not opened; logs: {self.logs}"
            await asyncio.sleep(POLL_S)

    async def commits(self) -> list[list[Commit]]:
        """Of each partition, in order, as far as the broker has not
        compacted them away (it does not within minutes).
        """
        found: list[list[Commit]] = [[] for _ in range(self.partitions)]
        async for partition, time_ms, key, value in read_all(self.bootstrap, f"{self.app}.state"):
            if key == CHECKPOINT and value is not None:
                c = decode_checkpoint(value)
                found[partition].append(Commit(time_ms / 1000, c.counts.received))
        return found

    async def done(self, events: int, *workers: Watched) -> None:
        """Waits until so many events were received and committed.

        Raises AssertionError when a worker ends before, or it takes too long.
        """
        consumer = _consumer(self.bootstrap)
        await consumer.start()
        places = [TopicPartition(f"{self.app}.state", n) for n in range(self.partitions)]
        consumer.assign(places)
        await consumer.seek_to_end(*places)
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(0, ends[place] - 200))
        received = dict.fromkeys(range(self.partitions), 0)
        deadline = time.monotonic() + WAIT_S
        try:
            while sum(received.values()) < events:
                assert time.monotonic() < deadline, (
                    f"{sum(received.values())} of {events} events after {WAIT_S:.0f} s; logs: {self.logs}"
                )
                for worker in workers:
                    assert worker.process.poll() is None, (
                        f"a worker ended with exit code {worker.process.returncode}; logs: {self.logs}"
                    )
                await asyncio.sleep(POLL_S)
                # only what was written last: reading all of it would cost the broker as much as writing it
                for place in places:
                    end = (await consumer.end_offsets([place]))[place]
                    if await consumer.position(place) < end - 200:
                        consumer.seek(place, end - 200)
                for place, records in (await consumer.getmany(timeout_ms=20)).items():
                    for record in records:
                        if record.key == CHECKPOINT:
                            received[place.partition] = decode_checkpoint(record.value).counts.received
        finally:
            await consumer.stop()


async def read_all(bootstrap: str, topic: str) -> AsyncIterator[tuple[int, int, bytes | None, bytes | None]]:
    """Every committed record there is: (partition, time ms, key, value)."""
    consumer = _consumer(bootstrap)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, n)
            for n in sorted(consumer.partitions_for_topic(topic) or await _partitions(consumer, topic))
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    yield place.partition, record.timestamp, record.key, record.value
    finally:
        await consumer.stop()


def _consumer(bootstrap: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)
    found: set[int] = consumer.partitions_for_topic(topic)
    return found
