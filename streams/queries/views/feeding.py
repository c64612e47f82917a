"""Feeds views with what is committed to their topics: at a start all of it, then what has come since.

Works on every log, since it asks a Reader for tails and for nothing else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.topology import SINGLE

FEED_RECORDS = 2_500  # of one tail: some tens of milliseconds at most, in which a page gets no answer

TopicPartition = tuple[str, int]
Positions = Mapping[TopicPartition, TailPosition]


class View(Protocol):
    """What is made of the records of some topics. Pure."""

    @property
    def topics(self) -> Sequence[str]:
        """What it wants to be given; other records it passes over."""
        ...

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes the next record of a partition in."""
        ...

    def read_anew(self, topic: str, partition: int) -> None:
        """From here on a partition is read from its beginning. Until its end what was known stays."""
        ...

    def at_end(self, topic: str, partition: int) -> None:
        """A partition has been read to its end."""
        ...


class ViewFeed:
    """Keeps some views up to date."""

    def __init__(self, reader: Reader, views: Sequence[View], positions: Positions | None = None) -> None:
        """`positions`: how far the views have come, if they were restored."""
        self.positions = dict(positions or {})
        self.records = 0  # that were read, by this feed
        self.was_at_end = False  # it has taken in all that was committed, at one time
        self._reader, self._views = reader, views
        topics = dict.fromkeys(topic for view in views for topic in view.topics)
        self._partitions = [
            (topic, number)
            for topic in topics
            for number in range(1 if topic in SINGLE else reader.partitions)
        ]
        # By topic and partition, the offsets of its first and of its next record when `look_ahead` looked.
        self._extents: dict[TopicPartition, tuple[int, int]] = {}

    async def look_ahead(self) -> None:
        """Looks how much there is to read, so that `passed` means something."""
        for topic in dict.fromkeys(topic for topic, _ in self._partitions):
            firsts = await self._reader.first_offsets(topic)
            ends = await self._reader.end_positions(topic)
            for number, (first, end) in enumerate(zip(firsts, ends, strict=True)):
                self._extents[topic, number] = first, end.offset

    @property
    def total(self) -> int:
        """How many offsets there were to read."""
        return sum([end - first for first, end in self._extents.values()])

    @property
    def passed(self) -> int:
        """How many of them have been read."""
        found = 0
        for name, (first, end) in self._extents.items():
            if (position := self.positions.get(name)) is not None:
                found += min(max(position.offset, first), end) - first
        return found

    async def read(self) -> bool:
        """Takes in what has come, a piece of each partition. True: nothing more was committed to any of them
        when it was read.
        """
        # At once, since a broker that has nothing waits a moment before it answers.
        at_end = all(await asyncio.gather(*[self._read(*name) for name in self._partitions]))
        self.was_at_end |= at_end
        return at_end

    async def catch_up(self) -> None:
        """Takes in all that was committed."""
        while not await self.read():
            pass

    async def _read(self, topic: str, partition: int) -> bool:
        position = self.positions.get((topic, partition))
        tail = await self._reader.tail(topic, partition, position, FEED_RECORDS)
        views = [view for view in self._views if topic in view.topics]
        if tail.anew:
            for view in views:
                view.read_anew(topic, partition)
        for view in views:
            apply = view.apply
            for record in tail.records:
                apply(topic, record.key, record.value)
        if tail.at_end:
            for view in views:
                view.at_end(topic, partition)
        self.positions[topic, partition] = tail.position
        self.records += len(tail.records)
        await asyncio.sleep(0)  # an embedded log never waits, and others want to run too
        return tail.at_end
