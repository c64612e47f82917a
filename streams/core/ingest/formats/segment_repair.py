"""Reads around bytes that are not UTF-8: each run of them counts as U+FFFD, unless they stand in a field that
names the event, the person, what was done or when.

The typed decoder skips the fields that it does not know, and what is wrong in them with it. So whether such a
record was read would depend on which fields somebody looks at, and a damaged key would silently be no key.
Here the whole record is looked at, in the same way whatever is in it. This is slow, and rare.
"""

import json
import re
from typing import Any

# What a record is rejected for if it is damaged there, whether or not it is used in this record.
_DECISIVE = (
    "messageId",
    "userId",
    "anonymousId",
    "event",
    "name",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
)
_DAMAGED = re.compile("[\udc80-\udcff]+")  # how `surrogateescape` shows bytes that are not UTF-8


def is_utf8(value: bytes) -> bool:
    """True if these bytes are UTF-8."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def repair(value: bytes) -> bytes | None:
    """The record with U+FFFD for what is not UTF-8 in it.

    None if the damage is in the value of a decisive field, in a key that may have been one, or outside of
    strings, or if this is no JSON object.
    """
    text = value.decode("utf-8", "surrogateescape")
    try:
        # Every object becomes the list of its members: of repeated fields each is looked at.
        record: Any = json.loads(text, strict=False, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not text.lstrip(" \t\r\n").startswith("{"):
        return None
    for key, member in record:
        if _DAMAGED.search(key) and _may_be_decisive(key):
            return None
        if key in _DECISIVE and isinstance(member, str) and _DAMAGED.search(member):
            return None
    return value.decode("utf-8", "replace").encode()


def _may_be_decisive(key: str) -> bool:
    pattern = ".+".join(map(re.escape, _DAMAGED.split(key)))
    return any(re.fullmatch(pattern, name) for name in _DECISIVE)
