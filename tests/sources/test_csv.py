"""CSV exports become Segment-shaped JSON; what cannot be a row is marked and the rest goes on."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.formats import segment
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, rejection_in
from streams.errors import ConfigError, InputError
from streams.sources import csv
from streams.sources.mapping import fingerprint
from tests.core.ingest.examples import NEVER_MS

MAPPING = {"anonymousId": "client_id", "event": "event", "timestamp": "timestamp"}
HEADER = b"client_id,event,timestamp,amount\n"


def lines(text: bytes) -> list[bytes]:
    """As a file's lines come: up to and with each newline."""
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def rows(text: bytes, mapping: Mapping[str, str] = MAPPING) -> list[dict[str, Any] | Rejection]:
    """Each row's JSON, or the rejection it is marked with."""
    return [rejection_in(headers) or json.loads(value) for value, headers in csv.rows(lines(text), mapping)]


def reasons(text: bytes) -> list[str]:
    """Per row, the reason it was marked with, or "ok"."""
    return [row.reason.value if isinstance(row, Rejection) else "ok" for row in rows(text)]


def test_a_row() -> None:
    """Mapped columns become fields, the others properties; a row without an id gets its fingerprint, without a type it is a track."""
    assert rows(HEADER + b"17,cart,2019-11-01 17:59:13.273932,9.50\n") == [
        {
            "type": "track",
            "messageId": fingerprint(["17", "cart", "2019-11-01 17:59:13.273932", "9.50"]),
            "anonymousId": "17",
            "event": "cart",
            "timestamp": "2019-11-01 17:59:13.273932",
            "properties": {"amount": "9.50"},
        }
    ]


def test_it_reads_as_an_event() -> None:
    """What comes out is what the one reader takes."""
    ((value, headers),) = csv.rows([HEADER, b"17,cart,1572631153273,\n"], MAPPING)
    found = segment.read(value, headers, NEVER_MS)
    assert isinstance(found, Event)
    assert ("d:17", "cart", 1572631153273, {}) == (found.profile, found.name, found.at_ms, found.properties)


def test_dotted_targets() -> None:
    """A column can go anywhere in properties and context, and to more than one place."""
    mapping = MAPPING | {
        "messageId": "id",
        "type": "kind",
        "properties.query": "q",
        "context.device.type": "dev",
        "context.device.id": "client_id",
    }
    (row,) = rows(b"id,kind,client_id,event,timestamp,q,dev\nm1,page,17,cart,1572631153,how,tv\n", mapping)
    assert row == {
        "type": "page",
        "messageId": "m1",
        "anonymousId": "17",
        "event": "cart",
        "timestamp": "2019-11-01T17:59:13Z",
        "properties": {"query": "how"},
        "context": {"device": {"type": "tv", "id": "17"}},
    }


def test_equal_rows_are_one_event() -> None:
    """The same row twice has one id, fields shifted across a comma another."""
    same, again, shifted = rows(b"a,b,c\nxy,z,1\nxy,z,1\nx,yz,1\n", {"userId": "a"})
    assert isinstance(same, dict)
    assert isinstance(shifted, dict)
    assert same == again
    assert same["messageId"] != shifted["messageId"]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
)
def test_fingerprints_tell_rows_apart(one: list[str], other: list[str]) -> None:
    """Different fields, different fingerprints; always 32 hex digits."""
    assert (one == other) == (fingerprint(one) == fingerprint(other))
    assert len(bytes.fromhex(fingerprint(one))) == 16


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
    """The value is the row's own bytes, cut at a bound."""
    text = [HEADER, b"1,\xff\r\n", b"1,2," + b"x" * 100_000 + b"\n"]
    (first, _), (second, _) = csv.rows(text, MAPPING)
    assert b"1,\xff\r\n" == first
    assert text[2][:MAX_KEPT_BYTES] == second


def test_bom_and_odd_headers() -> None:
    """A byte order mark, quotes, blanks and a nameless first column don't get in the way."""
    (row,) = rows(b'\xef\xbb\xbf"", client_id ,event,timestamp\n0,17,cart,1572631153\n')
    assert isinstance(row, dict)
    assert {"column_1": "0"} == row["properties"]
    assert "17" == row["anonymousId"]


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
    """The error comes at once, names what is missing and shows what is there."""
    with pytest.raises(InputError) as error:
        csv.rows(lines(text), MAPPING)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"clientId": "a"}, ["clientId", "anonymousId", "properties.<name>"]),
        ({"properties": "a"}, ["'properties'"]),
        ({"properties.": "a"}, ["'properties.'"]),
        ({"context..x": "a"}, ["'context..x'"]),
        ({"properties.a": "a", "properties.a.b": "b"}, ["properties.a.b", "inside"]),
    ],
)
def test_unknown_targets(mapping: dict[str, str], words: list[str]) -> None:
    """A target that is no field is a mistake in the command, found before the file is read."""
    with pytest.raises(ConfigError) as error:
        csv.rows(iter([]), mapping)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("target", ["properties.query", "properties.query.text"])
def test_two_columns_for_one_property(target: str) -> None:
    """A column is never overwritten by another unseen."""
    with pytest.raises(InputError, match=r"properties\.query"):
        rows(b"q,query\n1,2\n", {target: "q"})


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b'"', b"\n", b',"', b"1,a,2,3\n", b'\n"']), max_size=12
    ).map(b"".join)
)
def test_any_bytes(body: bytes) -> None:
    """No body of a file raises, and each of its lines is in at most one record."""
    found = rows(HEADER + body)
    assert len(found) <= len(lines(body))


def test_it_streams() -> None:
    """A row is handed on before the next line is asked for, so endless input works."""

    def endless() -> Any:
        yield HEADER
        while True:
            yield b"1,a,1572631153,3\n"

    found = csv.rows(endless(), MAPPING)
    assert next(found) == next(found)


def test_a_stray_quote_reads_ahead_only_so_far() -> None:
    """A quote that never ends takes MAX_ROW_LINES lines at most, which are then read again in their order."""
    asked = 0

    def counted() -> Iterator[bytes]:
        nonlocal asked
        for line in [HEADER, b'1,"a,2,3\n', *(b"%d,b,2,3\n" % n for n in range(1000))]:
            asked += 1
            yield line

    found = csv.rows(counted(), MAPPING)
    assert b'1,"a,2,3\n' == next(found)[0]
    assert 1 + csv.MAX_ROW_LINES == asked
    assert [str(n) for n in range(1000)] == [json.loads(value)["anonymousId"] for value, _ in found]


def test_marks_name_a_reason() -> None:
    """The header of a bad row is read back as that reason, with what was expected and found."""
    (row,) = rows(HEADER + b"1,a\n")
    assert Rejection(Reason.BAD_ROW, "expected 4 fields, found 2") == row
