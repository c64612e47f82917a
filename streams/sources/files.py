"""Reads the lines of a file, plain or gzip, in bounded memory, however long they are and however it ends.

Nothing is dropped unseen: if a compressed file ends too early or is damaged, its lines stop, `Lines.fault`
has the reason, and the last of its records carries it.
"""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
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
        self._lines = self._split()

    @property
    def read_bytes(self) -> int:
        """The bytes read so far, counted as they are stored, like `total_bytes`. 0 for a pipe."""
        return self._closed_at if self._file.closed else self._position()

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
        self._closed_at = self._position()
        self._file.close()

    def _position(self) -> int:
        return self._file.raw.tell() if self._file.seekable() else 0

    def _chunk(self) -> bytes:
        """The next bytes. b"" at the end, and where the rest is lost: then `fault` has the reason."""
        try:
            return self._gzip.read1(READ_BYTES) if self._gzip is not None else self._file.read1(READ_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.fault = f"the compressed file is cut off or damaged after byte {self.read_bytes}: {error}"
            return b""
        except OSError as error:
            raise InputError(f"{self.path!r} cannot be read on: {error.strerror or error}") from error


def file_records(
    lines: Lines, rows: Callable[[Iterable[bytes]], Iterator[tuple[bytes, Headers]]]
) -> Iterator[tuple[bytes, Headers]]:
    """The (value, headers) of all records of a file, which `rows` (such as `jsonl_rows`) makes of its lines.

    If the end of the file is lost, one more record is marked `truncated`. Closes the file.
    """
    with lines:
        yield from rows(lines)
    if lines.fault is not None:
        yield lines.rest[:MAX_KEPT_BYTES], unreadable_headers(Reason.TRUNCATED, lines.fault)
