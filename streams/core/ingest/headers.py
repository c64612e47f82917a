"""The headers of a record that decide how it is read. Others may be of any size, and nobody keeps them."""

from collections.abc import Sequence

from streams.core.ingest.unreadable import UNREADABLE_HEADER
from streams.records import Headers

RawHeaders = Sequence[tuple[str, bytes | None]]
"""Headers as a log gives them: one may have no value."""

READ_AS_HEADER = "read-as"
"""How a record of a file is read: its format and, each after a blank, the zone of its times and a mapping."""

ORDINAL_HEADER = "ordinal"
"""On a record of a finite file: how many equal lines come before it there."""

SCHEMA_HEADER = "__value_schema_id"
"""Which schema of a registry the value was written with, where Confluent's serializers say it in a header."""

SHOPIFY_TOPIC_HEADER = "x-shopify-topic"
SHOPIFY_EVENT_HEADER = "x-shopify-event-id"
SHOPIFY_TIME_HEADER = "x-shopify-triggered-at"

_DECISIVE = frozenset(
    {
        READ_AS_HEADER, UNREADABLE_HEADER, "content-type", SHOPIFY_TOPIC_HEADER, SHOPIFY_EVENT_HEADER,
        SHOPIFY_TIME_HEADER, ORDINAL_HEADER, SCHEMA_HEADER,
    }
)  # fmt: skip
_DECISIVE_PREFIX = "ce_"  # of CloudEvents in binary mode


def is_decisive(name: str) -> bool:
    """True if the header of this name decides how its record is read. Case does not matter."""
    plain = name.lower()
    return plain in _DECISIVE or plain.startswith(_DECISIVE_PREFIX)


def decisive_headers(headers: Headers) -> Headers:
    """Those of the headers that decide how their record is read."""
    return tuple([header for header in headers if is_decisive(header[0])]) if headers else ()


def header(headers: RawHeaders, name: str) -> str | None:
    """The text of the first header with this name, whatever its case; None if there is none."""
    for found, value in headers:
        if found.lower() == name and value is not None:
            return value.decode("utf-8", "replace")
    return None
