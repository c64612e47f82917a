"""Lines of JSON: blank ones skipped, overlong ones marked."""

from streams.core.ingest.event import Reason
from streams.core.ingest.formats.segment import MAX_RECORD_BYTES
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, rejection_in
from streams.sources import jsonl


def test_lines_are_records() -> None:
    """A byte order mark, line ends and blank lines are not part of a record; everything else is left as it is."""
    assert [(b"{}", ()), (b"\xff", ()), (b"1", ())] == list(
        jsonl.rows([b"\xef\xbb\xbf{}\r\n", b"\n", b"  \r\n", b"\xff\n", b"1"])
    )


def test_a_line_too_long() -> None:
    """A record of the full size is handed on, a longer line is cut and marked, whatever blanks it begins with."""
    full = b"x" * MAX_RECORD_BYTES
    (value, headers), (cut, why), (blank, also) = jsonl.rows(
        [full + b"\r\n", full + b"x\n", b" " * 99 + full]
    )
    assert (full, ()) == (value, headers)
    for kept, marks in ((cut, why), (blank, also)):
        rejection = rejection_in(marks)
        assert rejection is not None
        assert Reason.TOO_LARGE == rejection.reason
        assert MAX_KEPT_BYTES == len(kept)
