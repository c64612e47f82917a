"""Reads the records of one input through a door: the whole way from bytes to items."""

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.core.ingest.apart import ApartJudge
from streams.core.ingest.door import AUTO, Door, InputDoor, named_in
from streams.core.ingest.draft import Draft
from streams.core.ingest.event import (
    MAX_ITEMS,
    MAX_RECORD_BYTES,
    Event,
    Item,
    Items,
    Reason,
    Rejection,
    reject,
)
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.formats.format import Format, InputContext
from streams.core.ingest.formats.mapping import decisive_paths
from streams.core.ingest.formats.segment import QuickReader
from streams.core.ingest.formats.segment_batch import split_batch
from streams.core.ingest.headers import RawHeaders, header
from streams.core.ingest.json_text import Decoded, clean, damaged_at, encode
from streams.core.ingest.judging import Judge
from streams.core.ingest.placeholders import Placeholders
from streams.core.ingest.record_bytes import read_bytes, uncoated
from streams.core.ingest.repairs import Repair
from streams.core.ingest.unreadable import rejection_in
from streams.core.ingest.wrappings import Unwrapped, unwrap

ReadOutcome = Event | Rejection | Items
"""What a record holds. Items: several events, or none."""

NO_ITEMS = Items(())
SHOWN_KEYS = 8  # of an object of no known format
DEFECT = "a defect"  # how the detail of a rejection begins that should have been none
_SEGMENT = "segment"
_QUICK = (AUTO, _SEGMENT)  # the formats of an input whose records the quick reader may know


class RecordReader:
    """Reads the records of one input. It is made once for each input and door."""

    def __init__(self, door: Door, topic: str) -> None:
        self.input_door, self.skew_ms = door.inputs.get(topic, door.others), door.skew_ms
        self.placeholders = Placeholders(door.placeholders, door.no_placeholders)
        self.apart = ApartJudge(door.apart)
        self.quick = QuickReader(self.placeholders, door.skew_ms, self.apart)
        paths = [tuple(path.split(".")) for path in door.orders]
        self._order_paths = [path[1:] for path in paths if path[0] == "properties"]
        self._order_keys = frozenset(path[0] for path in self._order_paths if path)

    def read(self, value: bytes | None, headers: RawHeaders, arrived_ms: int, limit_ms: int) -> ReadOutcome:
        """Reads one record. Never raises.

        `arrived_ms`: the record's own time, -1 where it is not known. `limit_ms`: the newest event time that
        is accepted. Both are in milliseconds since 1970 UTC.
        """
        given = self.input_door
        if headers:
            if (rejection := rejection_in(headers)) is not None:
                return self.apart.rejected(rejection, value or b"")
            given, arrived_ms = self._given(headers, arrived_ms)
        if value is None:
            return reject(Reason.UNDECODABLE, "the record has no value")
        if given.format in _QUICK and (event := self.quick.read(value, limit_ms)) is not None:
            return (
                event
                if self._order_keys.isdisjoint(event.properties)
                else self.without_placeholder_order(event)
            )
        return _Reading(self, given, headers, arrived_ms, limit_ms).record(value)

    def look(
        self, value: bytes | None, headers: RawHeaders, arrived_ms: int, limit_ms: int
    ) -> tuple[ReadOutcome, tuple[str, ...]]:
        """As `read`, with the name of the format of each item; "" where none is known."""
        if value is None or rejection_in(headers) is not None:
            return self.read(value, headers, arrived_ms, limit_ms), ("",)
        given, arrived_ms = self._given(headers, arrived_ms)
        reading = _Reading(self, given, headers, arrived_ms, limit_ms)
        outcome = reading.record(value)
        return outcome, tuple(reading.formats) or ("",)

    def _given(self, headers: RawHeaders, arrived_ms: int) -> tuple[InputDoor, int]:
        """How a record is read, and its own time: when a record of a file was appended says nothing."""
        named = named_in(headers)
        return (self.input_door, arrived_ms) if named is None else (named, -1)

    def quick_key_of(self, value: bytes | None, headers: RawHeaders) -> bytes:
        """The key of a record's person, cheaply; b"" where that takes a closer look. Never raises."""
        if not value:
            return b""
        given = (named_in(headers) if headers else None) or self.input_door
        return self.quick.key_of(value) if given.format in _QUICK else b""

    def judged(self, event: Event) -> Event:
        """The event as it goes on: with why it is counted apart, if it is, and without a placeholder where
        its order id belongs.
        """
        event.apart = self.apart.judge(event)
        return self.without_placeholder_order(event)

    def without_placeholder_order(self, event: Event) -> Event:
        """The event without what stands where its order id belongs, if that stands for no id."""
        properties = event.properties
        for path in self._order_paths:
            value: Any = properties
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if type(value) in (str, int, float) and str(value) in self.placeholders:
                properties = _without(properties, path)
        if properties is event.properties:
            return event
        repairs = tuple(sorted({*event.repairs, Repair.PLACEHOLDER}))
        return msgspec.structs.replace(event, properties=properties, repairs=repairs)


