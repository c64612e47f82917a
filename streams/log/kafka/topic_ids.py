"""Asks a cluster for the ids of topics: a topic that was deleted and made anew has its old name and a new id.

Brokers give ids since Apache Kafka 2.8, in answer to version 10 of the request for metadata, which aiokafka
does not know. Topics are asked for by name here, and the request says that none is to be made for that.
"""

import base64
from collections.abc import Iterable
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streams.log.kafka import quirks

API_KEY, API_VERSION = 3, 10  # metadata
NO_ID = bytes(16)


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka has no types
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        assert len(value) == len(NO_ID), value
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        return bytes(data.read(len(NO_ID)))


_BROKER = (
    ("node_id", Int32),
    ("host", CompactString()),
    ("port", Int32),
    ("rack", CompactString()),
    ("tags", TaggedFields),
)
_PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    ("tags", TaggedFields),
)
_TOPIC = (
    ("error_code", Int16),
    ("topic", CompactString()),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_ANSWER = (
    ("throttle_time_ms", Int32),
    ("brokers", CompactArray(*_BROKER)),
    ("cluster_id", CompactString()),
    ("controller_id", Int32),
    ("topics", CompactArray(*_TOPIC)),
    ("cluster_authorized_operations", Int32),
    ("tags", TaggedFields),
)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY, API_VERSION = API_KEY, API_VERSION
    SCHEMA = Schema(*_ANSWER)


class _MetadataRequest(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY, API_VERSION = API_KEY, API_VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_MetadataRequest]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = API_KEY

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics: list[tuple[object, ...]] = [(NO_ID, topic, {}) for topic in topics]

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        return request_struct_class(self._topics, False, False, False, {})


async def topic_ids(client: Any, topics: Iterable[str]) -> dict[str, str]:
    """The ids of these topics as Kafka's own tools print them, without those that do not exist or that we may
    not see. Empty if the brokers give no ids.

    `client`: an admin client that was started. Raises aiokafka's errors.
    """
    try:
        answer = (await quirks.ask(client, _Metadata(topics))).to_object()
    except NotImplementedError:  # from aiokafka, when a broker does not know this version
        return {}
    return {
        topic["topic"]: base64.urlsafe_b64encode(topic["topic_id"]).rstrip(b"=").decode()
        for topic in answer["topics"]
        if topic["error_code"] == 0 and topic["topic_id"] != NO_ID
    }
