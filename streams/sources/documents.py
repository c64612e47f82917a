"""Finds the records of a file in which JSON stands over several lines, or in one array, in bounded memory.

It looks at brackets and texts alone, so a record that no decoder takes ends where it ends, and the next one
is read. Nothing is dropped unseen: what stands between records, and what is cut off, becomes a record too.
"""

import re
from collections.abc import Iterator

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.records import Headers
from streams.sources.containers import Container
from streams.sources.files import Lines

_BRACKETS_AROUND = {Container.DOCUMENTS: 0, Container.ARRAY: 1, Container.PAGE: 2}
_BETWEEN = b", \t\r\n"  # records, and nobody misses it
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)  # a text without its end is a quote alone


def document_rows(lines: Lines, container: Container) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of each record of a file.

    A record that is too large is cut to MAX_KEPT_BYTES and marked; so is what is left where the file ends in
    the middle of a record.
    """
    around = _BRACKETS_AROUND[container]
    text = b""  # from the beginning of the record on which has not ended yet
    at = depth = 0  # what stands before `at` was looked at, and so deep it is there
    cut = b""  # the beginning of that record, if more of it has come than a record can have
    for chunk in lines.chunks():
        text, start = text + chunk, 0
        for match in _TOKEN.finditer(text, at):
            at = match.end()
            first = text[match.start()]
            if first in b"{[":
                if depth < around:
                    start = at
                depth += 1
            elif first in b"}]":
                depth = max(0, depth - 1)
                if depth <= around:
                    yield from _row(text[start : at if depth == around else match.start()], cut)
                    start, cut = at, b""
            elif at - match.start() == len('"'):
                at = match.start()  # the end of this text has not come yet
                break
        else:
            at = len(text)
        if len(text) - start > MAX_RECORD_BYTES:
            cut = cut or text[start : start + MAX_KEPT_BYTES]
            # Backslashes at the end may belong to what comes next.
            unended = b'"' + text[len(text.rstrip(b"\\")) :] if at < len(text) else b""
            text, at = unended, 0
        else:
            text, at = text[start:], at - start
    left = cut or text.strip(_BETWEEN)
    if lines.fault is not None:
        lines.rest = left
    elif left:
        detail = "the file ends in the middle of a record" if depth else "what stands beside the records"
        yield left[:MAX_KEPT_BYTES], unreadable_headers(Reason.TRUNCATED, detail)


def _row(text: bytes, cut: bytes) -> Iterator[tuple[bytes, Headers]]:
    """The record in this text, if there is one. `cut`: the beginning of one that is too large."""
    value = text.strip(_BETWEEN)
    if cut or len(value) > MAX_RECORD_BYTES:
        detail = f"a record of more than {MAX_RECORD_BYTES} bytes"
        yield (cut or value)[:MAX_KEPT_BYTES], unreadable_headers(Reason.TOO_LARGE, detail)
    elif value:
        yield value, ()
