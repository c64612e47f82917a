"""The adapters the contract is held over. Another one joins by one entry here; the tests stay as they are."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from streams.log.memory import MemoryLog
from streams.log.port import Log
from streams.log.sqlite import chunks
from streams.log.sqlite.log import SqliteLog
from streams.log.tail import TailPosition
from tests.kafka import broker, topics

# Calling it opens the same stored log once more, as another process would; with the
# number of partitions it was first opened with.
Store = Callable[[], Log]


def memory(_: Path, partitions: int) -> Store:
    log = MemoryLog(partitions)
    return lambda: log


def sqlite(directory: Path, partitions: int) -> Store:
    return lambda: SqliteLog(directory / "data", partitions)


def kafka(_: Path, partitions: int) -> Store:
    app = topics.new_app(partitions)
    return lambda: topics.log(app, partitions)


# A new place (a directory of its own, a number of partitions) -> a store.
ADAPTERS: dict[str, Callable[[Path, int], Store]] = {"kafka": kafka, "memory": memory, "sqlite": sqlite}

# The logs that files are appended to, each file once. On a broker it is collectors who
# append, and nobody keeps count for them.
EMBEDDED = frozenset({"memory", "sqlite"})


async def compact_memory(log: Log, topic: str, partition: int, position: TailPosition) -> TailPosition:
    assert isinstance(log, MemoryLog)
    log.compact(topic, partition)
    return position


async def compact_sqlite(log: Log, topic: str, partition: int, position: TailPosition) -> TailPosition:
    assert isinstance(log, SqliteLog)
    with log._transaction() as con:
        chunks.compact(con, log._places[topic, partition])
    return position


async def compact_kafka(log: Log, topic: str, partition: int, position: TailPosition) -> TailPosition:
    """A broker compacts when it likes.

    Whether a follower reads anew depends on how long it slept, and not on what the broker did meanwhile.
    """
    return msgspec.structs.replace(position, current_ms=position.current_ms - 3 * 24 * 60 * 60 * 1_000)


# Has a follower sleep through a compaction that may remove tombstones;
# returns the position that it wakes up with.
COMPACTIONS: dict[str, Callable[[Log, str, int, TailPosition], Awaitable[TailPosition]]] = {
    "kafka": compact_kafka,
    "memory": compact_memory,
    "sqlite": compact_sqlite,
}


def need(adapter: str) -> None:
    """Ends the test that asks, skipped or failed, when there is nothing here to run the adapter on."""
    if adapter == "kafka":
        broker.bootstrap()
