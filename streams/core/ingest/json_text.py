"""Reads JSON that strict decoders refuse, and writes what was read.

Programs write NaN, half emojis, bare control characters and bytes of other encodings. None of these is a
reason to lose a purchase.
"""

import json
import re
from collections.abc import Collection, Iterator
from math import inf, isfinite
from typing import Any, NamedTuple

import msgspec

from streams.core.ingest.nesting import MAX_DEPTH, bracket_count, is_deeper
from streams.core.ingest.repairs import Repair

MAX_INTEGER_CHARS = 400  # longer whole numbers are no amounts and no ids

_SURROGATE = re.compile("[\ud800-\udfff]+")
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)

_decode = msgspec.json.Decoder().decode


class Decoded(NamedTuple):
    """A document, and what is wrong with its text."""

    document: Any
    is_dirty: bool = False  # it may hold lone surrogates, NaN and infinities: `clean` takes them out
    is_damaged: bool = False  # some of the surrogates stand for bytes that are not UTF-8


def decode(value: bytes) -> Decoded | str:
    """The JSON document in these bytes, which nest no deeper than nesting.MAX_DEPTH. Never raises.

    Returns the reason, for a person, if they are no JSON however leniently they are read.
    """
    is_damaged = False
    try:
        # Decoded here, since the decoder does not look into texts of ASCII length alone.
        text = value.decode()
        return Decoded(_decode(value))
    except UnicodeDecodeError:
        text, is_damaged = value.decode("utf-8", "surrogateescape"), True
    except _UNREADABLE:
        pass
    try:
        document = json.loads(text, strict=False, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return Decoded(document, True, is_damaged)


def json_in(text: str) -> Decoded | None:
    """The object or array in a text; None if it is neither, or nests too deep."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    value = text.encode("utf-8", "surrogatepass")
    if bracket_count(value) > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        return None
    found = decode(value)
    return None if isinstance(found, str) else found


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_CHARS else inf


def encode(decoded: Decoded, *, sort_keys: bool = False) -> bytes:
    """The document as JSON again, so that `decode` gives the same."""
    document = decoded.document
    if not decoded.is_dirty:
        return msgspec.json.encode(document, order="sorted" if sort_keys else None)
    if decoded.is_damaged:
        text = json.dumps(document, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            pass  # there are lone surrogates beside the damage
    return json.dumps(document, sort_keys=sort_keys, separators=(",", ":")).encode()


def clean(document: Any, repairs: set[Repair]) -> Any:
    """The document with U+FFFD for lone surrogates, in keys too, and null for what is no number."""
    if isinstance(document, str):
        found = _SURROGATE.sub("\ufffd", document)
        if found != document:
            repairs.add(Repair.ENCODING)
        return found
    if isinstance(document, dict):
        return {clean(key, repairs): clean(member, repairs) for key, member in document.items()}
    if isinstance(document, list):
        return [clean(member, repairs) for member in document]
    if isinstance(document, float) and not isfinite(document):
        repairs.add(Repair.NUMBER)
        return None
    return document


def damaged_at(document: Any, decisive: Collection[str]) -> str | None:
    """Where the damage may hide who did what and when: the first of these paths, or a key that may be one.

    None if there is no such place.
    """
    for path, key_is_damaged, member in _members(document, ""):
        if key_is_damaged and _may_be(path, decisive):
            return "a key"
        if isinstance(member, str) and path in decisive and _SURROGATE.search(member):
            return path
    return None


def _members(document: Any, before: str) -> Iterator[tuple[str, bool, Any]]:
    """(path, whether its last key is damaged, value) of all members, in their order."""
    if isinstance(document, dict):
        for key, member in document.items():
            path = before + key
            yield path, _SURROGATE.search(key) is not None, member
            yield from _members(member, f"{path}.")
    elif isinstance(document, list):
        for member in document:
            yield from _members(member, before)


def _may_be(path: str, decisive: Collection[str]) -> bool:
    """True if a damaged path may have been one of these, or have led to one."""
    pattern = re.compile(".+".join(map(re.escape, _SURROGATE.split(path))))
    keys = path.count(".") + 1
    return any(pattern.fullmatch(".".join(name.split(".")[:keys])) for name in decisive)
