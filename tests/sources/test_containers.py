"""The first bytes of a file tell what holds its records, and its records are what it holds."""

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.door import InputDoor
from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, rejection_in
from streams.sources.containers import Container, container_of
from streams.sources.documents import document_rows
from streams.sources.files import Lines
from streams.sources.input_file import InputFile, InputFormat

EVENTS = [{"a": 1, "b": [1, {"c": 'x "]}'}]}, {"a": "]"}, {"a": "\\"}]
BACKSLASHES = "\\\\" * 1_500_000
LOG = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /x, y; z HTTP/1.1" 200 9 "-" "A (X; Y) K, like G"\n'


def records(folder: Path, content: bytes, format: InputFormat = InputFormat()) -> list[Any]:  # noqa: B008
    """The records of a file with this content: decoded, or the reason with which one is marked."""
    path = folder / "events"
    path.write_bytes(content)
    return [
        rejection.reason if (rejection := rejection_in(headers)) else _decoded(value)
        for value, headers in InputFile(path, format).records
    ]


def _decoded(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", Container.LINES),
        (b'{"a": 1}\n{"a": 2}\n', Container.LINES),
        (b'{"a": 1}', Container.LINES),
        (b"[1]\n[2]\n", Container.LINES),
        (b'{"a\n{"a": 2}\n', Container.LINES),
        (b'{\n{"a": 2}\n', Container.LINES),
        (b'"{}"\n"{}"\n', Container.LINES),
        (b'{\n  "a": 1\n}\n', Container.DOCUMENTS),
        (b'\n{"a": 1,\n"b": 2}\n{"a": 3}', Container.DOCUMENTS),
        (b'[{"a": 1}, {"a": 2}]\n', Container.ARRAY),
        (b'[\n{"a": 1},\n{"a": 2}\n]\n', Container.ARRAY),
        (b"[]", Container.ARRAY),
        (b'{"orders": [\n{"id": 1}\n]}', Container.PAGE),
        (b'{"params": [\n{"id": 1}\n], "name": "x"}', Container.DOCUMENTS),
        (b"who,what\nann,x\n", Container.TABLE),
        (b"who;what, and when;x\nann;x;1\n", Container.TABLE),
        (b"who\twhat\nann\tx\n", Container.TABLE),
        (b"who\nann\n", Container.LINES),
        (b"who,what", Container.LINES),
        (b"17,2019-11-01,cart\n", Container.LINES),
        (b"shop\tweb\t\t\t2024-05-20 10:00:00\n", Container.LINES),
        (b"a,a\n", Container.LINES),
        (b"a,\n", Container.LINES),
        (LOG, Container.LINES),
        (b"\xff\xfe\n", Container.LINES),
    ],
)
def test_the_first_bytes_tell_the_container(head: bytes, expected: Container) -> None:
    """Lines of JSON or text, a table, JSON over several lines, an array, a page of an API."""
    assert expected is container_of(head)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(json.dumps(event) for event in EVENTS),
        "\n".join(json.dumps(event, indent=2) for event in EVENTS),
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=1),
        json.dumps({"orders": EVENTS}),
        json.dumps({"orders": EVENTS}, indent=4),
        json.dumps(EVENTS[:2], indent=1) + "\n" + json.dumps(EVENTS[2:], indent=1),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: codecs.BOM_UTF8 + text])
def test_all_of_them_hold_the_same_records(tmp_path: Path, text: str, pack: Any) -> None:
    """Plain or compressed, with a byte order mark or without."""
    assert EVENTS == records(tmp_path, pack(text.encode()))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """Programs of Windows write it, for tables above all."""
    text = "\ufeffwho;what\nann;caffè\nbob;🙂\n".encode(encoding)
    wanted = [{"who": "ann", "what": "caffè"}, {"who": "bob", "what": "🙂"}]
    assert wanted == records(tmp_path, text)
    assert wanted == records(tmp_path, gzip.compress(text))
    long = [{"n": n, "x": "è🙂" * 50} for n in range(5_000)]
    assert long == records(tmp_path, ("\ufeff" + json.dumps(long, ensure_ascii=False)).encode(encoding))


