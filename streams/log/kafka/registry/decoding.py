"""Decodes the records of inputs where they are read, so that everything after it sees JSON, whoever wrote it.

What a record means depends on its bytes and on the schema that they name, and a registry never gives a number
to another schema. So a recomputation decodes a record as it was decoded first, and a schema that was learned
is asked for no more.

A registry that does not answer rejects nothing: the records wait for it. One that has no such schema is asked
once more, since a copy of a registry may be a moment behind; then the record is rejected.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Set
from typing import Any, NamedTuple

import msgspec

from streams.backoff import Backoff
from streams.clock import Clock
from streams.core.ingest.event import MAX_RECORD_BYTES, Reason, Rejection, reject
from streams.core.ingest.unreadable import unreadable_headers
from streams.errors import Unavailable
from streams.log.kafka.registry.client import NoSchema, RegistryClient
from streams.log.kafka.registry.frame import FramedMessage, ReadMessage, SchemaKey, framed_message
from streams.log.kafka.registry.protobuf import is_compiled
from streams.log.kafka.registry.readers import reader_of, rejecting
from streams.records import DecodedRecord, Record

MAX_SCHEMAS = 2_000  # that are kept; one that was forgotten is asked for again
MAX_UNKNOWN = 10_000  # keys that are remembered as unknown: binary data may look like a frame with any number
UNKNOWN_FOR_S = 60.0  # then the registry is asked again
ASKED_AGAIN_S = 1.0  # after which a copy of a registry has what its leader has
QUESTIONS = 8  # at a time
SOONEST_QUESTION_S, LATEST_QUESTION_S = 0.25, 5.0  # before a registry that does not answer is asked again


class _Unknown(NamedTuple):
    read: ReadMessage  # says that it is unknown
    until_s: float


class RecordDecoder:
    """Decodes records by the schemas of one registry."""

    def __init__(
        self,
        client: RegistryClient,
        *,
        patience_s: float = float("inf"),
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`patience_s`: how long a registry that does not answer is asked again and again."""
        self._client, self._patience_s, self._clock, self._draw = client, patience_s, clock or Clock(), draw
        self.on_waiting: Callable[[str], None] = lambda _: None  # gets why it waits, once for each wait
        self._known: dict[SchemaKey, ReadMessage] = {}
        self._unknown: dict[SchemaKey, _Unknown] = {}

    async def check(self) -> None:
        """Returns if the registry lets us in. Raises Refused, Unavailable."""
        await self._client.check()

    async def decoded(self, records: list[Record]) -> list[Record]:
        """The records, with JSON as the value of those that name a schema; the others as they are.

        A record that cannot be decoded keeps its value and gets a header that has it rejected. Waits for the
        registry; raises Unavailable when there is no more patience, Refused.
        """
        found = {
            at: message
            for at, record in enumerate(records)
            if (message := framed_message(record.value, record.headers)) is not None
        }
        if not found:
            return records
        readers = await self._readers({message.key for message in found.values()})
        decoded = list(records)
        for at, message in found.items():
            decoded[at] = _decoded(records[at], message, readers[message.key])
        return decoded

    async def _readers(self, keys: Set[SchemaKey]) -> dict[SchemaKey, ReadMessage]:
        """What reads the messages of these schemas, whether they are known or not."""
        readers = {key: self._known[key] for key in keys if key in self._known}
        wanted, now_s = keys - readers.keys(), self._clock.monotonic_s()
        readers |= {
            key: unknown.read
            for key in wanted
            if (unknown := self._unknown.get(key)) is not None and unknown.until_s > now_s
        }
        wanted = keys - readers.keys()
        if not wanted:
            return readers
        learned, missing = await self._ask(wanted)
        if missing:
            await asyncio.sleep(ASKED_AGAIN_S)
            later, missing = await self._ask(missing.keys())
            learned |= later
        until_s = self._clock.monotonic_s() + UNKNOWN_FOR_S
        for key, answer in missing.items():
            detail = f"{_name(key)} of the schema registry: {answer.detail}"
            learned[key] = rejecting(reject(Reason.BINARY, detail))
            self._unknown.pop(key, None)
            self._unknown[key] = _Unknown(learned[key], until_s)
        self._known |= {key: read for key, read in learned.items() if key not in missing}
        _forget_first(self._known, MAX_SCHEMAS)
        _forget_first(self._unknown, MAX_UNKNOWN)
        return readers | learned

    async def _ask(
        self, keys: Iterable[SchemaKey]
    ) -> tuple[dict[SchemaKey, ReadMessage], dict[SchemaKey, NoSchema]]:
        """What the registry has, and what it does not have. Waits while it does not answer."""
        learned: dict[SchemaKey, ReadMessage] = {}
        missing: dict[SchemaKey, NoSchema] = {}
        left, is_reported = list(keys), False
        backoff = Backoff(first_s=SOONEST_QUESTION_S, longest_s=LATEST_QUESTION_S, draw=self._draw)
        deadline_s = self._clock.monotonic_s() + self._patience_s
        while left:
            some, left = left[:QUESTIONS], left[QUESTIONS:]
            asked = [self._client.schema(key, is_compiled) for key in some]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            failure: Unavailable | None = None
            for key, answer in zip(some, answers, strict=True):
                if isinstance(answer, NoSchema):
                    missing[key] = answer
                elif not isinstance(answer, BaseException):
                    learned[key] = reader_of(answer, _name(key))
                elif isinstance(answer, Unavailable):
                    failure = answer
                    left.append(key)
                else:
                    raise answer
            if failure is None:
                continue
            if self._clock.monotonic_s() >= deadline_s:
                raise failure
            if not is_reported:
                is_reported = True
                self.on_waiting(f"{failure}; records that need {_name(left[-1])} wait for it")
            await asyncio.sleep(backoff.next_s())
        return learned, missing

    async def close(self) -> None:
        """Hangs up."""
        await self._client.close()


def _decoded(record: Record, message: FramedMessage, read: ReadMessage) -> Record:
    value = record.value
    assert value is not None
    if len(value) > MAX_RECORD_BYTES:
        return record  # the door refuses it
    outcome = read(message)
    if outcome is None:
        return record
    if isinstance(outcome, Rejection):
        marked = unreadable_headers(outcome.reason, outcome.detail)
        return msgspec.structs.replace(record, headers=(*marked, *record.headers))
    return DecodedRecord(record.offset, record.time_ms, record.key, outcome, record.headers, original=value)


def _name(key: SchemaKey) -> str:
    return f"the schema {key}"


def _forget_first(known: dict[SchemaKey, Any], most: int) -> None:
    for key in list(known)[: max(0, len(known) - most)]:
        del known[key]
