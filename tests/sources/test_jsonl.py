"""Lines of JSON become records; blank lines are skipped, and lines that are too long are marked."""

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, rejection_in
from streams.sources.jsonl import jsonl_rows


def test_lines_are_records() -> None:
    """A byte order mark, line ends and blank lines are no part of a record; all other bytes are kept."""
    assert [(b"{}", ()), (b"\xff", ()), (b"1", ())] == list(
        jsonl_rows([b"\xef\xbb\xbf{}\r\n", b"\n", b"  \r\n", b"\xff\n", b"1"])
    )


def test_a_line_too_long() -> None:
    """A record of the greatest size is kept whole; a longer line is cut
    and marked, even if it begins with blanks.
    """
    full = b"x" * MAX_RECORD_BYTES
    (value, headers), (cut, why), (blank, also) = jsonl_rows(
        [full + b"\r\n", full + b"x\n", b" " * 99 + full]
    )
    assert (full, ()) == (value, headers)
    for kept, marks in ((cut, why), (blank, also)):
        rejection = rejection_in(marks)
        assert rejection is not None
        assert Reason.TOO_LARGE == rejection.reason
        assert MAX_KEPT_BYTES == len(kept)
