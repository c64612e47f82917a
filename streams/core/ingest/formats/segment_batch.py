"""Splits the body of a batch request, `{"batch": [call, call, ...], "sentAt": ...}`, into its calls.

Libraries of Segment and RudderStack post such bodies, and some collectors write them to a topic as they come.
Each call keeps its bytes as they stood in the body. A call that the decoder refuses, say because of half an
emoji, must not take the other calls with it: then a slower scan finds where each call ends.
"""

import json
import re
from collections.abc import Iterator

import msgspec

from streams.core.ingest.nesting import bracket_count, is_deeper

MAX_BATCH_DEPTH = 256  # far below the decoder's own limit, whoever calls it; each call has MAX_DEPTH besides

_OTHERS = ("type", "api_key", "token")  # with one of these it is no batch of this kind
_SPACE = re.compile(r"[ \t\n\r]*")


class _Body(msgspec.Struct, gc=False):
    """A batch has no type: an object with a type is a call. Nor has it the key of another tool."""

    batch: list[msgspec.Raw]
    type: None = None
    api_key: None = None
    token: None = None


_decode = msgspec.json.Decoder(_Body).decode
_value_at = json.JSONDecoder(strict=False).raw_decode  # accepts lone surrogates and bare control characters


def split_batch(value: bytes) -> list[bytes] | None:
    """The calls of a batch, byte for byte. Never raises.

    Returns None for a record that is no batch, for one that is nested too deep, and for one in which the
    end of a call cannot be found.
    """
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
    """True if the value is nested deeper than MAX_BATCH_DEPTH. Beyond it, the decoder's own limit could
    decide what is read, and that limit depends on the call stack.

    Many calls have many brackets, so each is counted by itself: finding the exact depth takes long.
    """
    brackets = bracket_count(value)
    if brackets <= MAX_BATCH_DEPTH:
        return False
    in_calls = [bracket_count(call) for call in calls]
    around = brackets - sum(in_calls)
    deepest = max(around, 2 + max(in_calls, default=0))  # a call stands in an array in an object
    return deepest > MAX_BATCH_DEPTH and is_deeper(value, MAX_BATCH_DEPTH)


def _split_loosely(value: bytes) -> list[bytes] | None:
    """The calls of a batch that the strict decoder refused; None if it is unclear where a call ends."""
    if bracket_count(value) > MAX_BATCH_DEPTH and is_deeper(value, MAX_BATCH_DEPTH):
        return None
    text = value.decode("utf-8", "surrogateescape")  # `encode` gives bytes that are not UTF-8 back unchanged
    start = _skip(text, 0)
    try:
        body, end = _value_at(text, start)
    except (ValueError, RecursionError):
        return None
    if (
        _skip(text, end) < len(text)
        or not isinstance(body, dict)
        or any(body.get(key) is not None for key in _OTHERS)
    ):
        return None
    if not isinstance(body.get("batch"), list):
        return None
    # Of repeated fields the last one counts, as in the strict decoder.
    at = [begin for key, begin, _ in _members(text, start) if key == "batch"][-1]
    return [text[begin:end].encode("utf-8", "surrogateescape") for _, begin, end in _members(text, at)]


def _members(text: str, at: int) -> Iterator[tuple[str | None, int, int]]:
    """Yields (key, begin, end) of each member of the object or array at `at`, which can be decoded."""
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
    assert space is not None, "the pattern matches nothing too"
    return space.end()
