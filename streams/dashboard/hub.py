"""Sends what is new to everybody who listens. Each answer is made and encoded once, and the newest wins.

There is no queue for a listener: one that is slow gets what is newest when it is ready for more, and one that
takes nothing for too long is dropped. Figures are absolute, so what was passed over heals with the next.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from streams.dashboard.answers import Overview, ShownStep
from streams.dashboard.asked import Asked

TICK_S = 0.25  # between two looks at what is new
OVERVIEW_EVERY_S = 0.5  # figures change within a second of the commit
HEARTBEAT_S = 15.0  # proxies close what is silent, most of them after a minute
MOST_STEPS = 20  # of one tick; the figures count all of them
RETRY_MS = 2_000  # after which a browser connects again


class Figures(Protocol):
    """What the hub asks of the read model."""

    @property
    def revision(self) -> int:
        """It grows with each change."""

    def overview(self, asked: Asked) -> Overview:
        """The figures of the page."""

    def steps_since(self, revision: int, asked: Asked, limit: int) -> list[ShownStep]:
        """The newest moves that came after `revision`, at most `limit`, the oldest first."""


class Channel:
    """Those who ask for the same, and what is newest for them."""

    def __init__(self) -> None:
        self.listeners = 0
        self.overview: bytes = b""
        self.steps: bytes = b""
        self.number = 0  # of the newest message
        self.steps_number = 0
        self.overview_number = 0
        self._changed = asyncio.Event()

    def set_overview(self, message: bytes) -> None:
        """Says new figures."""
        self.overview = message
        self.number += 1
        self.overview_number = self.number
        self._wake()

    def set_steps(self, message: bytes) -> None:
        """Says new moves."""
        self.steps = message
        self.number += 1
        self.steps_number = self.number
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns after the next change."""
        await self._changed.wait()


def event_of(name: str, value: object, revision: int) -> bytes:
    """A message of an event stream. JSON has no line breaks."""
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), revision, msgspec.json.encode(value))


class Hub:
    """All channels of a process."""

    def __init__(self, figures: Figures, monotonic_s: Callable[[], float]) -> None:
        self._figures, self._now_s = figures, monotonic_s
        self._channels: dict[Asked, Channel] = {}
        self._said_s: dict[Asked, float] = {}
        self._revision = figures.revision
        self._waiting: set[Asked] = set()  # figures that changed, and are said with a later tick
        self.dropped = 0  # listeners that took nothing for too long

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(channel.listeners for channel in self._channels.values())

    @contextmanager
    def listening(self, asked: Asked) -> Iterator[Channel]:
        """The channel of those who ask for this, as long as somebody listens."""
        channel = self._channels.get(asked)
        if channel is None:
            channel = self._channels[asked] = Channel()
            self._say_overview(asked, channel)
        channel.listeners += 1
        try:
            yield channel
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[asked]
                self._said_s.pop(asked, None)
                self._waiting.discard(asked)

    def tick(self) -> None:
        """Says what is new to all."""
        revision = self._figures.revision
        if revision != self._revision:
            for asked, channel in self._channels.items():
                if steps := self._figures.steps_since(self._revision, asked, MOST_STEPS):
                    channel.set_steps(event_of("steps", steps, revision))
            self._revision = revision
            self._waiting.update(self._channels)
        due_s = self._now_s() - OVERVIEW_EVERY_S
        for asked in [a for a in self._waiting if self._said_s[a] <= due_s]:
            self._say_overview(asked, self._channels[asked])

    def _say_overview(self, asked: Asked, channel: Channel) -> None:
        channel.set_overview(event_of("overview", self._figures.overview(asked), self._figures.revision))
        self._said_s[asked] = self._now_s()
        self._waiting.discard(asked)

    def drop(self) -> None:
        """Counts a listener that was dropped."""
        self.dropped += 1

    async def run(self) -> None:
        """Ticks until it is cancelled."""
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    async def messages(self, asked: Asked) -> AsyncIterator[bytes]:
        """What one listener is sent: the figures, then whatever is newest each time it is ready for more."""
        with self.listening(asked) as channel:
            overview, steps = channel.overview_number, channel.number
            yield b"retry: %d\n\n" % RETRY_MS + channel.overview
            while True:
                if channel.number <= max(overview, steps):
                    try:
                        async with asyncio.timeout(HEARTBEAT_S):
                            await channel.changed()
                    except TimeoutError:
                        yield b": \n\n"
                        continue
                message = b""
                if channel.steps_number > steps:
                    message, steps = channel.steps, channel.steps_number
                if channel.overview_number > overview:
                    message, overview = message + channel.overview, channel.overview_number
                if message:
                    yield message
