"""Reads input that does not end: growing files, directories that get new files, standard input.

A line is taken once its end was written. The log keeps the byte position up to which a file was taken, in the
same commit as the records, so a run that was stopped or killed goes on where it was.
"""

import os
import queue
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

from streams.errors import InputError
from streams.sources.files import GZIP_MAGIC, MAX_LINE_BYTES, READ_BYTES

POLL_BYTES = 4 << 20  # taken from one source at a time, so that the others get their turn
STDIN_BLOCKS = 16  # blocks that the reading thread may be ahead; a faster writer waits in its pipe


class Taken(NamedTuple):
    """Whole lines of a source, and the byte positions where they start and end."""

    lines: list[bytes]
    start: int
    end: int


class GrowingFile:
    """A file that others append to. If it is replaced by another one (rotated), that one is a new source."""

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
        """The whole lines from this byte on, as many as POLL_BYTES hold. Empty while no line is whole."""
        self._file.seek(start)
        block = self._file.read(POLL_BYTES)
        end = block.rfind(b"\n") + 1
        if not end and len(block) > MAX_LINE_BYTES:
            end = len(block)  # an endless line: each piece is rejected, so that nothing waits for its end
        return Taken(block[:end].splitlines(keepends=True), start, start + end)

    def first_line(self) -> bytes:
        """The first line; b"" as long as it has no end."""
        self._file.seek(0)
        line = self._file.readline(MAX_LINE_BYTES)
        return line if line.endswith(b"\n") else b""

    def replaced(self) -> bool:
        """Whether the path now leads to another file, or to none."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def close(self) -> None:
        self._file.close()


class Stdin:
    """Standard input, read by a thread, since waiting for it in the event loop would stop everything else."""

    def __init__(self, stream: BinaryIO) -> None:
        self._blocks: queue.Queue[bytes] = queue.Queue(STDIN_BLOCKS)
        self._begun = b""
        self.ended = False
        threading.Thread(target=self._read, args=(stream.fileno(),), daemon=True, name="stdin").start()

    def _read(self, descriptor: int) -> None:
        while block := os.read(descriptor, READ_BYTES):
            self._blocks.put(block)
        self._blocks.put(b"")

    def take(self) -> list[bytes]:
        """The whole lines that have come since the last call.

        Once the input has ended, a last line without a line end is one too.
        """
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
    """The files among these paths, and those in the directories among them, sorted and without hidden ones.

    Raises InputError if a path is missing.
    """
    found: list[Path] = []
    for path in sources:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{str(path)!r} does not exist")
    return found
