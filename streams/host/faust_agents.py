"""How records reach a user's agent: at least once each.

A record is done when the agent asks for the next one.

Stock Faust also counts a record as done when the agent failed on it, when it was cancelled while the agent
had it, and when it waited in a queue while the worker stopped. Such records are lost silently. Here

- an agent that *fails* is started again with the same record, up to three times with growing pauses; then the
  process ends, and after a restart the agent begins with that record. An agent catches (`try`) the failures
  that it can live without;
- an agent that *returns* ends the process too: otherwise nobody would notice that its records are no longer
  processed;
- a record that waits while partitions move or the worker stops is not done, and comes again;
- a record that cannot be read as its topic's type is skipped with a log line: this program did not write it.
"""

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, cast

import faust
import msgspec
from faust.agents.agent import _current_agent
from faust.exceptions import Skip
from faust.streams import _current_event
from faust.types import AppT, EventT, Message
from faust.types.agents import ActorRefT
from mode.utils.futures import maybe_async

from streams.backoff import Backoff
from streams.errors import StreamsError
from streams.host.process import Process, process_of

RETRIES = 3  # of one record by one agent
FIRST_RESTART_S, LONGEST_RESTART_S = 1.0, 4.0  # pauses before them
UNREADABLE = object()  # in place of a value


