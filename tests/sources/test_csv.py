"""The rows of tables become JSON objects; a row that cannot be read
is marked, and the rows after it are read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.event import Reason, Rejection
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, rejection_in
from streams.errors import InputError
from streams.sources.csv import MAX_ROW_LINES, csv_rows

MAPPING = {"anonymousId": "client_id", "event": "event", "timestamp": "timestamp"}
HEADER = b"client_id,event,timestamp,amount\n"


def lines(text: bytes) -> list[bytes]:
    """The lines of a text, each with its line end."""
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def rows(text: bytes, mapping: Mapping[str, str] = MAPPING) -> list[dict[str, Any] | Rejection]:
    """The object of each row, or the rejection that it is marked with."""
    return [rejection_in(headers) or json.loads(value) for value, headers in csv_rows(lines(text), mapping)]


def reasons(text: bytes) -> list[str]:
    """The reason that each row is marked with, or "ok"."""
    return [row.reason.value if isinstance(row, Rejection) else "ok" for row in rows(text)]


def test_a_row() -> None:
    """A row is an object of text, under the names of its columns; empty fields are left out."""
    assert rows(HEADER + b"17,cart,2019-11-01 17:59:13.273932,9.50\n18,,1,\n") == [
        {"client_id": "17", "event": "cart", "timestamp": "2019-11-01 17:59:13.273932", "amount": "9.50"},
        {"client_id": "18", "timestamp": "1"},
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_header_shows_what_stands_between_fields(mark: str) -> None:
    """A comma, a semicolon or a tab, whatever else stands in the names and the fields."""
    header, row = mark.join(["client_id", "event", "timestamp"]), mark.join(["17", '"a, b; c\td"', "1"])
    assert [{"client_id": "17", "event": "a, b; c\td", "timestamp": "1"}] == rows(
        f"{header}\n{row}\n".encode()
    )
    (named,) = rows(b"a;b,timestamp\n1,2\n", {"timestamp": "timestamp"})
    assert {"a;b": "1", "timestamp": "2"} == named, "the one that finds the mapped columns"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1,a,2,3\r\n2,b,2,3\r\n", ["ok", "ok"]),
        (b"1,a,2,3", ["ok"]),
        (b"\n1,a,2,3\n\r\n\n2,b,2,3\n", ["ok", "ok"]),
        (b'1,"a, b",2,"say ""hi"""\n', ["ok"]),
        (b'1,"a\nb\r\nc",2,3\n2,b,2,3\n', ["ok", "ok"]),
        (b"1,a,2\n2,b,2,3\n", ["bad_row", "ok"]),
        (b"1,a,2,3,4\n2,b,2,3\n", ["bad_row", "ok"]),
        (b"1,a\x00,2,3\n2,b,2,3\n", ["bad_row", "ok"]),
        (b"1,\xff,2,3\n2,b,2,3\n", ["bad_row", "ok"]),
        (b'1,"\xff\nx",2,3\n2,b,2,3\n', ["bad_row", "ok"]),
        (b'1,"a"x,2,3\n2,b,2,3\n', ["bad_row", "ok"]),
        (b'1,"a,2,3\n2,b,2,3\n3,c,2,3\n', ["bad_row", "ok", "ok"]),
        (b'1,"a,2,3\n' + b"2,b,2,3\n" * 300, ["bad_row"] + ["ok"] * 300),
        (b'1,"a,2,3\n2,"b,2,3\n3,c,2,3\n', ["bad_row", "bad_row", "ok"]),
        (b"1,a,2," + b"x" * 1_048_600 + b"\n2,b,2,3\n", ["too_large", "ok"]),
        (b"1,a,2," + b"x" * 200_000 + b"\n2,b,2,3\n", ["bad_row", "ok"]),
        (b"1\r2,a,2,3\n2,b,2,3\n", ["bad_row", "ok"]),
    ],
)
def test_bad_rows_do_not_spoil_the_rest(body: bytes, expected: list[str]) -> None:
    """Each bad row is one rejection; the rows around it are read."""
    assert expected == reasons(HEADER + body)


def test_a_bad_row_is_kept_as_it_came() -> None:
    """The value of a bad row is its own bytes, cut at a bound."""
    text = [HEADER, b"1,\xff\r\n", b"1,2," + b"x" * 100_000 + b"\n"]
    (first, _), (second, _) = csv_rows(text, MAPPING)
    assert b"1,\xff\r\n" == first
    assert text[2][:MAX_KEPT_BYTES] == second


def test_bom_and_odd_headers() -> None:
    """A header with a byte order mark, quotes, blanks and a nameless first column is read."""
    (row,) = rows(b'\xef\xbb\xbf"", client_id ,event,timestamp\n0,17,cart,1572631153\n')
    assert {"column_1": "0", "client_id": "17", "event": "cart", "timestamp": "1572631153"} == row


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", ["empty"]),
        (b"\n\n", ["empty"]),
        (b"user,event,timestamp\n", ["client_id", "anonymousId", "user, event, timestamp"]),
        (b"client_id,event,timestamp,event\n", ["event", "more than once"]),
        (b"client_id,\xff\n", ["header", "UTF-8"]),
        (b'client_id,"event\n', ["header"]),
    ],
)
def test_files_that_are_something_else(text: bytes, words: list[str]) -> None:
    """A file that is no such table is an error at once, which names
    what is missing and shows what is there.
    """
    with pytest.raises(InputError) as error:
        csv_rows(lines(text), MAPPING)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("target", ["properties.query", "properties.query.text"])
def test_two_columns_for_one_property(target: str) -> None:
    """Two columns that would become one property are an error."""
    with pytest.raises(InputError, match=r"properties\.query"):
        rows(b"q,query\n1,2\n", {target: "q"})


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b'"', b"\n", b',"', b"1,a,2,3\n", b'\n"']), max_size=12
    ).map(b"".join)
)
def test_any_bytes(body: bytes) -> None:
    """No content of a file raises an error, and each of its lines is in at most one record."""
    found = rows(HEADER + body)
    assert len(found) <= len(lines(body))


def test_it_streams() -> None:
    """A row is given before the next line is read, so endless input works."""

    def endless() -> Any:
        yield HEADER
        while True:
            yield b"1,a,1572631153,3\n"

    found = csv_rows(endless(), MAPPING)
    assert next(found) == next(found)


def test_a_stray_quote_reads_ahead_only_so_far() -> None:
    """A quote that never ends takes MAX_ROW_LINES lines at most, which are then read again in their order."""
    asked = 0

    def counted() -> Iterator[bytes]:
        nonlocal asked
        for line in [HEADER, b'1,"a,2,3\n', *(b"%d,b,2,3\n" % n for n in range(1000))]:
            asked += 1
            yield line

    found = csv_rows(counted(), MAPPING)
    assert b'1,"a,2,3\n' == next(found)[0]
    assert 1 + MAX_ROW_LINES == asked
    assert [str(n) for n in range(1000)] == [json.loads(value)["client_id"] for value, _ in found]


def test_a_bad_row_has_a_reason() -> None:
    """The header of a bad row gives the reason, with what was expected and what was found."""
    (row,) = rows(HEADER + b"1,a\n")
    assert Rejection(Reason.BAD_ROW, "expected 4 fields, found 2") == row
