"""Marks a record that a reader of files could not make of its input, so that nothing is dropped unseen.

The value of such a record is what was there, cut at a bound, and a header holds the reason. Readers of
formats make a Rejection of it.
"""

from collections.abc import Sequence

from streams.core.ingest.event import Reason, Rejection, reject
from streams.records import Headers

UNREADABLE_HEADER = "unreadable"
MAX_KEPT_BYTES = 64 * 1024  # of the input: enough for a person to see what it was, little enough for any log
MAX_HEADER_BYTES = 4096  # that are read: somebody else may have set the header, and a detail is short


def unreadable_headers(reason: Reason, detail: str) -> Headers:
    """Makes the headers of a record that could not be read."""
    return ((UNREADABLE_HEADER, f"{reason.value}:{reject(reason, detail).detail}".encode()),)


def rejection_in(headers: Sequence[tuple[str, bytes | None]]) -> Rejection | None:
    """The rejection that the headers ask for; None if they ask for none."""
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
