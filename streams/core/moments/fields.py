"""Reads from an event what rules want to know beside its name: the search and its language, and the page.

Which fields hold them is in the rules (the table `[read]`).
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from streams.core.ingest.event import Event
from streams.core.moments.addresses import MAX_ADDRESS_CHARS, MAX_PATH_CHARS, parameters
from streams.core.moments.conditions import path_reader
from streams.core.moments.spec import ReadTable, Words

MAX_QUERY_CHARS = 256  # longer queries are pasted texts; their beginning shows what is wanted
MAX_LOCALE_CHARS = 35  # the longest tag that BCP 47 asks programs to take


class EventFields:
    """The fields of `[read]`, compiled. No event makes them raise."""

    def __init__(self, read: ReadTable) -> None:
        self._query_readers = _readers(read.query)
        self._url_readers = _readers(read.url)
        self._page_readers = _readers(read.page)
        self._locale_readers = _readers(read.locale)
        self.order_time_readers = _readers(read.order_time)
        # Most events have none of these properties, and so no query: that shows at one glance.
        shallow = all(path.startswith("properties.") for path in read.query)
        keys = (path.split(".")[1] for path in read.query) if shallow else ()
        self._query_keys = frozenset(keys)
        params = "|".join(map(re.escape, read.url_params))
        self._param = re.compile(f"(?:^|[?&])(?:{params})=([^&#]*)") if params else None

    def search(self, event: Event) -> tuple[str, str]:
        """The text that was searched for ("" if none was) and its language ("" if no locale says it)."""
        if not self._query_keys or not self._query_keys.isdisjoint(event.properties):
            for read_path in self._query_readers:
                text = read_path(event)
                if isinstance(text, str) and text and not text.isspace():
                    return text[:MAX_QUERY_CHARS], self._language(event)
        if self._param is not None:
            for read_path in self._url_readers:
                text = read_path(event)
                if not isinstance(text, str) or "=" not in text:
                    continue
                hit = self._param.search(text[:MAX_ADDRESS_CHARS])
                if hit is not None and hit[1]:
                    return unquote_plus(hit[1])[:MAX_QUERY_CHARS], self._language(event)
        return "", ""

    def paths(self, event: Event) -> Iterator[str]:
        """The paths or addresses that tell the page of an event."""
        for read_path in self._page_readers:
            path = read_path(event)
            if isinstance(path, str) and path:
                yield path[:MAX_PATH_CHARS]

    def parameters(self, event: Event, path: str) -> dict[str, str]:
        """The parameters of an event's page: those in its path, else in the first address that has some."""
        if "?" in path:
            return parameters(path)
        for read_path in self._url_readers:
            text = read_path(event)
            if isinstance(text, str) and "=" in text and (found := parameters(text)):
                return found
        return {}

    def _language(self, event: Event) -> str:
        for read_path in self._locale_readers:
            locale = read_path(event)
            if isinstance(locale, str) and (language := language_of(locale)):
                return language
        return ""


def language_of(locale: str) -> str:
    """The language of a tag: it-IT, it_IT and IT are it; "" if it has none."""
    return _language_of(locale[:MAX_LOCALE_CHARS])


@lru_cache(256)
def _language_of(locale: str) -> str:
    return locale.strip().replace("_", "-").partition("-")[0].lower()


def _readers(paths: Words) -> tuple[Callable[[Event], Any], ...]:
    return tuple(map(path_reader, paths))
