"""Reads the dead letters: records that were rejected or came too late, as they came, with the reason."""

from collections import Counter
from typing import Any

import msgspec

from schemas.dead_letters import LateHeaders, RejectedHeaders
from streams.log.port import Reader
from streams.records import Headers, Record
from streams.topology import LATE, REJECTED, Topic

REASON_HEADER = "reason"


class DeadLetter(msgspec.Struct, frozen=True):
    """One record of the topic `late` or `rejected`."""

    headers: RejectedHeaders | LateHeaders
    value: str  # the record as it came; bytes that are not UTF-8 are replaced


def dead_letter(topic: Topic, record: Record) -> DeadLetter:
    """A record of one of these topics, decoded."""
    headers: RejectedHeaders | LateHeaders = msgspec.convert(
        _texts(record.headers), topic.types[0], strict=False
    )
    return DeadLetter(headers, (record.value or b"").decode("utf-8", "replace"))


def dead_letter_line(topic: Topic, record: Record) -> bytes:
    """One JSON line without its line end: the headers, then the value."""
    letter = dead_letter(topic, record)
    return msgspec.json.encode({**msgspec.to_builtins(letter.headers), "value": letter.value})


async def count_reasons(reader: Reader, topic: Topic) -> Counter[str]:
    """How many records of the topic have each reason."""
    assert topic in (LATE, REJECTED), topic
    counts = Counter[str]()
    async for _, record in reader.scan(topic.name):
        counts[next((value.decode() for name, value in record.headers if name == REASON_HEADER), "")] += 1
    return counts


def _texts(headers: Headers) -> dict[str, Any]:
    return {name: value.decode("utf-8", "replace") for name, value in headers}
