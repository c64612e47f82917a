"""Input that does not end: files that grow, directories that get new ones, standard input.

A line counts once its end has come; until then it is left where it is. How far a file was taken is a byte position, which the
log keeps together with the records, so a run that is stopped or killed goes on where it was.
"""

import os
import queue
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

from streams.errors import InputError
from streams.sources.files import GZIP_MAGIC, MAX_LINE_BYTES

POLL_BYTES = 4 << 20  # taken of one source at a time: the others get their turn
STDIN_BLOCKS = 16  # of CHUNK_BYTES held between the reading thread and the program: what is written faster waits in the pipe
CHUNK_BYTES = 256 * 1024


class Taken(NamedTuple):
    """Whole lines of a source, and the bytes they are."""

    lines: list[bytes]
    start: int
    end: int


class GrowingFile:
    """A file that is appended to. One that is replaced by another (rotated) is another source."""

    def __init__(self, path: Path) -> None:
        """Raises InputError when it cannot be read."""
        try:
            self._file = path.open("rb")
            status = os.fstat(self._file.fileno())
        except OSError as error:
            raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
        self.path = path
        self._identity = (status.st_dev, status.st_ino)
        self.name = f"follow:{status.st_dev}:{status.st_ino}:{path.absolute()}"
        self.is_gzip = self._file.read(2) == GZIP_MAGIC

    def take(self, start: int) -> Taken:
        """The whole lines there are from this byte on, as many as POLL_BYTES hold; none when there is none yet."""
        self._file.seek(start)
        block = self._file.read(POLL_BYTES)
        end = block.rfind(b"\n") + 1
        if not end and len(block) > MAX_LINE_BYTES:
            end = len(block)  # one endless line: its pieces are rejected one by one, nothing waits for ever
        return Taken(block[:end].splitlines(keepends=True), start, start + end)

    def header(self) -> bytes:
        """The first line; b"" while it has not ended."""
        self._file.seek(0)
        line = self._file.readline(MAX_LINE_BYTES)
        return line if line.endswith(b"\n") else b""

    def replaced(self) -> bool:
        """Whether its path now leads to another file, or to none."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def close(self) -> None:
        self._file.close()


class Stdin:
    """Standard input, read by a thread, since nothing else can wait for it without holding up the rest."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks: queue.Queue[bytes] = queue.Queue(STDIN_BLOCKS)
        self._begun = b""
        self.ended = False
        threading.Thread(target=self._read, args=(stream.fileno(),), daemon=True, name="stdin").start()

    def _read(self, descriptor: int) -> None:
        while block := os.read(descriptor, CHUNK_BYTES):
            self._blocks.put(block)
        self._blocks.put(b"")

    def take(self) -> list[bytes]:
        """The whole lines that have come since; at the end also a last one without its end."""
        blocks = [self._begun]
        while not self.ended and sum(map(len, blocks)) < POLL_BYTES:
            try:
                block = self._blocks.get_nowait()
            except queue.Empty:
                break
            self.ended = not block
            blocks.append(block)
        text = b"".join(blocks)
        end = len(text) if self.ended or len(text) > POLL_BYTES else text.rfind(b"\n") + 1
        self._begun = text[end:]
        return text[:end].splitlines(keepends=True)


def files_of(sources: list[Path]) -> list[Path]:
    """The files among these paths and inside those that are directories, by name, hidden ones left out. Raises InputError if one is missing."""
    found: list[Path] = []
    for path in sources:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{str(path)!r} is not there")
    return found
