"""Tells the format of a record by what it holds: the first row that fits.

A row asks for the few fields that no other tool has together. The rows stand in this order because a record
of one tool may have fields of another.
"""

from collections.abc import Callable
from typing import Any

from streams.core.ingest.formats.access_log import is_access_log
from streams.core.ingest.formats.amplitude import is_amplitude
from streams.core.ingest.formats.ga4 import is_ga4_row
from streams.core.ingest.formats.ga4_mp import is_ga4_body
from streams.core.ingest.formats.matomo import is_matomo
from streams.core.ingest.formats.mixpanel import is_mixpanel
from streams.core.ingest.formats.posthog import is_posthog
from streams.core.ingest.formats.shopify import is_shopify
from streams.core.ingest.formats.snowplow_rows import is_line, is_row
from streams.core.ingest.formats.xdm import is_xdm
from streams.core.ingest.headers import RawHeaders

_CALLS = ("track", "page", "screen", "identify", "alias", "group")


def _segment(document: Any, headers: RawHeaders) -> bool:
    if not isinstance(document, dict):
        return False
    kind = document.get("type")
    if isinstance(kind, str) and kind.strip().lower() in _CALLS:
        return True
    if isinstance(document.get("batch"), list):
        return "api_key" not in document and "token" not in document
    ids = "userId" in document or "anonymousId" in document
    return ids and (isinstance(document.get("event"), str) or "messageId" in document or "type" in document)


def _snowplow(document: Any, headers: RawHeaders) -> bool:
    return is_line(document) or is_row(document)


DETECTION: tuple[tuple[str, Callable[[Any, RawHeaders], bool]], ...] = (
    ("shopify", is_shopify),
    ("ga4", lambda document, headers: is_ga4_row(document)),
    ("ga4-mp", lambda document, headers: is_ga4_body(document)),
    ("segment", _segment),
    ("snowplow", _snowplow),
    ("matomo", lambda document, headers: is_matomo(document)),
    ("mixpanel", lambda document, headers: is_mixpanel(document)),
    ("amplitude", lambda document, headers: is_amplitude(document)),
    ("posthog", lambda document, headers: is_posthog(document)),
    ("xdm", lambda document, headers: is_xdm(document)),
    ("access-log", lambda document, headers: is_access_log(document)),
)


def detect(document: Any, headers: RawHeaders) -> str | None:
    """The name of the format of a document; None if it is of none that is known."""
    return next((name for name, fits in DETECTION if fits(document, headers)), None)
