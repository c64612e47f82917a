"""Lines of Segment JSON to records: what a collector's file sink writes."""

from collections.abc import Iterable, Iterator

from streams.core.ingest.event import Reason
from streams.core.ingest.formats.segment import MAX_RECORD_BYTES
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.records import Headers

BOM = b"\xef\xbb\xbf"


def rows(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Headers]]:
    """(value, headers) per line; blank lines are skipped. A line too long to be a record keeps its first MAX_KEPT_BYTES and is marked unreadable."""
    first = True
    for line in lines:
        value = line.removeprefix(BOM).strip() if first else line.strip()
        first = False
        if not value:
            continue
        if (
            len(line.rstrip(b"\r\n")) > MAX_RECORD_BYTES
        ):  # before blanks are taken off: the reader may have cut the line
            yield (
                value[:MAX_KEPT_BYTES],
                unreadable_headers(Reason.TOO_LARGE, f"a line of more than {MAX_RECORD_BYTES} bytes"),
            )
        else:
            yield value, ()
