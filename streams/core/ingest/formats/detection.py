"""Tells the format of a record by what it holds: the first row that fits.

A row asks for the few fields that no other tool has together. The rows stand in this order because a record
of one tool may have fields of another.
"""

from collections.abc import Callable, Sequence
from typing import Any

Headers = Sequence[tuple[str, bytes | None]]

_CALLS = ("track", "page", "screen", "identify", "alias", "group")


def _segment(document: Any, headers: Headers) -> bool:
    if not isinstance(document, dict):
        return False
    kind = document.get("type")
    if isinstance(kind, str) and kind.strip().lower() in _CALLS:
        return True
    if isinstance(document.get("batch"), list):
        return "api_key" not in document and "token" not in document
    ids = "userId" in document or "anonymousId" in document
    return ids and (isinstance(document.get("event"), str) or "messageId" in document or "type" in document)


TABLE: tuple[tuple[str, Callable[[Any, Headers], bool]], ...] = (("segment", _segment),)


def detect(document: Any, headers: Headers) -> str | None:
    """The name of the format of a document; None if it is of none that is known."""
    return next((name for name, fits in TABLE if fits(document, headers)), None)
