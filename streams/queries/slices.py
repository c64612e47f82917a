"""Slices of people: a recomputation holds one slice in memory at a time, and reads the input once for each.

The hash is another one than that which chose the partition: all people of a partition have that in common.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

from streams.queries.event_sets import BYTES_PER_EVENT, BYTES_PER_PERSON

MAX_SLICES = 65_536  # so many times nobody reads an input; then memory has to do
# Before the input is read, nobody knows how many people its events are of. A wrong guess costs one reading.
EVENTS_PER_PERSON = 4
SPARE = 1.2  # a slice that was too large is cut into this much smaller ones than it seems to need
MAX_WAYS = 16  # the estimate may be wild when little was read


class Slice(NamedTuple):
    """The people whose hash leaves `number` when it is divided by `of`."""

    of: int
    number: int

    def has(self, key: str) -> bool:
        """True if the person with this profile key is in the slice."""
        return self.of == 1 or crc32(key.encode()) % self.of == self.number

    def split(self, ways: int) -> "list[Slice]":
        """This slice as so many smaller ones."""
        return [Slice(self.of * ways, self.number + self.of * n) for n in range(ways)]


class SliceReading(Protocol):
    """A reading of the whole input that keeps the people of one slice."""

    @property
    def size_bytes(self) -> int:
        """About how much memory the people take that it keeps."""
        ...

    @property
    def is_divisible(self) -> bool:
        """True if it holds more people than one."""
        ...

    def read_input(self) -> AsyncIterator[int]:
        """Reads it. Yields the number of items read so far, now and then."""
        ...


AnyReading = TypeVar("AnyReading", bound=SliceReading)


def planned_slices(events: int, memory_bytes: int) -> list[Slice]:
    """Slices of which each, as far as can be known, takes this much memory. `events`: of all people."""
    needed_bytes = events * (BYTES_PER_EVENT + BYTES_PER_PERSON // EVENTS_PER_PERSON)
    count = min(MAX_SLICES, -(-needed_bytes // memory_bytes) or 1)
    return [Slice(count, number) for number in range(count)]


async def read_in_slices(
    waiting: list[Slice],
    stored: int,
    memory_bytes: int,
    begin: Callable[[Slice], AnyReading],
    use: Callable[[AnyReading], Awaitable[bool]],
    on_progress: Callable[[int, int], None],
) -> None:
    """Reads the input once for each slice, and more often where one takes more memory than it should.

    `stored`: how many items there are to read. `use` gets each reading that fits; False from it ends all. One
    person is always held. `on_progress` is called with the items read and about how many there are to read.
    """
    done = 0
    while waiting:
        reading, read, fits = begin(waiting[0]), 0, True
        async for read in reading.read_input():
            on_progress(done + read, done + stored * len(waiting))
            fits = reading.size_bytes <= memory_bytes or not reading.is_divisible
            if not fits:
                break
        if not fits:
            ways = min(max(2, round(SPARE * stored / read)), MAX_WAYS)
            waiting = [small for people in waiting for small in people.split(ways)]
            done += read
            continue
        waiting = waiting[1:]
        done += stored
        if not await use(reading):
            return
