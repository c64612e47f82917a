"""Files are read line by line in bounded memory, and a missing end is reported."""

import gzip
import os
import threading
from pathlib import Path

import pytest

from streams.core.ingest.event import Reason
from streams.core.ingest.unreadable import rejection_in
from streams.errors import InputError
from streams.sources.csv import csv_rows
from streams.sources.files import MAX_LINE_BYTES, READ_BYTES, Lines, file_records
from streams.sources.jsonl import jsonl_rows

TEXT = b"".join(b'{"n": %d}\n' % n for n in range(50_000))


def put(folder: Path, content: bytes) -> Path:
    """A file with this content."""
    path = folder / "events"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a",
        b"a\n",
        b"a\nb",
        b"\n\na\r\nb\n",
        TEXT,
        b"x" * READ_BYTES + b"\n" + b"y" * READ_BYTES + b"\nz",
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_with_their_ends(tmp_path: Path, text: bytes, pack: object) -> None:
    """A plain or a gzip file gives all its lines, which together are all its bytes."""
    assert callable(pack)
    with Lines(put(tmp_path, pack(text))) as found:
        assert text.splitlines(keepends=True) == list(found)
        assert found.fault is None


def test_several_gzip_members(tmp_path: Path) -> None:
    """Several compressed files, one after the other in one file, are read as one."""
    assert [b"a\n", b"bc\n"] == list(Lines(put(tmp_path, gzip.compress(b"a\nb") + gzip.compress(b"c\n"))))


def test_a_line_without_end(tmp_path: Path) -> None:
    """A line that is longer than any record is cut at the bound, and the next line is read."""
    text = b"x" * (5 * MAX_LINE_BYTES) + b"\nb\n"
    assert [b"x" * MAX_LINE_BYTES, b"b\n"] == list(Lines(put(tmp_path, gzip.compress(text))))
    found = list(file_records(Lines(put(tmp_path, text)), jsonl_rows))
    assert [Reason.TOO_LARGE, None] == [
        why.reason if (why := rejection_in(headers)) else None for _, headers in found
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[: len(data) // 2],
        lambda data: data[:12],
        lambda data: data[:3],
    ],
)
def test_a_truncated_gzip(tmp_path: Path, damage: object) -> None:
    """A compressed file without its end gives all whole lines, and a
    last record with the rest, marked truncated.
    """
    assert callable(damage)
    records = list(file_records(Lines(put(tmp_path, damage(gzip.compress(TEXT)))), jsonl_rows))
    rest, headers = records.pop()
    rejection = rejection_in(headers)
    assert rejection is not None
    assert Reason.TRUNCATED == rejection.reason
    assert TEXT.startswith(b"".join(value + b"\n" for value, _ in records) + rest)


def test_what_was_left_of_the_last_line(tmp_path: Path) -> None:
    """The half line at a lost end is the value of the marked record, not a record of its own."""
    (whole, none), (rest, headers) = file_records(
        Lines(put(tmp_path, gzip.compress(b"{}\n{'half")[:-8])), jsonl_rows
    )
    assert (b"{}", ()) == (whole, none)
    assert b"{'half" == rest
    assert rejection_in(headers) is not None


@pytest.mark.parametrize("at", [0.5, 0.999])
def test_a_damaged_gzip(tmp_path: Path, at: float) -> None:
    """A damaged file, even if only its check sum is wrong, ends with a record marked truncated."""
    data = bytearray(gzip.compress(TEXT))
    data[int(len(data) * at)] ^= 0xFF
    *_, (_, headers) = file_records(Lines(put(tmp_path, bytes(data))), jsonl_rows)
    rejection = rejection_in(headers)
    assert rejection is not None
    assert Reason.TRUNCATED == rejection.reason


def test_a_truncated_csv(tmp_path: Path) -> None:
    """The half row at a lost end is not read as a row."""
    data = gzip.compress(b"id,event\n" + b"".join(b"%d,cart\n" % n for n in range(50_000)))
    *rows, (_, headers) = file_records(Lines(put(tmp_path, data[: len(data) // 2])), csv_rows)
    assert rejection_in(headers) is not None
    assert all(not marks for _, marks in rows)
    assert len(rows) > 1000


def test_progress(tmp_path: Path) -> None:
    """The bytes read grow up to the stored size of the file."""
    path = put(tmp_path, gzip.compress(TEXT))
    with Lines(path) as found:
        next(found)
        assert 0 < found.read_bytes <= found.total_bytes == path.stat().st_size
        list(found)
        assert found.read_bytes == found.total_bytes


@pytest.mark.parametrize("name", ["missing", ".", "nul\x00", "a" * 5000])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A missing file, a folder or an impossible name is an InputError."""
    with pytest.raises(InputError, match="cannot be read"):
        Lines(f"{tmp_path}/{name}")


def test_a_pipe(tmp_path: Path) -> None:
    """A named pipe is read like a file, but has no size."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b"a\nb\n"),))
    writer.start()
    with Lines(path) as found:
        assert [b"a\n", b"b\n"] == list(found)
        assert (0, 0) == (found.total_bytes, found.read_bytes)
    writer.join()