class RecordPosition(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int


class AgentFailed(StreamsError):
    """A user's agent cannot go on."""


class OutputSchema(faust.Schema[Any, Any]):
    """Reads the values of an output topic."""

    def __init__(self, decode: Callable[[bytes], object]) -> None:
        super().__init__()
        self._decode = decode

    def loads_key(self, app: AppT, message: Message, **_: Any) -> str | None:
        return None if message.key is None else message.key.decode(errors="replace")

    def loads_value(self, app: AppT, message: Message, **_: Any) -> object:
        """The value; None for a tombstone."""
        if message.value is None:
            return None
        try:
            return self._decode(message.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            process_of(app).logger.error(
                "unreadable",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=str(error),
            )
            return UNREADABLE


def output_schema(types: tuple[type, ...]) -> OutputSchema:
    """The schema of a topic whose values are of these types."""
    decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(reduce(or_, types))
    return OutputSchema(decoder.decode)


class AgentStream(faust.Stream[Any]):
    """The stream that an agent iterates over."""

    unfinished: EventT[Any] | None = None  # the record that the agent has
    failing = False  # the agent has failed for good: nothing that is closed now is done

    def __aiter__(self) -> AsyncIterator[Any]:
        if not isinstance(self.channel, faust.Topic):
            return super().__aiter__()
        values = self._values()
        self._active_agens.add(values)
        return values

    async def _values(self) -> AsyncGenerator[Any, None]:
        """Yields values, one at a time."""
        self._finalized = True
        began = await self.maybe_start()
        try:
            while not self.should_stop:
                await asyncio.sleep(0)
                event = self.unfinished or cast(EventT[Any], await self.channel.__anext__())
                self.unfinished = None
                if not self.is_current(event.message):
                    continue
                sensed = self._on_stream_event_in(event.message.tp, event.message.offset, self, event)
                _current_event.set(weakref.ref(event))
                self.current_event, acks = event, self.enable_acks
                try:
                    value = event.value if event.value is UNREADABLE else await self._processed(event.value)
                except Skip:
                    value = UNREADABLE
                if value is not UNREADABLE:
                    self.events_total += 1
                    self.unfinished = event if acks else None
                    yield value
                    self.unfinished = None
                self.current_event = None
                if acks or value is UNREADABLE:
                    self._done(event, sensed)
        except StopAsyncIteration:
            return  # the agent is to stop
        finally:
            self._channel_stop_iteration(self.channel)
            if began:
                await self.stop()
                self.service_reset()

    def is_current(self, message: Message) -> bool:
        """Whether a record that waited is still this worker's. If not, its next owner reads it again."""
        app = self.app
        return app.flow_control.is_active() and message.generation_id == app.consumer_generation_id

    async def _processed(self, value: Any) -> Any:
        for processor in self._processors:
            value = await maybe_async(processor(value))
        return await self.on_merge(value)

    def _done(self, event: EventT[Any], sensed: dict[Any, Any] | None = None) -> bool:
        last = event.ack()
        message = event.message
        cast(Any, self.app.consumer).finished(self.prefix, message)  # the prefix is the agent's name
        self._on_stream_event_out(message.tp, message.offset, self, event, sensed)
        if last:
            self._on_message_out(message.tp, message.offset, message)
        return last

    def position(self) -> RecordPosition | None:
        """Where the record is that the agent has. None: it has none."""
        if self.unfinished is None:
            return None
        message = self.unfinished.message
        return RecordPosition(message.topic, message.partition, message.offset)

    async def close_iterators(self) -> None:
        """Closes a failed agent's iterators, so that it can iterate again, and keeps the record it had."""
        unfinished = self.unfinished
        for iterator in list(self._active_agens):
            await iterator.aclose()
        self.unfinished = unfinished

    async def ack(self, event: EventT[Any]) -> bool:
        """Marks a record of a `take` as done. Faust calls this also when the agent failed: not done then."""
        return False if self.failing else self._done(event)


class RetryingAgent(faust.Agent):
    """Starts a failed agent again with the same record, or ends the process."""

    _failed_at: RecordPosition | None = None
    _failures = 0  # on that record, one after the other
    _backoff: Backoff  # between these

    async def _execute_actor(self, coro: Awaitable[None], aref: ActorRefT) -> None:
        _current_agent.set(self)
        stream = cast(AgentStream, aref.stream)
        while True:
            try:
                await coro
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self.should_stop or (task is not None and task.cancelling()):
                    raise
                # Something that the agent waited for was cancelled. The agent goes on, with the same record.
            except Exception as error:
                if not await self._may_retry(error, stream):
                    return
            else:
                if not self._ending():
                    self._process.end(
                        AgentFailed(
                            f"agent {self.name} has stopped by itself: let its `async for` run for ever"
                        )
                    )
                return
            if self._ending():
                return
            await stream.close_iterators()
            actor = self(
                index=stream.concurrency_index, active_partitions=stream.active_partitions, stream=stream
            )
            if isinstance(actor, Awaitable):
                coro = actor
            else:
                assert isinstance(actor, AsyncIterable), type(actor)
                coro = self._slurp(aref, aiter(actor))

    @property
    def _process(self) -> Process:
        return process_of(self.app)

    def _ending(self) -> bool:
        return self.should_stop or self.app.should_stop or self._process.ending.is_set()

    async def _may_retry(self, error: Exception, stream: AgentStream) -> bool:
        """True, after a pause, if the failed agent is to be started again. If not, the process ends."""
        active = cast(AgentStream, stream.get_active_stream())
        at = active.position()
        one_record = at is not None and active.enable_acks  # with `take` the agent had several
        if at is None or at != self._failed_at:
            self._failed_at, self._failures = at, 0
            self._backoff = Backoff(first_s=FIRST_RESTART_S, longest_s=LONGEST_RESTART_S)
        self._failures += 1
        where = "between two records" if at is None else "on {}[{}] at offset {}".format(*at)
        logger = self._process.logger
        if not one_record or self._failures > RETRIES:
            stream.failing = active.failing = True
            logger.error("agent failed", agent=self.name, where=where, exc_info=error)
            tries = f", tried {self._failures} times" if self._failures > 1 else ""
            self._process.end(
                AgentFailed(f"agent {self.name} failed {where}{tries}: {type(error).__name__}: {error}")
            )
            return False
        logger.warning("agent failed", agent=self.name, where=where, tries=self._failures, exc_info=error)
        await self.sleep(self._backoff.next_s())
        return True
