"""Opens connections to database files, and knows which files this process has open.

A process that closes a file loses all POSIX locks that it has on it: also those of SQLite's connections,
which do not notice it. Another process may then take itself for the only one, and delete the WAL into which
these connections write. So while a connection is open, nothing else in the process may open the file, be it
only to look at its header.
"""

import os
import sqlite3
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import TypeVar

from streams.log.sqlite.damage import check_header

_open_connections = Counter[str]()  # by path
_lock = Lock()


class CountedConnection(sqlite3.Connection):
    """A connection that counts as open until it is closed."""

    path: str | None = None

    def close(self) -> None:
        super().close()
        with _lock:
            if self.path is not None:
                _open_connections[self.path] -= 1
                self.path = None


OpenedAs = TypeVar("OpenedAs", bound=CountedConnection)


def open_connection(file: Path, kind: type[OpenedAs], query: str = "", *, timeout_s: float = 0.0) -> OpenedAs:
    """Opens a connection to the file, which is made if it is not there and `query` does not say otherwise.

    `query` has SQLite's parameters for the name of the file, such as `mode=ro`. Raises Damage for a damaged
    header, if this process does not have the file open already.
    """
    path = os.path.realpath(file)
    name = f"{file.absolute().as_uri()}?{query}"
    with _lock:
        if not _open_connections[path]:
            check_header(file)
        con = sqlite3.connect(name, uri=True, timeout=timeout_s, isolation_level=None, factory=kind)
        con.path = path
        _open_connections[path] += 1
    return con
