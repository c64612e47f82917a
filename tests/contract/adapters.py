"""The adapters the contract is held over. Another one joins by one entry here; the tests stay as they are."""

from collections.abc import Callable
from pathlib import Path

from streams.log.memory import MemoryLog
from streams.log.port import Log
from streams.log.sqlite import SqliteLog

# Calling it opens the same stored log once more, as another process would; with the number of partitions it was first opened with.
Store = Callable[[], Log]


def memory(_: Path, partitions: int) -> Store:
    log = MemoryLog(partitions)
    return lambda: log


def sqlite(directory: Path, partitions: int) -> Store:
    return lambda: SqliteLog(directory / "data", partitions)


# A new place (a directory of its own, a number of partitions) -> a store.
ADAPTERS: dict[str, Callable[[Path, int], Store]] = {"memory": memory, "sqlite": sqlite}
