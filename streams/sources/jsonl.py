"""Turns lines of JSON or text, as a collector writes them, into records."""

from collections.abc import Iterable, Iterator

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.record_bytes import BOM
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.records import Headers


def jsonl_rows(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of each line; blank lines are skipped.

    A line that is too long to be a record is cut to MAX_KEPT_BYTES and marked unreadable.
    """
    first = True
    for line in lines:
        value = (line.removeprefix(BOM) if first else line).strip(b" \r\n")  # tabs may be empty columns
        first = False
        if not value.strip():
            continue
        # Measured with its blanks, since the reader may have cut the line before they were stripped.
        if len(line.rstrip(b"\r\n")) > MAX_RECORD_BYTES:
            yield (
                value[:MAX_KEPT_BYTES],
                unreadable_headers(Reason.TOO_LARGE, f"a line of more than {MAX_RECORD_BYTES} bytes"),
            )
        else:
            yield value, ()
