"""Takes the body of a batch request apart, as libraries of Segment and RudderStack post it: `{"batch": [call, call], "sentAt": ...}`.

A collector that writes bodies to a topic as they come has many calls in one record. Each call is kept as its bytes stood there. A call that
no decoder takes, say with half of an emoji, does not take the others with it: then a slower look finds where each call ends.
"""

import json
import re
from collections.abc import Iterator

import msgspec

from streams.core.ingest.nesting import bracket_count, is_deeper

MAX_BATCH_DEPTH = (
    256  # far from the decoder's own limit, whoever calls; each call has a bound of its own beside it
)

_SPACE = re.compile(r"[ \t\n\r]*")


class _Body(msgspec.Struct, gc=False):
    """A batch. What has a type is a call, whatever else it holds."""

    batch: list[msgspec.Raw]
    type: None = None


_decode = msgspec.json.Decoder(_Body).decode
_value_at = json.JSONDecoder(strict=False).raw_decode  # takes lone surrogates and bare control characters


def split(value: bytes) -> list[bytes] | None:
    """The calls of a batch, byte for byte; None if the record is no batch, or is nested too deep. Never raises."""
    if b'"batch"' not in value:
        return None
    try:
        calls: list[bytes] | None = [bytes(call) for call in _decode(value).batch]
    except (msgspec.ValidationError, RecursionError):
        return None
    except (msgspec.MsgspecError, ValueError, OverflowError):
        calls = _split_loosely(value)
    return None if calls is None or _is_too_deep(value, calls) else calls


def _is_too_deep(value: bytes, calls: list[bytes]) -> bool:
    """True if the decoder's own limit, which depends on the caller, could decide. Many calls have many brackets, and are cheap to judge."""
    brackets = bracket_count(value)
    if brackets <= MAX_BATCH_DEPTH:
        return False
    in_calls = [bracket_count(call) for call in calls]
    around = brackets - sum(in_calls)
    deepest = max(around, 2 + max(in_calls, default=0))  # a call stands in an array, and that in an object
    return deepest > MAX_BATCH_DEPTH and is_deeper(value, MAX_BATCH_DEPTH)


def _split_loosely(value: bytes) -> list[bytes] | None:
    """The calls of a batch in which the strict decoder found a fault, if it can be seen where each of them ends."""
    if bracket_count(value) > MAX_BATCH_DEPTH and is_deeper(value, MAX_BATCH_DEPTH):
        return None
    text = value.decode("utf-8", "surrogateescape")  # bytes that are not UTF-8 come out again as they were
    start = _skip(text, 0)
    try:
        body, end = _value_at(text, start)
    except (ValueError, RecursionError):
        return None
    if _skip(text, end) < len(text) or not isinstance(body, dict) or body.get("type") is not None:
        return None
    if not isinstance(body.get("batch"), list):
        return None
    at = [begin for key, begin, _ in _members(text, start) if key == "batch"][-1]  # the last counts, as above
    return [text[begin:end].encode("utf-8", "surrogateescape") for _, begin, end in _members(text, at)]


def _members(text: str, at: int) -> Iterator[tuple[str | None, int, int]]:
    """(key, begin, end) of each member of the object or array that opens at a place. The text can be decoded."""
    is_object, closing = text[at] == "{", "}" if text[at] == "{" else "]"
    at = _skip(text, at + 1)
    while text[at] != closing:
        key = None
        if is_object:
            key, at = _value_at(text, at)
            at = _skip(text, _skip(text, at) + len(":"))
        _, end = _value_at(text, at)
        yield key, at, end
        at = _skip(text, end)
        if text[at] != closing:
            at = _skip(text, at + len(","))


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None, "no space at all is space enough"
    return space.end()
