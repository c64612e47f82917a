"""Keeps the counters in a file, so that the next start reads only what has come since.

It belongs to one log. That a directory was filled anew under its old name is seen by its first record, and
that an app was made anew by the id of its topic.
"""

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from streams.errors import ConfigError
from streams.log.port import Reader
from streams.queries.cell_table import CellTable
from streams.queries.views.feeding import Positions
from streams.queries.views.snapshot import RestoredCells, UnusableSnapshot, decode_snapshot, encode_snapshot
from streams.topology import EVENTS, TALLIES


class SnapshotFile:
    """The file of one log."""

    def __init__(self, path: Path, log: str, on_trouble: Callable[[str], None]) -> None:
        """`log` names it, and no other. Raises ConfigError where no file can be written."""
        if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
            raise ConfigError(
                f"dashboard.snapshot = {path}: no file can be written there: name a file in a directory that "
                "is there and may be written"
            )
        self._path, self._log, self._on_trouble = path, log, on_trouble

    def read(self) -> RestoredCells | None:
        """The counters, and how far they were read; None: everything has to be read."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._on_trouble(f"{self._path} cannot be read: {error.strerror}; everything is read")
            return None
        found = decode_snapshot(raw, self._log)
        if isinstance(found, UnusableSnapshot):
            self._on_trouble(f"{self._path} is not used, since {found.reason}; everything is read")
            return None
        return found

    def write(self, cells: CellTable, positions: Positions) -> None:
        """Replaces the file in one step."""
        of_cells = {name: at for name, at in positions.items() if name[0] == TALLIES.name}
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            beside.write_bytes(encode_snapshot(self._log, cells, of_cells))
            beside.replace(self._path)
        except OSError as error:
            self._on_trouble(f"{self._path} cannot be written: {error.strerror}")


async def name_of_directory(reader: Reader) -> str | None:
    """A name that no other data directory has; None: nothing has come yet."""
    parts = []
    for number in range(reader.partitions):
        tail = await reader.tail(EVENTS.name, number, None, 1)
        parts += [f"{record.time_ms}-{crc32(record.value or b'')}" for record in tail.records]
    return f"{reader.partitions}:{','.join(parts)}" if parts else None
