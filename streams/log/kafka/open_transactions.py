"""Finds the transactions that hide records from committed readers: whose they are, and since when.

A broker hides everything from the first record of the oldest open transaction on. DescribeProducers names the
producer that began there, ListTransactions its transactional id, and DescribeTransactions the time at which
it began. aiokafka 0.14 has none of the three requests, so they are written down here as the protocol has
them. Brokers have had them since Apache Kafka 3.0, and show a transaction only to users with the right
Describe on its id. What a broker does not say is None.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from streams.log.kafka import quirks
from streams.log.kafka.client import OPEN_TIMEOUT_S, Cluster
from streams.log.kafka.errors import cluster_errors
from streams.log.kafka.lifecycle import start, stop

LOOK_S = 3.0  # for all three answers: a report that waits longer is worth less than one without them


class OpenTransaction(NamedTuple):
    """A transaction that has not ended."""

    transactional_id: str | None
    since_ms: int | None  # by the clock of its coordinator


NOT_KNOWN = OpenTransaction(None, None)


# Field names with their types, in the protocol's order; both forms end with tags.


def _message(**fields: Any) -> Any:
    return Schema(*fields.items(), ("tags", TaggedFields))


def _rows(**fields: Any) -> Any:
    return CompactArray(*fields.items(), ("tags", TaggedFields))


_TEXT = CompactString()
_PLACES = _rows(name=_TEXT, partitions=CompactArray(Int32))  # topics with their partitions


class DescribeProducersResponse(Response):
    """The producers that have written to partitions lately."""

    API_KEY, API_VERSION = 61, 0
    PRODUCERS = _rows(
        producer_id=Int64,
        producer_epoch=Int32,
        last_sequence=Int32,
        last_timestamp=Int64,
        coordinator_epoch=Int32,
        transaction_offset=Int64,  # of the first record of its open transaction; -1: it has none
    )
    PARTITIONS = _rows(partition=Int32, error_code=Int16, error_message=_TEXT, producers=PRODUCERS)
    SCHEMA = _message(throttle_time_ms=Int32, topics=_rows(name=_TEXT, partitions=PARTITIONS))


class DescribeProducersStruct(RequestStruct):
    """The form of a question for producers."""

    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 61, 0, DescribeProducersResponse
    SCHEMA = _message(topics=_PLACES)


class ListTransactionsResponse(Response):
    """The transactions that a broker coordinates."""

    API_KEY, API_VERSION = 66, 0
    SCHEMA = _message(
        throttle_time_ms=Int32,
        error_code=Int16,
        unknown_states=CompactArray(_TEXT),
        transactions=_rows(transactional_id=_TEXT, producer_id=Int64, state=_TEXT),
    )


class ListTransactionsStruct(RequestStruct):
    """The form of a question for transactions."""

    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 66, 0, ListTransactionsResponse
    SCHEMA = _message(states=CompactArray(_TEXT), producer_ids=CompactArray(Int64))


class DescribeTransactionsResponse(Response):
    """Transactions by id."""

    API_KEY, API_VERSION = 65, 0
    TRANSACTIONS = _rows(
        error_code=Int16,
        transactional_id=_TEXT,
        state=_TEXT,
        timeout_ms=Int32,
        start_time_ms=Int64,
        producer_id=Int64,
        producer_epoch=Int16,
        topics=_PLACES,
    )
    SCHEMA = _message(throttle_time_ms=Int32, transactions=TRANSACTIONS)


class DescribeTransactionsStruct(RequestStruct):
    """The form of a question for one transaction."""

    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 65, 0, DescribeTransactionsResponse
    SCHEMA = _message(transactional_ids=CompactArray(_TEXT))


class DescribeProducers(Request[DescribeProducersStruct]):
    """Asks a partition's leader for its producers."""

    API_KEY = 61

    def __init__(self, tp: TopicPartition) -> None:
        self._tp = tp

    def build(self, request_struct_class: type[DescribeProducersStruct]) -> DescribeProducersStruct:
        return request_struct_class([(self._tp.topic, [self._tp.partition], {})], {})


class ListTransactions(Request[ListTransactionsStruct]):
    """Asks a broker for the transactions of a producer."""

    API_KEY = 66

    def __init__(self, producer_id: int) -> None:
        self._producer_id = producer_id

    def build(self, request_struct_class: type[ListTransactionsStruct]) -> ListTransactionsStruct:
        return request_struct_class([], [self._producer_id], {})


class DescribeTransactions(Request[DescribeTransactionsStruct]):
    """Asks the coordinator of a transaction for it."""

    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        self._transactional_id = transactional_id

    def build(self, request_struct_class: type[DescribeTransactionsStruct]) -> DescribeTransactionsStruct:
        return request_struct_class([self._transactional_id], {})


async def open_transactions(
    cluster: Cluster, begins: Mapping[TopicPartition, int]
) -> dict[TopicPartition, OpenTransaction]:
    """The transaction that is open at this offset of each partition. Raises Refused or Unavailable."""
    admin = cluster.admin()
    await start(admin, cluster, f"no answer from {cluster.bootstrap}")
    found = dict.fromkeys(begins, NOT_KNOWN)
    try:
        client = quirks.inner_client(admin)
        async with cluster_errors("the brokers cannot be asked for transactions", OPEN_TIMEOUT_S):
            for topic in {tp.topic for tp in begins}:
                await client.add_topic(topic)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                for tp, offset in begins.items():
                    # An older broker does not know the requests, and one that has just gone does not answer.
                    with suppress(KafkaError, NotImplementedError, OSError):
                        found[tp] = await _open_transaction(client, tp, offset)
    finally:
        await stop(admin)
    return found


async def _open_transaction(client: Any, tp: TopicPartition, offset: int) -> OpenTransaction:
    answer = await client.send(client.cluster.leader_for_partition(tp), DescribeProducers(tp))
    producer_id = next(
        (
            producer["producer_id"]
            for topic in answer.to_object()["topics"]
            for partition in topic["partitions"]
            for producer in partition["producers"]
            if producer["transaction_offset"] == offset
        ),
        None,
    )
    if producer_id is None:
        return NOT_KNOWN
    for broker in client.cluster.brokers():  # each lists what it coordinates
        listed = await client.send(broker.nodeId, ListTransactions(producer_id))
        for transaction in listed.to_object()["transactions"]:
            transactional_id = transaction["transactional_id"]
            described = await client.send(broker.nodeId, DescribeTransactions(transactional_id))
            (state,) = described.to_object()["transactions"]
            since_ms = state["start_time_ms"]
            known = not state["error_code"] and since_ms >= 0
            return OpenTransaction(transactional_id, since_ms if known else None)
    return NOT_KNOWN
