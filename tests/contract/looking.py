"""Short ways to write to a log and to look at all of it."""

from collections.abc import Sequence

import msgspec

from streams.log.port import Log, Reader, Session
from streams.records import Batch, Headers, NewRecord, Output, Record, StateRecord
from streams.topology import TOPICS, Cleanup


class Restored(msgspec.Struct, frozen=True):
    """What a session starts from."""

    checkpoint: bytes | None
    state: dict[bytes, bytes]


class Seen(msgspec.Struct, frozen=True):
    """Everything a reader can see of a log."""

    topics: dict[
        str, list[tuple[int, bytes | None, bytes | None, Headers]]
    ]  # (partition, key, value, headers); empty topics left out
    ends: dict[str, int]
    checkpoints: list[bytes | None]


def batch(
    checkpoint: bytes = b"c", outputs: Sequence[Output] = (), state: Sequence[tuple[bytes, bytes | None]] = ()
) -> Batch:
    records = [StateRecord(key, value) for key, value in state]
    return Batch(outputs=outputs, state=records, checkpoint=checkpoint)


def full_batch(tag: bytes) -> Batch:
    """A batch with something in an append-only topic, a compacted one
    and the state, all of which say `tag`.
    """
    outputs = [
        Output("transitions", b"k", tag),
        Output("current", b"k", tag),
        Output("transitions", b"k", tag + b"2"),
    ]
    return batch(tag, outputs, [(b"counter", tag)])


async def fill(log: Log, values: Sequence[bytes], partition: int = 0, time_ms: int = 7) -> None:
    await log.append([NewRecord(partition, b"key", value, time_ms) for value in values])


async def restored(session: Session) -> Restored:
    checkpoint, state = await session.restore()
    return Restored(checkpoint, {record.key: record.value or b"" async for record in state})


async def scanned(
    log: Reader, topic: str, partition: int | None = None, key: bytes | None = None
) -> list[tuple[int, bytes | None, bytes | None, Headers]]:
    return [
        (number, record.key, record.value, record.headers)
        async for number, record in log.scan(topic, partition, key)
    ]


async def seen(log: Reader) -> Seen:
    topics = {topic.name: found for topic in TOPICS if (found := await scanned(log, topic.name))}
    return Seen(topics, await log.ends(), await log.checkpoints())


COMPACTED = tuple(
    topic.name for topic in TOPICS if topic.cleanup is Cleanup.COMPACT and topic.name != "state"
)
APPENDED = tuple(topic.name for topic in TOPICS if topic.cleanup is Cleanup.DELETE and topic.name != "events")


async def read(session: Session, offset: int, limit: int) -> list[Record]:
    """Records of the input alone."""
    reading = await session.read({session.sources[0]: offset}, limit)
    return [
        record for source, records in reading.chunks for record in records if source == session.sources[0]
    ]


async def input_ends(log: Reader) -> list[int]:
    """Per partition of the input."""
    ends = await log.ends()
    return [ends[log.sources(number)[0]] for number in range(log.partitions)]
