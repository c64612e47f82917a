"""Takes bodies of PostHog's capture endpoint apart: batches, forms, and JSON in base64.

A body is what a library posted: JSON, JSON in base64, or a form whose field `data` is one of the two.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from streams.core.ingest.formats.members import json_under, shared_by_all

MAX_FORM_FIELDS = 16  # a form has `data` and says how it was sent: four at most

_FORM = re.compile(r"(?:[a-z_]{1,32}=[^&\s]{0,32}&){0,8}data=")
_JSON_IN_BASE64 = re.compile(r"(?:e[wy]|W[3w])[A-Za-z0-9+/_-]{6,}")  # how an object or an array begins there
_BLANK = re.compile(r"\s")
_SIGN = {"api_key": ""}  # tells a body of this tool from others
_SHARED = ("api_key", "token", "sent_at", "now", "historical_migration", "ip", "site_url")


def is_encoded_body(text: str) -> bool:
    """True if a text may be a form, or JSON in base64."""
    if _FORM.match(text) is not None:
        return True
    return _JSON_IN_BASE64.match(text) is not None and not _BLANK.search(text)


def split_posthog_body(document: Any) -> list[Any] | None:
    """A body for each event, if there are several or none, or if they have to be decoded; else None."""
    if isinstance(document, str):
        inner = _decoded(document)
        if inner is None:
            return None
        return [part for member in (inner if isinstance(inner, list) else [inner]) for part in _parts(member)]
    events = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(events, list) or len(events) == 1:
        return None
    shared = {**_SIGN, **shared_by_all(document, _SHARED)}
    return [{**shared, "batch": [event]} for event in events]


def only_event(body: Mapping[str, Any]) -> Any:
    """The event of a body of one, with what the body says besides; None if it is not a body of one."""
    events = body["batch"]
    if not isinstance(events, list) or len(events) != 1 or not isinstance(events[0], dict):
        return None
    return {key: value for key, value in body.items() if key != "batch"} | events[0]


def _parts(member: Any) -> list[Any]:
    parts = split_posthog_body(member)
    if parts is not None:
        return parts
    is_body = isinstance(member, dict) and isinstance(member.get("batch"), list)
    return [member if is_body else {**_SIGN, "batch": [member]}]


def _decoded(text: str) -> Any:
    """The JSON in a body that is none itself; None if there is none."""
    if _FORM.match(text) is not None:
        try:
            text = dict(parse_qsl(text, max_num_fields=MAX_FORM_FIELDS)).get("data", "")
        except ValueError:
            return None
    if _JSON_IN_BASE64.match(text) is not None:
        try:
            text = b64decode(text.replace(" ", "+") + "==").decode()  # a plus is a blank in a form
        except ValueError:
            return None
    return json_under(text)
