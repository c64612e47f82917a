"""Appends to the log what comes from inputs that do not end: files that grow, directories, standard input.

How far a file was taken is committed with its records, so a run that was stopped goes on where it was.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from streams.records import Headers, Source
from streams.sources.containers import Container
from streams.sources.files import Lines, file_records
from streams.sources.follow import GrowingFile, Stdin, files_of
from streams.sources.input_file import InputFormat

Append = Callable[[list[tuple[bytes, Headers]], Source | None], Awaitable[None]]
Position = Callable[[str], Awaitable[int]]  # how far the source of this name was appended by earlier runs


class Follower:
    """Follows files, the files of directories (new ones are found), and standard input."""

    def __init__(
        self,
        paths: Sequence[Path],
        stdin: BinaryIO | None,
        format: InputFormat,
        *,
        append: Append,
        position: Position,
    ) -> None:
        self._paths, self._format, self._append, self._position = list(paths), format, append, position
        self._stdin = Stdin(stdin) if stdin is not None else None
        self._stdin_head: bytes | None = None  # its first line
        self._files: dict[Path, GrowingFile] = {}
        self._positions: dict[str, int] = {}
        self._heads: dict[str, tuple[bytes, Container]] = {}  # by file: its first line, and what it holds

    @property
    def ended(self) -> bool:
        """Standard input was all there is to follow, and has ended."""
        return not self._paths and self._stdin is not None and self._stdin.ended

    async def take(self) -> int:
        """Looks once at every source and appends what there is; returns the number of records.

        Raises InputError for a path that is not there.
        """
        records = 0
        for path in files_of(self._paths):
            if path not in self._files:
                self._files[path] = GrowingFile(path)
                name = self._files[path].name
                self._positions[name] = await self._position(name)
            file = self._files[path]
            if file.replaced() and not file.take(self._positions[file.name]).lines:
                # It was rotated, and is read to its end. The next look finds the new file.
                self._files.pop(path).close()
            elif file.is_gzip:
                records += await self._take_whole(file)
            else:
                records += await self._take_appended(file)
        if self._stdin is not None and (lines := self._stdin.take()):
            records += await self._take_stdin(lines)
        return records

    async def _take_appended(self, file: GrowingFile) -> int:
        lines, start, end = file.take(self._positions[file.name])
        if not lines:
            return 0
        if file.name not in self._heads:
            first = file.first_line()
            self._heads[file.name] = first, self._format.container(first)
        header, container = self._heads[file.name]
        records = list(self._rows(lines, container, header if start else None))
        await self._append(records, Source(file.name, start, end))
        self._positions[file.name] = end
        return len(records)

    async def _take_whole(self, file: GrowingFile) -> int:
        """A compressed file does not grow: it is taken once, whole."""
        if self._positions[file.name]:
            return 0
        records = list(file_records(Lines(file.path), self._format.whole))
        await self._append(records, Source(file.name, 0, 1))
        self._positions[file.name] = 1
        return len(records)

    async def _take_stdin(self, lines: list[bytes]) -> int:
        header, self._stdin_head = self._stdin_head, self._stdin_head or lines[0]
        container = self._format.container(self._stdin_head)
        records = list(self._rows(lines, container, header))
        await self._append(records, None)
        return len(records)

    def _rows(
        self, lines: list[bytes], container: Container, header: bytes | None
    ) -> Iterator[tuple[bytes, Headers]]:
        """The records of these lines. `header`: the first line of their source, if that was taken before."""
        if container is Container.TABLE:
            return self._format.lines(lines if header is None else [header, *lines], container)
        return self._format.lines(lines, Container.LINES)  # what does not end can be no document

    def close(self) -> None:
        for file in self._files.values():
            file.close()
