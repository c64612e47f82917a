"""Takes off what stands around a record, before its format is looked for.

Whoever moves records from one place to another puts something around them: an array, JSON text in a JSON
text, an envelope of CloudEvents, the schema of Kafka Connect, the change of a row by Debezium. So any format
may stand in any of these, and in several of them.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NamedTuple

from streams.core.ingest.draft import Found, Stamp
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.headers import RawHeaders, header
from streams.core.ingest.ids import id_fault
from streams.core.ingest.json_text import Decoded, decode, json_in
from streams.core.ingest.judging import event_fingerprint
from streams.core.ingest.record_bytes import read_bytes

MAX_LAYERS = 8  # around one record; a connector adds one or two

_CONNECT = {"schema", "payload"}
_DELETIONS = ("d", "t")  # of a row, of all rows of a table
_ATTRIBUTES = ("specversion", "id", "source", "type", "time")  # of a CloudEvent


class Unwrapped(NamedTuple):
    """What was inside, and what the layers around it say about it."""

    document: Any  # an array if it holds several records
    ids: tuple[Found, ...] = ()  # of the event, if it has none of its own
    happened: tuple[Stamp, ...] = ()  # when it happened, if it does not say so itself
    # Puts one of several events that stood inside back into the layer that says something about it.
    rewrap: Callable[[Any], Any] = lambda part: part
    is_empty: bool = False  # there is no record inside: a row was deleted
    is_dirty: bool = False  # as in Decoded, about a text that stood inside
    is_damaged: bool = False


def unwrap(document: Any, headers: RawHeaders) -> Unwrapped | Rejection:
    """Takes off all layers around a record. What is no layer that is known stays."""
    envelope = _binary_mode(headers)
    is_dirty = is_damaged = False
    for _ in range(MAX_LAYERS):
        if isinstance(document, dict) and _is_cloud_event(document):
            envelope = (envelope or {}) | _attributes(document)
        inner = _inside(document)
        if inner is None:
            break
        if isinstance(inner, Rejection):
            return inner
        document = inner.document
        if document is None:
            return Unwrapped(None, is_empty=True)
        is_dirty, is_damaged = is_dirty or inner.is_dirty, is_damaged or inner.is_damaged
    if envelope is None:
        return Unwrapped(document, is_dirty=is_dirty, is_damaged=is_damaged)
    return Unwrapped(
        document,
        _ids(envelope),
        _times(envelope),
        _putting_into(envelope),
        is_dirty=is_dirty,
        is_damaged=is_damaged,
    )


def _inside(document: Any) -> Decoded | Rejection | None:
    """What stands in the outermost layer, null for nothing; None if there is no layer."""
    if isinstance(document, str):
        return json_in(document) or _text_in(document)
    if not isinstance(document, dict):
        return None
    if _is_cloud_event(document):
        return _data(document)
    if document.keys() == _CONNECT:
        return Decoded(document["payload"])
    if _is_change(document):
        return Decoded(None if document["op"] in _DELETIONS else document.get("after"))
    return Decoded(None) if document.get("__deleted") in ("true", True) else None  # by Debezium, unwrapped


def _text_in(text: str) -> Decoded | None:
    """The text in a JSON text; None if it is none."""
    found = decode(text.encode("utf-8", "surrogatepass")) if text.lstrip()[:1] == '"' else None
    return found if isinstance(found, Decoded) and isinstance(found.document, str) else None


def _is_change(document: Mapping[str, Any]) -> bool:
    """True for the change of a row, as Debezium writes it."""
    op = document.get("op")
    has_row = "after" in document or "before" in document
    return isinstance(op, str) and len(op) == 1 and has_row and ("source" in document or "ts_ms" in document)


def _is_cloud_event(document: Mapping[str, Any]) -> bool:
    """True for an envelope in structured mode. A `type` is no sign of it: the Segment spec has one too."""
    return isinstance(document.get("specversion"), str) and ("source" in document or "data" in document)


def _attributes(document: Mapping[str, Any]) -> dict[str, str]:
    found = {name: document.get(name) for name in _ATTRIBUTES}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _binary_mode(headers: RawHeaders) -> dict[str, str] | None:
    """The attributes of a CloudEvent in binary mode, which has them in headers; None for another record."""
    if not headers or header(headers, "ce_specversion") is None:
        return None
    return _attributes({name: header(headers, f"ce_{name}") for name in _ATTRIBUTES})


def _data(document: Mapping[str, Any]) -> Decoded | Rejection:
    """What a CloudEvent in structured mode holds."""
    encoded = document.get("data_base64")
    if not isinstance(encoded, str) or document.get("data") is not None:
        return Decoded(document.get("data"))
    try:
        return read_bytes(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return reject(Reason.UNDECODABLE, "data_base64 is no base64")


def _ids(envelope: Mapping[str, str]) -> tuple[Found, ...]:
    """The id of an event that has none of its own. Only together with its source it is unique."""
    own = envelope.get("id")
    if own is None:
        return ()
    whole = f"{envelope.get('source', '')} {own}".lstrip()
    return (Found("id", whole if id_fault(whole) is None else event_fingerprint(whole)),)


def _times(envelope: Mapping[str, str]) -> tuple[Stamp, ...]:
    return (Stamp("time", envelope["time"]),) if "time" in envelope else ()


def _putting_into(envelope: Mapping[str, str]) -> Callable[[Any], Any]:
    """Puts each of several events into an envelope of its own, with an id of its own."""
    numbers = count()

    def put(part: Any) -> Any:
        number, own = next(numbers), envelope.get("id")
        return {**envelope, **({} if own is None else {"id": f"{own}/{number}"}), "data": part}

    return put
