"""Looks again at a record that the typed decoder refused, and finds the precise reason for a person.

This look is slow and lenient. It names the first fault in the order of the checks below, so the reason does
not depend on the order of the fields.
"""

import json
import re
from typing import Any

import msgspec

from streams.core.ingest.event import EVENT_TYPES, Reason, Rejection, reject

_TEXT = (str,)
_ID = (str, int)
_FIELDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("messageId", _ID),
    ("userId", _ID),
    ("anonymousId", _ID),
    ("timestamp", _TEXT),
    ("event", _TEXT),
    ("name", _TEXT),
    ("channel", _TEXT),
    ("properties", (dict,)),
    ("context", (dict,)),
)
_WORDS = {
    str: "a string",
    int: "a number",
    float: "a number with a fraction",
    bool: "true or false",
    dict: "an object",
    list: "an array",
}
_IDS = ("messageId", "userId", "anonymousId")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def diagnose(value: bytes, error: Exception) -> Rejection:
    """Finds why a record could not be decoded. Never raises.

    `error` is what the decoder raised; its text is the last resort.
    """
    try:
        # Accepts some of what the strict decoder refuses: lone surrogates, NaN.
        record: Any = json.loads(value.decode())
    except (ValueError, RecursionError):
        return reject(Reason.UNDECODABLE, str(error) or "not JSON")
    if not isinstance(record, dict):
        return reject(Reason.WRONG_TYPE, f"the record is {_word(record)}, not an object")
    kind = record.get("type")
    if kind is not None and not isinstance(kind, str):
        return reject(Reason.WRONG_TYPE, f"type is {_word(kind)}, not a string")
    if kind is None and isinstance(record.get("batch"), list):
        return reject(Reason.UNKNOWN_TYPE, "a batch within a batch")
    if kind not in EVENT_TYPES:
        return reject(
            Reason.UNKNOWN_TYPE,
            f"type is {kind}, not one of {', '.join(EVENT_TYPES)}" if kind else "type is missing",
        )
    for name, types in _FIELDS:
        found = record.get(name)
        if found is not None and type(found) not in types:
            return reject(Reason.WRONG_TYPE, f"{name} is {_word(found)}, not {_WORDS[types[0]]}")
    for name in _IDS:
        found = record.get(name)
        if isinstance(found, str) and _SURROGATE.search(found):
            return reject(Reason.BAD_ID, f"{name} has lone surrogates: {found}")
    if isinstance(error, msgspec.ValidationError):
        return reject(Reason.WRONG_TYPE, str(error))
    return reject(
        Reason.UNDECODABLE,
        "a lone surrogate" if _SURROGATE.search(json.dumps(record, ensure_ascii=False)) else str(error),
    )


def _word(value: object) -> str:
    return _WORDS.get(type(value), "null")
