"""Takes off what stands around a record: an array of records, JSON text as a JSON string.

Whoever moves records from one place to another puts something around them. It is taken off before the format
of the record is looked for, so any format may stand in any of these.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streams.core.ingest.draft import Found, Stamp
from streams.core.ingest.json_text import json_in

MAX_LAYERS = 8  # around one record; a connector adds one or two


class Unwrapped(NamedTuple):
    """What was inside, and what the layers around it say about it."""

    document: Any  # an array if it holds several records
    ids: tuple[Found, ...] = ()  # of the event, if it has none of its own
    happened: tuple[Stamp, ...] = ()  # when it happened, if it does not say so itself
    # Puts one of several events that stood inside back into the layers that say something about it.
    rewrap: Callable[[Any], Any] = lambda part: part


def unwrap(document: Any, headers: Sequence[tuple[str, bytes | None]]) -> Unwrapped:
    """Takes off all layers around a record. What is no layer that is known stays."""
    for _ in range(MAX_LAYERS):
        inner = json_in(document) if isinstance(document, str) else None
        if inner is None:
            break
        document = inner.document
    return Unwrapped(document)
