"""Reads the lines of a file, plain or gzip, in bounded memory, however long they are and however it ends.

Nothing is dropped unseen: if a compressed file ends too early or is damaged, its lines stop, `Lines.fault`
has the reason, and the last of its records carries it.
"""

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.errors import InputError
from streams.records import Headers

READ_BYTES = 256 * 1024  # read at once: large enough that the time of the calls is negligible
# A record, its \r\n, and one byte more, which shows that it is too long.
MAX_LINE_BYTES = MAX_RECORD_BYTES + 3
GZIP_MAGIC = b"\x1f\x8b"
# Of a file, to tell what it holds: a document that is longer is no record.
HEAD_BYTES = 2 * MAX_RECORD_BYTES


class Lines:
    """An iterator over the lines of a file, with their line ends. A longer line is cut at MAX_LINE_BYTES.

    The first bytes of the file tell whether it is compressed, not its name.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises InputError when the file is missing or cannot be read."""
        self.path = str(path)
        self.fault: str | None = None  # why the file ended too early; None as long as it has not
        self.rest = b""  # the beginning of the line in which it ended, at most MAX_LINE_BYTES
        try:
            self._file = io.BufferedReader(io.FileIO(path), READ_BYTES)
            try:
                self.total_bytes = os.fstat(self._file.fileno()).st_size  # 0 for a pipe
                head = self._file.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)]
            except OSError:
                self._file.close()
                raise
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise InputError(
                f"{self.path!r} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from error
        self._gzip = gzip.GzipFile(fileobj=self._file) if head == GZIP_MAGIC else None
        self._closed_at = 0  # the position at which it was closed
        self._decode: Callable[[bytes, bool], str] | None = None  # of another encoding than UTF-8
        self._started = False
        # What was read ahead, to tell what the file holds: each chunk, and where the file was after it.
        self._ahead: list[tuple[bytes, int]] | None = None
        self._given_at = 0  # where it was after the last chunk that was given out
        self._lines = self._split()

    def head(self) -> tuple[bytes, bool]:
        """What the file begins with, at least HEAD_BYTES of it, and whether it is all. It is read again."""
        if self._ahead is None:
            self._ahead = []
            size = 0
            while size < HEAD_BYTES and (chunk := self._read()):
                self._ahead.append((chunk, self._position()))
                size += len(chunk)
        begun = b"".join([chunk for chunk, _ in self._ahead])
        return begun, len(begun) < HEAD_BYTES

    def chunks(self) -> Iterator[bytes]:
        """All of the file, as it comes, in place of its lines. Closes the file."""
        while chunk := self._chunk():
            yield chunk
        self._close_after_last()

    @property
    def read_bytes(self) -> int:
        """The bytes read so far, counted as they are stored, like `total_bytes`. 0 for a pipe."""
        if self._file.closed:
            return self._closed_at
        return self._position() if self._ahead is None else self._given_at

    def close(self) -> None:
        """Closes the file. It closes itself after the last line."""
        self._lines.close()
        if not self._file.closed:
            self._closed_at = self._position()
            self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._lines)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _split(self) -> Generator[bytes, None, None]:
        begun = bytearray()  # a line whose end was not read yet, cut at the bound
        while chunk := self._chunk():
            start = 0
            while end := chunk.find(b"\n", start) + 1:
                if begun:
                    begun += chunk[start : min(end, start + MAX_LINE_BYTES - len(begun))]
                    yield bytes(begun)
                    begun.clear()
                else:
                    yield chunk[start:end]  # READ_BYTES at most, so within the bound
                start = end
            begun += chunk[start : start + MAX_LINE_BYTES - len(begun)]
        if self.fault is not None:
            self.rest = bytes(begun)
        elif begun:
            yield bytes(begun)
        self._close_after_last()

    def _close_after_last(self) -> None:
        self._closed_at = self._position()
        self._file.close()

    def _position(self) -> int:
        return self._file.raw.tell() if self._file.seekable() else 0

    def _chunk(self) -> bytes:
        """The next bytes, in UTF-8 and without a byte order mark; b"" at the end."""
        if self._ahead:
            chunk, self._given_at = self._ahead.pop(0)
            return chunk
        chunk = self._read()
        self._given_at = self._position()
        return chunk

    def _read(self) -> bytes:
        """The next bytes that were not read yet. A text in UTF-16 is turned into UTF-8."""
        raw = self._read_raw()
        if not self._started:
            self._started = True
            if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                self._decode = codecs.getincrementaldecoder("utf-16")("replace").decode
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if self._decode is None:
            return raw
        # A part of a character may be all that has come.
        while not (text := self._decode(raw, not raw)) and raw:
            raw = self._read_raw()
        return text.encode("utf-8", "replace")

    def _read_raw(self) -> bytes:
        """The next bytes. b"" at the end, and where the rest is lost: then `fault` has the reason."""
        if self.fault is not None:
            return b""
        try:
            return self._gzip.read1(READ_BYTES) if self._gzip is not None else self._file.read1(READ_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.fault = f"the compressed file is cut off or damaged after byte {self.read_bytes}: {error}"
            return b""
        except OSError as error:
            raise InputError(f"{self.path!r} cannot be read on: {error.strerror or error}") from error


def file_records(
    lines: Lines, rows: Callable[[Lines], Iterator[tuple[bytes, Headers]]]
) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of all records of a file, which `rows` (such as `jsonl_rows`) makes of it.

    If the end of the file is lost, one more record is marked `truncated`. Closes the file.
    """
    with lines:
        yield from rows(lines)
    if lines.fault is not None:
        yield lines.rest[:MAX_KEPT_BYTES], unreadable_headers(Reason.TRUNCATED, lines.fault)
