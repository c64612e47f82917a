"""Reads single members of the records of web analytics tools, in whatever form they were written."""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.core.ingest.formats.shape import filled
from streams.core.ingest.json_text import Decoded, clean, encode, json_in

MAX_OFFSET_MINUTES = 14 * 60  # no clock on earth is further from UTC
MAX_WHOLE_DIGITS = 19  # of a 64-bit number
# Of what all events of a body share: it is put into each of up to MAX_ITEMS documents.
MAX_SHARED_BYTES = 4096


def object_at(document: Any, key: str) -> dict[str, Any]:
    """The object under a key, or the one in the JSON text there; empty if there is neither."""
    value = document.get(key) if isinstance(document, dict) else None
    if isinstance(value, str):
        value = json_under(value)
    return value if isinstance(value, dict) else {}


def json_under(text: str) -> Any:
    """The object or array in a text, clean; None if it is neither."""
    inner = json_in(text)
    if inner is None:
        return None
    return clean(inner.document, set()) if inner.is_dirty else inner.document


def first_of(document: Mapping[str, Any], *keys: str) -> Any:
    """The first value under these keys that is neither null nor empty text; None if there is none."""
    for key in keys:
        value = document.get(key)
        if value is not None and value != "":
            return value
    return None


def whole(value: Any) -> int | None:
    """A whole number of up to 64 bits, as a number or as its digits; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 10**MAX_WHOLE_DIGITS else None
    if isinstance(value, str) and len(value) <= MAX_WHOLE_DIGITS + 1:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() else None
    return None


def minutes_east(value: Any, per_minute: int = 1) -> int | None:
    """A distance from UTC in minutes; None where it is none. `per_minute`: how many of its units are one."""
    found = whole(value)
    minutes = None if found is None else found // per_minute
    return minutes if minutes is not None and abs(minutes) <= MAX_OFFSET_MINUTES else None


def campaign_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The campaign that the `utm_` parameters of an address name."""
    return filled(
        {
            "source": properties.get("utm_source"),
            "medium": properties.get("utm_medium"),
            "name": properties.get("utm_campaign"),
            "term": properties.get("utm_term"),
            "content": properties.get("utm_content"),
        }
    )


def shared_by_all(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """What the events of a body share, for each of their documents: as many of these keys as have room."""
    kept: dict[str, Any] = {}
    room = MAX_SHARED_BYTES
    for key in keys:
        if key in body:
            size = len(encode(Decoded(body[key], is_dirty=True)))
            if size <= room:
                room -= size
                kept[key] = body[key]
    return kept