def test_a_table_may_look_like_none(tmp_path: Path) -> None:
    """It is read as one if it is said to be one, or if there is a mapping and it is no JSON."""
    text = b"1,when\n7,2024-05-20\n"
    assert [b"1,when", b"7,2024-05-20"] == records(tmp_path, text)
    assert [{"1": "7", "when": "2024-05-20"}] == records(tmp_path, text, InputFormat(is_table=True))
    mapped = InputFormat(InputDoor("mapping", {"userId": "1", "timestamp": "when"}))
    assert [{"1": "7", "when": "2024-05-20"}] == records(tmp_path, text, mapped)
    assert [{"1": 7}] == records(tmp_path, b'{"1": 7}\n', mapped)


def test_each_record_of_a_marked_file_says_how_it_is_read(tmp_path: Path) -> None:
    """Beside what is wrong with it."""
    (tmp_path / "events").write_bytes(b"a,b\n1,2\n1\n")
    door = InputDoor("auto", {}, "Europe/Rome")
    found = [headers for _, headers in InputFile(tmp_path / "events", InputFormat(door, False, True)).records]
    assert (("read-as", b"auto Europe/Rome"),) == found[0]
    assert ["unreadable", "read-as"] == [name for name, _ in found[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a": 1}, {"a": nope}, {"a": 2}]', [{"a": 1}, b'{"a": nope}', {"a": 2}]),
        ('[{"a": 1}\n{"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('[{"a": 1}, 7, {"a": 2}]', [{"a": 1}, b'7, {"a": 2}']),
        ('[{"a": 1}, 7]', [{"a": 1}, 7]),
        ('[{"a": 1}]}]{"a": 2}', [{"a": 1}, b'"a": 2']),
        ('[{"a": 1}, {"a": ', [{"a": 1}, Reason.TRUNCATED]),
        ('[{"a": 1}, {"a": "', [{"a": 1}, Reason.TRUNCATED]),
        ('[{"a": 1}] more', [{"a": 1}, Reason.TRUNCATED]),
        ('{"a": 1,\n"b": 2}\n{', [{"a": 1, "b": 2}, Reason.TRUNCATED]),
    ],
)
def test_nothing_of_a_document_is_dropped_unseen(tmp_path: Path, text: str, expected: list[Any]) -> None:
    """What is broken is a record of its own; the records around it are read."""
    assert expected == records(tmp_path, text.encode())


def test_records_that_are_too_large_are_cut(tmp_path: Path) -> None:
    """Wherever their bytes are, and the next record is read."""
    texts = [f'"{"x" * 3_000_000}"', f'"{BACKSLASHES}"', f"[{'[],' * 900_000}1]"]
    for text in texts:
        (tmp_path / "events").write_text('[{"a": 1}, {"a": TEXT}, {"a": 2}]'.replace("TEXT", text))
        found = list(InputFile(tmp_path / "events", InputFormat()).records)
        assert [None, Reason.TOO_LARGE, None] == [
            rejection.reason if (rejection := rejection_in(headers)) else None for _, headers in found
        ]
        assert [b'{"a": 1}', b'{"a": 2}'] == [found[0][0], found[2][0]]
        assert MAX_KEPT_BYTES == len(found[1][0])
    full = json.dumps({"a": "x" * (MAX_RECORD_BYTES - 9)})
    assert [json.loads(full), Reason.TOO_LARGE] == records(tmp_path, f"[{full}, {full[:-1]} }}]".encode())


class Chunks(Lines):
    """A file that comes in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__("/dev/null")
        self._pieces = iter(pieces)

    def _read_raw(self) -> bytes:
        return next(self._pieces, b"")


@given(st.lists(st.integers(1, 400), max_size=20))
def test_where_a_file_is_cut_does_not_matter(sizes: list[int]) -> None:
    """Its records are the same, however its bytes come."""
    whole = json.dumps(EVENTS, indent=1).encode()
    pieces = []
    for size in sizes:
        pieces.append(whole[:size])
        whole = whole[size:]
    with Chunks([piece for piece in [*pieces, whole] if piece]) as lines:
        assert EVENTS == [json.loads(value) for value, _ in document_rows(lines, Container.ARRAY)]


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(['"', "{", "}", "[", "]", ",", "\\", "a"])).map(
        lambda parts: "".join(parts).encode()
    ),
    st.sampled_from([Container.DOCUMENTS, Container.ARRAY, Container.PAGE]),
)
def test_any_bytes(content: bytes, container: Container) -> None:
    """No content raises an error."""
    with Chunks([content[:30], content[30:]] if len(content) > 30 else [content]) as lines:
        list(document_rows(lines, container))
