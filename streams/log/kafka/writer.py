"""Gives records to a producer by the batch: 0.3 us each, against 5 to 12 one by one, and the result of every
batch is checked.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import BrokerResponseError, InvalidProducerEpoch, ProducerFenced

from streams.log.kafka import quirks
from streams.log.kafka.record_quirks import Written, fill

FENCED = (ProducerFenced, InvalidProducerEpoch)

# There are many records in every commit: those that are made one by one are no work for the collector.
Group = tuple[TopicPartition, Iterable[Written]]


async def write(producer: AIOKafkaProducer, groups: Sequence[Group]) -> None:
    """Sends everything in as few batches as possible and waits for all of them. Raises the first failure,
    when no batch is under way any more.
    """
    sent: list[asyncio.Future[Any]] = []
    topics: list[str] = []  # the topic of each
    failures: list[BaseException] = []
    try:
        for tp, group in groups:
            records = iter(group)
            left: tuple[Written, ...] = ()  # what had no room in the last batch
            while True:
                batch = producer.create_batch()
                more = fill(batch, chain(left, records))
                if batch.record_count():
                    sent.append(await producer.send_batch(batch, tp.topic, partition=tp.partition))
                    topics.append(tp.topic)
                if more is None:
                    break
                assert batch.record_count(), "the first record of a batch always fits"
                left = (more,)
    except Exception as error:  # no more can be sent; the batches that were sent before know why
        failures = [error]
    except BaseException:
        for future in sent:
            future.add_done_callback(quirks.retrieve)
        raise
    results = await asyncio.gather(*sent, return_exceptions=True)
    for topic, result in zip(topics, results, strict=True):
        if isinstance(result, BrokerResponseError) and not result.args:
            result.args = (topic,)  # the broker's answer does not repeat it
    failures = [*(result for result in results if isinstance(result, BaseException)), *failures]
    if failures:
        raise next((failure for failure in failures if isinstance(failure, FENCED)), failures[0])
