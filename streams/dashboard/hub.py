"""Sends what is new to everybody who listens. Each answer is made and encoded once, and the newest wins.

A listener has no queue: one that is slow gets what is newest when it is ready for more, and one that takes
nothing for too long is dropped. Figures are absolute, so what was passed over heals with the next.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import msgspec

from streams.clock import Clock
from streams.dashboard.answers import Loading
from streams.dashboard.asked import Asked
from streams.dashboard.model import LiveModel

TICK_S = 0.1  # between two looks at what is new
OVERVIEW_EVERY_S = 0.5  # figures change within a second of the commit
FIGURES_SHARE = 0.25  # of a core, however many different figures are asked for: then they come less often
HEARTBEAT_S = 15.0  # proxies close an idle connection, most of them after a minute
MOST_STEPS = 20  # of one message; the figures count all of them
MAX_LISTENERS = 1_000  # each costs a connection and some kilobytes
RETRY_MS = 2_000  # after which a browser connects again


class Channel:
    """What is newest for those who ask for the same."""

    def __init__(self) -> None:
        self.listeners = 0
        self.overview, self.steps = b"", b""
        self.overview_number, self.steps_number = 0, 0  # of the message
        self._changed = asyncio.Event()

    @property
    def number(self) -> int:
        """The number of the newest message."""
        return max(self.overview_number, self.steps_number)

    def set_overview(self, message: bytes) -> None:
        """Takes new figures."""
        self.overview_number = self.number + 1
        self.overview = message
        self._wake()

    def set_steps(self, message: bytes) -> None:
        """Takes new moves."""
        self.steps_number = self.number + 1
        self.steps = message
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns after the next change."""
        await self._changed.wait()


class TooManyListeners(Exception):
    """There is no room for another listener now."""


class Hub:
    """All channels of a process."""

    def __init__(self, model: LiveModel, clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._channels: dict[Asked, Channel] = {}
        self._due_s: dict[Asked, float] = {}  # when the figures of a channel may be made again
        self._waiting: set[Asked] = set()  # figures that have changed, and come with a later tick
        self._revision, self._steps = model.revision, model.steps.number
        self._boot = secrets.token_hex(4)  # an id of another process names none of our steps
        self._closed = asyncio.Event()
        self.dropped = 0  # listeners that took nothing for too long

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(channel.listeners for channel in self._channels.values())

    @contextmanager
    def _listening(self, asked: Asked) -> Iterator[Channel]:
        """The channel of those who ask for this, as long as somebody listens."""
        channel = self._channels.get(asked)
        if channel is None:
            channel = self._channels[asked] = Channel()
            self._send_overview(asked, channel)
        channel.listeners += 1
        try:
            yield channel
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[asked]
                self._due_s.pop(asked, None)
                self._waiting.discard(asked)

    def tick(self) -> Iterator[None]:
        """Sends what is new, with a stop after the figures of each channel, where others get their turn:
        those of a great shop take some tens of milliseconds.
        """
        if self._model.steps.number != self._steps and self._model.has_begun:
            for asked, channel in self._channels.items():
                if steps := self._model.steps_since(self._steps, asked, MOST_STEPS):
                    channel.set_steps(self._message("steps", steps))
            self._steps = self._model.steps.number
        if self._model.revision != self._revision:
            self._revision = self._model.revision
            self._waiting.update(self._channels)
        now_s = self._clock.monotonic_s()
        for asked in [asked for asked in self._waiting if self._due_s[asked] <= now_s]:
            if asked in self._channels:  # nobody has left meanwhile
                self._send_overview(asked, self._channels[asked])
                yield

    def _send_overview(self, asked: Asked, channel: Channel) -> None:
        begun_s = self._clock.monotonic_s()
        found = self._model.shown(asked, self._clock.wall_ms())
        channel.set_overview(self._message("loading" if isinstance(found, Loading) else "overview", found))
        now_s = self._clock.monotonic_s()
        pause_s = (now_s - begun_s) * len(self._channels) / FIGURES_SHARE
        self._due_s[asked] = now_s + max(OVERVIEW_EVERY_S, pause_s)
        self._waiting.discard(asked)

    def _message(self, name: str, value: object) -> bytes:
        """A message of an event stream. JSON has no line breaks."""
        event = f"event: {name}\nid: {self._boot}-{self._model.steps.number}\ndata: ".encode()
        return event + msgspec.json.encode(value) + b"\n\n"

    def _missed(self, last_id: str, asked: Asked) -> bytes:
        """The steps that came since a listener got its last message."""
        boot, _, number = last_id.partition("-")
        if boot != self._boot or not number.isdecimal():
            return b""
        steps = self._model.steps_since(int(number), asked, MOST_STEPS)
        return self._message("steps", steps) if steps else b""

    def drop(self) -> None:
        """Counts a listener that was dropped."""
        self.dropped += 1

    async def run(self) -> None:
        """Ticks until it is closed."""
        while not self._closed.is_set():
            for _ in self.tick():
                await asyncio.sleep(0)
            await asyncio.sleep(TICK_S)

    def close(self) -> None:
        """Ends all streams after what they are sending."""
        self._closed.set()
        for channel in self._channels.values():
            channel.set_steps(b"")

    def check_room(self) -> None:
        """Raises TooManyListeners."""
        if self.listeners >= MAX_LISTENERS:
            raise TooManyListeners

    async def messages(self, asked: Asked, last_id: str = "") -> AsyncGenerator[bytes]:
        """What one listener is sent: the figures, then whatever is newest each time it is ready for more.

        `last_id`: the id of the last message that it has, if it has listened before.
        """
        with self._listening(asked) as channel:
            overview, steps = channel.overview_number, channel.number
            yield b"retry: %d\n\n" % RETRY_MS + self._missed(last_id, asked) + channel.overview
            while not self._closed.is_set():
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
