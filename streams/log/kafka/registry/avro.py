"""Reads messages in Avro, by one schema of a registry, as the JSON that they stand for.

    record, map -> object      array -> array        union -> the value of its branch
    enum, string -> text       bytes, fixed -> base64
    decimal -> text            uuid -> text          times and dates -> text (RFC 3339)

fastavro decodes; here is what it does not promise: that nothing that somebody sends costs memory or a stack
without bound, and texts where it would make objects of Python.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import msgspec
from fastavro.read import LOGICAL_READERS

from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.json_text import Decoded, encode
from streams.core.ingest.nesting import MAX_DEPTH, is_deeper
from streams.log.kafka.registry.avro_shape import Shape, shape_of
from streams.log.kafka.registry.avro_walk import nesting_fault

# Brackets within each other in the text of a schema. One level of a record is four of them.
MAX_SCHEMA_BRACKETS = 4 * MAX_DEPTH
# The schema stands in a record of our own, whose only field it is: then a union and a name can be read, too.
# That adds no byte.
_FIELD = "message"
_OWN = "streams-"  # before the names of the logical types that are read here: fastavro's own stay as they are
_EPOCH = datetime(1970, 1, 1)
_SECONDS_PER_DAY = 86_400
# Of a decimal: some 600 digits. The time that more take grows with their square: a megabyte takes minutes.
MAX_DECIMAL_BYTES = 256
_DIGITS_PER_SECOND = {"millis": 3, "micros": 6, "nanos": 9}


class AvroReader:
    """Reads the messages of one schema."""

    def __init__(self, schema: dict[str, Any], shape: Shape, name: str) -> None:
        """`name`: of the schema, for a person."""
        self._schema, self._shape, self._name = schema, shape, name

    def read(self, body: bytes) -> bytes | Rejection:
        """The message as JSON. Never raises."""
        if self._shape.may_nest_deeper and (
            fault := nesting_fault(body, self._shape.root, self._shape.named)
        ):
            return reject(Reason.UNDECODABLE, f"{self._name}: {fault}")
        stream = io.BytesIO(body)
        try:
            found = fastavro.schemaless_reader(
                stream, self._schema, None, handle_unicode_errors="surrogateescape"
            )
        except Exception as error:  # whatever the bytes made it raise
            detail = str(error) or type(error).__name__
            return reject(Reason.UNDECODABLE, f"{self._name}: Avro that is cut off or damaged: {detail}")
        if (left := len(body) - stream.tell()) > 0:
            return reject(Reason.UNDECODABLE, f"{self._name}: {left} bytes follow the message")
        assert isinstance(found, dict)
        return _json(found[_FIELD])


def avro_reader(text: str, references: Sequence[str], name: str) -> AvroReader | Rejection:
    """The reader of a schema. `references`: the schemas that it needs, each after those that it needs itself.

    A rejection, if it is no schema, or one whose messages cannot be read with a bound.
    """
    for given in (*references, text):
        if is_deeper(given.encode("utf-8", "replace"), MAX_SCHEMA_BRACKETS):
            return reject(Reason.BINARY, f"{name} nests too deep")
    named: dict[str, Any] = {}
    try:
        for given in references:
            fastavro.parse_schema(_plain(given), named)
        whole = {
            "type": "record",
            "name": "streams.Message",
            "fields": [{"name": _FIELD, "type": _plain(text)}],
        }
        parsed = fastavro.parse_schema(whole, named)
        assert isinstance(parsed, dict), type(parsed)
        shape = shape_of(parsed, named, _rename)
    except Exception as error:  # whatever somebody has registered
        return reject(Reason.BINARY, f"{name} is no schema of Avro: {error}")
    if shape.fault is not None:
        return reject(Reason.BINARY, f"{name}: {shape.fault}")
    return AvroReader(parsed, shape, name)


def _plain(text: str) -> Any:
    """The schema in a text: JSON, or the bare name of a type."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.strip()


def _json(message: Any) -> bytes:
    try:
        return msgspec.json.encode(message)
    except UnicodeEncodeError:  # bytes that are not UTF-8 in a text: the door knows what to do with them
        return encode(Decoded(msgspec.to_builtins(message), is_dirty=True, is_damaged=True))


def _rename(node: dict[str, Any]) -> None:
    """Has a logical type read by what is below, if it is among that."""
    logical = node.get("logicalType")
    if isinstance(logical, str) and f"{node['type']}-{_OWN}{logical}" in _READERS:
        node["logicalType"] = _OWN + logical


def _timestamp(unit: str, zone: str) -> Callable[..., str | int]:
    digits = _DIGITS_PER_SECOND[unit]
    per_second = 10**digits

    def read(value: int, *_: Any) -> str | int:
        seconds, fraction = divmod(value, per_second)
        try:
            at = _EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return value  # some write the greatest number for "never"
        return f"{at.isoformat()}.{fraction:0{digits}d}{zone}"

    return read


def _date(days: int, *_: Any) -> str | int:
    try:
        return (_EPOCH + timedelta(days=days)).date().isoformat()
    except OverflowError:
        return days


def _time(unit: str) -> Callable[..., str | int]:
    digits = _DIGITS_PER_SECOND[unit]

    def read(value: int, *_: Any) -> str | int:
        seconds, fraction = divmod(value, 10**digits)
        if not 0 <= seconds < _SECONDS_PER_DAY:
            return value
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:0{digits}d}"

    return read


def _decimal(value: bytes, schema: Mapping[str, Any], *_: Any) -> str | bytes:
    if len(value) > MAX_DECIMAL_BYTES:
        return value  # no number that anybody means
    unscaled = int.from_bytes(value, "big", signed=True)
    sign, digits, _exponent = Decimal(unscaled).as_tuple()
    return f"{Decimal((sign, digits, -schema.get('scale', 0))):f}"


def _uuid(value: bytes, *_: Any) -> str | bytes:
    return str(UUID(bytes=value)) if len(value) == 16 else value


_READERS: dict[str, Callable[..., Any]] = {
    f"int-{_OWN}date": _date,
    f"int-{_OWN}time-millis": _time("millis"),
    f"long-{_OWN}time-micros": _time("micros"),
    f"bytes-{_OWN}decimal": _decimal,
    f"fixed-{_OWN}decimal": _decimal,
    f"fixed-{_OWN}uuid": _uuid,
    f"string-{_OWN}uuid": lambda value, *_: value,
}
for _unit in _DIGITS_PER_SECOND:
    _READERS[f"long-{_OWN}timestamp-{_unit}"] = _timestamp(_unit, "Z")
    _READERS[f"long-{_OWN}local-timestamp-{_unit}"] = _timestamp(_unit, "")
LOGICAL_READERS.update(_READERS)
