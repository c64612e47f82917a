"""How a reader of files hands on what it could not make a record of: as a record all the same, so that nothing is dropped unseen.

The value is what was there (cut at a bound); a header says why. `segment.read` turns it into the Rejection.
"""

from collections.abc import Sequence

from streams.core.ingest.event import Reason, Rejection, reject
from streams.records import Headers

UNREADABLE_HEADER = "unreadable"
MAX_KEPT_BYTES = (
    64 * 1024
)  # of the original: enough for a person to see what it was, little enough for any log
MAX_HEADER_BYTES = 4096  # of a header that somebody else may have set: a detail is at most 200 characters


def unreadable_headers(reason: Reason, detail: str) -> Headers:
    """The headers of a record that could not be read."""
    return ((UNREADABLE_HEADER, f"{reason.value}:{reject(reason, detail).detail}".encode()),)


def rejection_in(headers: Sequence[tuple[str, bytes | None]]) -> Rejection | None:
    """The rejection that the headers ask for; None when they don't."""
    for name, value in headers:
        if name == UNREADABLE_HEADER:
            code, _, detail = (value or b"")[:MAX_HEADER_BYTES].decode("utf-8", "replace").partition(":")
            known = Reason._value2member_map_.get(code)
            return (
                reject(known, detail)
                if isinstance(known, Reason)
                else reject(Reason.UNDECODABLE, f"{UNREADABLE_HEADER} header: {code}:{detail}")
            )
    return None