class _Reading:
    """The closer look at one record, which most records don't need."""

    def __init__(
        self, reader: RecordReader, given: InputDoor, headers: RawHeaders, arrived_ms: int, limit_ms: int
    ) -> None:
        self._reader, self._input, self._headers = reader, given, headers
        self._arrived_ms, self._limit_ms = arrived_ms, limit_ms
        self._context = InputContext(headers, given.mapping)
        self.formats: list[str] = []  # of each event, in its order
        self._judge = Judge(reader.placeholders, reader.skew_ms, given.zone)

    def record(self, value: bytes) -> ReadOutcome:
        """Reads the bytes of a record."""
        outcome = self._record(value)
        return self._reader.apart.rejected(outcome, value) if isinstance(outcome, Rejection) else outcome

    def _record(self, value: bytes) -> ReadOutcome:
        if len(value) > MAX_RECORD_BYTES:
            return reject(Reason.TOO_LARGE, f"{len(value)} bytes, more than {MAX_RECORD_BYTES}")
        plain = uncoated(value)
        if isinstance(plain, Rejection):
            return plain
        # What stands in an envelope is put back into it, call by call.
        is_bare = header(self._headers, "ce_specversion") is None
        if is_bare and self._input.format in _QUICK and (calls := split_batch(plain)) is not None:
            return _items([Item(call, self._call(call)) for call in calls[: MAX_ITEMS + 1]], len(calls))
        return self._bytes(plain)

    def _call(self, value: bytes) -> ReadOutcome:
        event = self._reader.quick.read(value, self._limit_ms)
        if event is not None:
            self.formats.append(_SEGMENT)
            return self._reader.without_placeholder_order(event)
        outcome = self._bytes(value, part_of=FORMATS[_SEGMENT])
        return self._reader.apart.rejected(outcome, value) if isinstance(outcome, Rejection) else outcome

    def _bytes(self, value: bytes, part_of: Format | None = None) -> ReadOutcome:
        decoded = read_bytes(value)
        return decoded if isinstance(decoded, Rejection) else self._document(decoded, part_of)

    def _document(self, decoded: Decoded, part_of: Format | None = None) -> ReadOutcome:
        """Reads a document, or each of those in it. `part_of`: the format of the body that it is part of."""
        inner = unwrap(decoded.document, self._headers)
        if isinstance(inner, Rejection):
            return inner
        if inner.is_empty:
            return NO_ITEMS
        if inner.is_dirty:
            is_damaged = decoded.is_damaged or inner.is_damaged
            decoded = Decoded(decoded.document, is_dirty=True, is_damaged=is_damaged)
        if isinstance(inner.document, list):
            if part_of is not None:
                return reject(Reason.UNKNOWN_TYPE, "an array within a batch")
            return self._several(decoded, inner, inner.document)
        if part_of is not None:
            return self._event(decoded, inner, part_of)
        name = self._input.format
        if name == AUTO:
            name = detect(inner.document, self._headers) or ""
        format = FORMATS.get(name)
        if format is None:
            self.formats.append("")
            if decoded.is_damaged:
                return reject(Reason.UNDECODABLE, "bytes that are not UTF-8, in a record of no known format")
            return self._reader.apart.rejected(_unknown(inner.document, name), inner.document)
        try:
            parts = format.split(inner.document)
        except Exception as error:  # a defect in one reader must not stop the stream
            return _defect(format, error)
        if parts is None:
            return self._event(decoded, inner, format)
        return self._several(decoded, inner, parts, format)

    def _several(
        self, decoded: Decoded, inner: Unwrapped, parts: Sequence[Any], part_of: Format | None = None
    ) -> ReadOutcome:
        items: list[Item] = []
        for part in parts:
            one = decoded._replace(document=inner.rewrap(part))
            outcome = self._document(one, part_of)
            if isinstance(outcome, Items) and outcome.items:
                items += outcome.items
            else:
                value = encode(one)
                if isinstance(outcome, Rejection):
                    outcome = self._reader.apart.rejected(outcome, value)
                items.append(Item(value, outcome))
            if len(items) > MAX_ITEMS:
                break
        return _items(items, len(items))

    def _event(self, decoded: Decoded, inner: Unwrapped, format: Format) -> ReadOutcome:
        self.formats.append(format.name)
        draft: Draft | Rejection | None
        try:
            draft = format.draft(inner.document, self._context)
        except Exception as error:
            draft = _defect(format, error)
        decisive = decisive_paths(self._input.mapping) or format.decisive
        if decoded.is_damaged and (where := damaged_at(inner.document, decisive)):
            rejection = reject(Reason.UNDECODABLE, f"bytes that are not UTF-8 in {where}")
            return self._reader.apart.rejected(rejection, draft or inner.document)
        if draft is None:
            return NO_ITEMS
        if isinstance(draft, Rejection):
            return self._reader.apart.rejected(draft, inner.document)
        repairs = set(draft.repairs)
        if decoded.is_dirty:
            clean(inner.document, repairs)  # for all that is wrong in it, whether or not somebody looks there
            draft.properties = draft.properties._replace(value=clean(draft.properties.value, repairs))
            draft.context = draft.context._replace(value=clean(draft.context.value, repairs))
        draft.ids += inner.ids
        draft.happened += inner.happened
        if draft.identity is None:
            draft.identity = inner.document
        event = self._judge.event(draft, self._arrived_ms, self._limit_ms, repairs)
        if isinstance(event, Rejection):
            return self._reader.apart.rejected(event, draft)
        return self._reader.judged(event)


def _without(holder: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The object without what is at a path in it."""
    key, *keys = path
    left = dict(holder)
    if keys:
        left[key] = _without(holder[key], keys)
    else:
        del left[key]
    return left


def _items(items: Sequence[Item], count: int) -> Items | Rejection:
    if count > MAX_ITEMS:
        return reject(Reason.TOO_LARGE, f"a record of {count} events or more, more than {MAX_ITEMS}")
    return Items(tuple(items))


def _defect(format: Format, error: Exception) -> Rejection:
    return reject(Reason.WRONG_TYPE, f"{DEFECT} in the reader of {format.name}: {error!r}")


def _unknown(document: Any, name: str) -> Rejection:
    if name:
        return reject(Reason.UNDECODABLE, f"an item of the format {name}, which this release cannot read")
    if isinstance(document, dict):
        keys = ", ".join(map(str, list(document)[:SHOWN_KEYS]))
        return reject(Reason.UNKNOWN_FORMAT, f"an object with the keys {keys}" if keys else "an empty object")
    if isinstance(document, str):
        return reject(Reason.UNDECODABLE, "not JSON, nor a line of a known format")
    return reject(Reason.WRONG_TYPE, "JSON, but not an object")
