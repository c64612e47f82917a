"""How records come to an agent, and when they count as done: when the agent asks for the next one. So each is handed over at least once.

Stock Faust counts one as done also when the agent failed on it, when it was cancelled on it, and when it waited in a queue while the worker stopped:
it is lost then, silently. Here

- an agent that *fails* is started again with the same record, a few times, with growing pauses; then the process ends, and whoever restarts it starts
  the agent with that record again. Which failures it can live without, an agent has to say itself (`try`);
- one that *stops by itself* ends the process too: nobody would notice that its records are no longer taken;
- what waits when partitions move or the worker stops is not done, and comes again;
- a record that is not of its topic's type is left out, with a line in the log: it can't be of this program.
"""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, cast

import faust
import msgspec
from faust.agents.agent import _current_agent
from faust.exceptions import Skip
from faust.streams import _current_event
from faust.types import EventT, Message
from mode.utils.futures import maybe_async

from streams.errors import StreamsError

if TYPE_CHECKING:
    from streams.host.application import App

RETRIES = 3  # of one record by one agent
FIRST_PAUSE_S = 1.0  # then twice that, and so on
NOT_OURS = object()

Place = tuple[str, int, int]  # topic, partition, offset


class AgentFailed(StreamsError):
    """An agent of somebody's own cannot go on."""


class Values(faust.Schema[Any, Any]):
    """Reads values as one of the types of a topic."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        super().__init__()
        self._decode = decode

    def loads_key(self, app: Any, message: Message, **_: Any) -> str | None:
        return None if message.key is None else message.key.decode(errors="replace")

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """A tombstone is None."""
        if message.value is None:
            return None
        try:
            return self._decode(message.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            app.lines.error(
                "foreign",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=str(error),
            )
            return NOT_OURS


def values_of(types: tuple[type, ...]) -> Values:
    """Of a topic whose values are of these types."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(reduce(or_, types))
    return Values(decoder.decode)


class Stream(faust.Stream[Any]):
    """What an agent iterates over."""

    unfinished: EventT[Any] | None = None  # with the agent
    failing = False  # its agent has failed for good: what is being closed is not done

    def __aiter__(self) -> AsyncIterator[Any]:
        if not isinstance(self.channel, faust.Topic):
            return super().__aiter__()
        decode_inbox = self._handed()
        self._active_agens.add(decode_inbox)
        return decode_inbox

    async def _handed(self) -> AsyncGenerator[Any, None]:
        """Yields values, one at a time."""
        self._finalized = True
        began = await self.maybe_start()
        try:
            while not self.should_stop:
                await asyncio.sleep(0)
                event = self.unfinished or cast(EventT[Any], await self.channel.__anext__())
                self.unfinished = None
                if not self._counts(event.message):
                    continue
                counted = self._on_stream_event_in(event.message.tp, event.message.offset, self, event)
                _current_event.set(weakref.ref(event))
                self.current_event, acks = event, self.enable_acks
                try:
                    value = event.value if event.value is NOT_OURS else await self._processed(event.value)
                except Skip:
                    value = NOT_OURS
                if value is not NOT_OURS:
                    self.events_total += 1
                    self.unfinished = event if acks else None
                    yield value
                    self.unfinished = None
                self.current_event = None
                if acks or value is NOT_OURS:
                    self._done(event, counted)
        except StopAsyncIteration:
            return  # the agent is to stop
        finally:
            self._channel_stop_iteration(self.channel)
            if began:
                await self.stop()
                self.service_reset()

    def _counts(self, message: Message) -> bool:
        """Whether a record that waited is still ours to process. If not it is read again."""
        app = self.app
        return app.flow_control.is_active() and message.generation_id == app.consumer_generation_id

    async def _processed(self, value: Any) -> Any:
        for processor in self._processors:
            value = await maybe_async(processor(value))
        return await self.on_merge(value)

    def _done(self, event: EventT[Any], counted: Any = None) -> bool:
        last = event.ack()
        message = event.message
        self._on_stream_event_out(message.tp, message.offset, self, event, counted)
        if last:
            self._on_message_out(message.tp, message.offset, message)
        return last

    def place(self) -> Place | None:
        """Where the record is from that is with the agent."""
        if self.unfinished is None:
            return None
        message = self.unfinished.message
        return message.topic, message.partition, message.offset

    async def close_left(self) -> None:
        """What a failed agent has left, so that another can iterate. The record that was with it is kept."""
        unfinished = self.unfinished
        for left in list(self._active_agens):
            await left.aclose()
        self.unfinished = unfinished

    async def ack(self, event: EventT[Any]) -> bool:
        """What `take` holds is acknowledged by Faust also when the agent failed on it."""
        return False if self.failing else self._done(event)


class Agent(faust.Agent):
    """Starts a failed agent again with the same record, or ends the process."""

    _failed_at: Place | None = None
    _failures = 0  # there, one after the other

    async def _execute_actor(self, coro: Any, aref: Any) -> None:
        _current_agent.set(self)
        stream: Stream = aref.stream
        while True:
            try:
                await coro
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self.should_stop or (task is not None and task.cancelling()):
                    raise
                # Something that it waited for was cancelled. It goes on, with the same record.
            except Exception as error:
                if not await self._goes_on(error, stream):
                    return
            else:
                if not self._ending():
                    self._host.end(
                        AgentFailed(
                            f"agent {self.name} has stopped by itself: let it go on with its stream, `async for`, for ever"
                        )
                    )
                return
            if self._ending():
                return
            await stream.close_left()
            again: Any = self(
                index=stream.concurrency_index, active_partitions=stream.active_partitions, stream=stream
            )
            coro = again if isinstance(again, Awaitable) else self._slurp(aref, again.__aiter__())

    @property
    def _host(self) -> "App":
        return cast("App", self.app)

    def _ending(self) -> bool:
        return self.should_stop or self.app.should_stop or self._host.over.is_set()

    async def _goes_on(self, error: Exception, stream: "Stream") -> bool:
        """Whether a failed agent is started again, when it is time to. If not, the process ends."""
        active = cast(Stream, stream.get_active_stream())
        at = active.place()
        whole = at is not None and active.enable_acks  # this record is all that it had
        self._failures = self._failures + 1 if at is not None and at == self._failed_at else 1
        self._failed_at = at
        where = "between two records" if at is None else "on {}[{}] at offset {}".format(*at)
        if not whole or self._failures > RETRIES:
            stream.failing = active.failing = True
            self._host.lines.error("agent failed", agent=self.name, where=where, exc_info=error)
            tried = f", tried {self._failures} times" if self._failures > 1 else ""
            self._host.end(
                AgentFailed(f"agent {self.name} failed {where}{tried}: {type(error).__name__}: {error}")
            )
            return False
        self._host.lines.warning(
            "agent failed", agent=self.name, where=where, tried=self._failures, exc_info=error
        )
        await self.sleep(FIRST_PAUSE_S * 2 ** (self._failures - 1))
        return True
