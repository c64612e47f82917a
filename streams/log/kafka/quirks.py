"""Reads records whose headers have names that are no UTF-8, as Java's clients do: what cannot be read of a name is replaced.

The protocol says that a name is text, and no broker looks. aiokafka raises over such a record, and would meet it again for ever: one record, by
whoever may write to an input, would stop a partition. So a batch that aiokafka cannot read is read again here, with more patience.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from streams.clock import Clock

FIRST_WITH_HEADERS = 2  # the format of a batch


class _Lenient(bytearray):
    """Bytes that read as text whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, *_: Any) -> str:
        return super().decode("utf-8", "replace")


class _Patient(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka ships no types
    """A batch, read slowly."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Lenient(self._buffer)


class Batch:
    """A batch as the fetcher knows it, of which the records are read quickly where that can be done."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch, self._raw = batch, raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (
            UnicodeDecodeError,
            CorruptRecordException,
        ):  # the latter, where aiokafka is without its compiled parts
            return iter(list(_Patient(self._raw)))


class Records(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka ships no types
    """What a fetch has brought of a partition, batch by batch."""

    def next_batch(self, *_: Any) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        return (
            Batch(batch, raw) if raw is not None and raw[self.MAGIC_OFFSET] >= FIRST_WITH_HEADERS else batch
        )


def install() -> None:
    """For all consumers of this process, those that are there already too."""
    fetcher.MemoryRecords = Records


class Heartbeat(NamedTuple):
    """One heartbeat of a member of a group, after its answer."""

    sent_s: float
    acknowledged: bool
    rebalancing: bool  # the group is about to assign its partitions anew
    member: bool  # False: the group does not know the sender


def watch_heartbeats(
    consumer: AIOKafkaConsumer, clock: Clock, on_heartbeat: Callable[[Heartbeat], None]
) -> None:
    """Calls `on_heartbeat` after each heartbeat of a consumer that was started. It may raise a KafkaError:
    then aiokafka does not join the group again.

    aiokafka has no interface for heartbeats (0.14): its coordinator is made to send them through here.
    """
    coordinator = consumer._coordinator
    send = coordinator._do_heartbeat

    async def heartbeat() -> bool:
        sent_s = clock.monotonic_s()
        acknowledged: bool = await send()
        rebalancing = coordinator._rejoin_needed_fut.done()
        on_heartbeat(Heartbeat(sent_s, acknowledged, rebalancing, bool(coordinator.member_id)))
        return acknowledged

    coordinator._do_heartbeat = heartbeat
