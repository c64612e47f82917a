"""The lines of a file, plain or gzip, in bounded memory: whatever the line length, and whatever became of the file's end.

Nothing is dropped unseen: where a compressed file ends too early or is damaged, its lines stop and `fault` says why; `records`
ends with a record that says so.
"""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from streams.core.ingest.event import Reason
from streams.core.ingest.formats.segment import MAX_RECORD_BYTES
from streams.core.ingest.unreadable import MAX_KEPT_BYTES, unreadable_headers
from streams.errors import InputError
from streams.records import Headers

CHUNK_BYTES = 256 * 1024  # read at once: large enough that the calls don't count
MAX_LINE_BYTES = (
    MAX_RECORD_BYTES + 3
)  # kept of a line: a record and its \r\n, and one byte more that shows it is too long
GZIP_MAGIC = b"\x1f\x8b"


class Lines:
    """An iterator over the lines of a file, with their ends. Of a line longer than MAX_LINE_BYTES the rest is skipped."""

    def __init__(self, path: str | Path) -> None:
        """Raises InputError when the file is missing or cannot be read."""
        self.path = str(path)
        self.fault: str | None = None  # why the file ended before its time; None while it has not
        self.rest = b""  # what there was of the line it ended in; at most MAX_LINE_BYTES
        try:
            self._file = io.BufferedReader(io.FileIO(path), CHUNK_BYTES)
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
        self._position = 0  # once it is closed
        self._lines = self._split()

    @property
    def read_bytes(self) -> int:
        """How far the file is read: compressed bytes where it is compressed, as `total_bytes` is. 0 for a pipe."""
        return self._position if self._file.closed else self._tell()

    def close(self) -> None:
        """Closes the file. Not needed once the last line was read."""
        self._lines.close()
        if not self._file.closed:
            self._position = self._tell()
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
        begun = bytearray()  # of a line whose end has not come yet; cut at the bound
        while chunk := self._chunk():
            start = 0
            while end := chunk.find(b"\n", start) + 1:
                if begun:
                    begun += chunk[start : min(end, start + MAX_LINE_BYTES - len(begun))]
                    yield bytes(begun)
                    begun.clear()
                else:
                    yield chunk[start:end]  # CHUNK_BYTES at most, so within the bound
                start = end
            begun += chunk[start : start + MAX_LINE_BYTES - len(begun)]
        if self.fault is not None:
            self.rest = bytes(begun)
        elif begun:
            yield bytes(begun)
        self._position = self._tell()
        self._file.close()

    def _tell(self) -> int:
        return self._file.raw.tell() if self._file.seekable() else 0

    def _chunk(self) -> bytes:
        """The next bytes; b"" at the end, or where `fault` says that the rest is lost."""
        try:
            return self._gzip.read1(CHUNK_BYTES) if self._gzip is not None else self._file.read1(CHUNK_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.fault = f"the compressed file is cut off or damaged after byte {self.read_bytes}: {error}"
            return b""
        except OSError as error:
            raise InputError(f"{self.path!r} cannot be read on: {error.strerror or error}") from error


def lines(path: str | Path) -> Lines:
    """The lines of a plain or gzip file (told apart by its first bytes). Raises InputError when it is missing or cannot be read."""
    return Lines(path)


def records(
    source: Lines, rows: Callable[[Iterable[bytes]], Iterator[tuple[bytes, Headers]]]
) -> Iterator[tuple[bytes, Headers]]:
    """(value, headers) of all records of a file, read by `ingest.jsonl.rows`, say; at a lost end, one more marked `truncated`. Closes the file."""
    with source:
        yield from rows(source)
    if source.fault is not None:
        yield source.rest[:MAX_KEPT_BYTES], unreadable_headers(Reason.TRUNCATED, source.fault)
