"""A worker's membership of a consumer group on Kafka. Nothing is read or committed here.

It lives in a thread of its own. Folding a large batch holds up the worker's loop for a second, restoring a
large partition holds it up for longer. Heartbeats must not wait for that, or the group takes a worker for
dead when it works hardest. But a worker whose loop hangs for good must not keep its partitions for ever: so
the worker has to show that it is alive, or it is taken out of the group.

What was found by trying:
- The partitions stay paused, but the consumer must be polled: otherwise the member is dropped after a while.
- Callbacks only note what they receive: they run between heartbeats, and aiokafka swallows their errors.
- The public interface has no heartbeats, so they are watched where they are sent. (Asking by a commit resets
  the membership.)
- Two members with one name put each other out for ever, so the one that had it first gives way. The group
  says only that it does not know the member.
- Stopping a consumer can hang, and starting one raises while no broker answers.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from streams.clock import Clock
from streams.errors import Fenced, StreamsError
from streams.log.kafka.client import Cluster
from streams.log.kafka.errors import explained
from streams.log.kafka.group_consumer import ConsumerGroup
from streams.log.kafka.lifecycle import Waiting, stop
from streams.log.kafka.quirks import Heartbeat, watch_heartbeats
from streams.runtime.assignor import Assignor
from streams.runtime.group import Assignment, GroupMembership
from streams.settings.kafka import KafkaSettings

HUNG_S = 60.0  # without a sign of life from the worker's loop; restoring a million people holds it for ten
_POLL_MS = 500  # a poll finds no records; it shows errors, and the group that the member is there
_RETRY_S = 0.5  # after a failed poll, before the next one
_LONGEST_PAUSE_S = 1.0  # between consumers: a worker that is out of its group does nothing
_TRIES = 3  # errors in a row before everything is made anew: aiokafka does not recover from all of them
_LOOK_S = 0.25  # between looks at whether the worker leaves or hangs


class KafkaMembership(
    GroupMembership,
    ConsumerRebalanceListener,  # type: ignore[misc]  # aiokafka ships no types
):
    """A member of an app's group. It belongs to one loop, the worker's, where it sets `changed`."""

    def __init__(
        self,
        cluster: Cluster,
        app: str,
        topics: Sequence[str],
        partitions: int,
        kafka: KafkaSettings,
        clock: Clock,
        *,
        address: str | None = None,
    ) -> None:
        """`topics`: partition n of each belongs together; each has so many `partitions`. `address`: where
        this worker can be asked for people, HOST:PORT; None: nowhere.
        """
        super().__init__(static=kafka.instance is not None)
        self._app, self._topics = app, sorted(topics)
        self._kafka, self._clock = kafka, clock
        self._consumer_group = ConsumerGroup(
            cluster=cluster, name=app, instance=kafka.instance, session_ms=kafka.session_timeout
        )
        self._waiting: Waiting | None = None  # until the first assignment, for `kafka.start_timeout`
        self._assignor = Assignor(partitions, address)
        self._heartbeat_s = -1.0
        self._replaced = False  # another member has joined under this one's name
        self._thread: threading.Thread | None = None
        self._notify: Callable[[], object] = _nobody
        self._alive_s = clock.monotonic_s()
        self._leaving = threading.Event()  # can be looked at from both threads
        self._left = asyncio.Event()  # set with it, for the thread's loop to wait for
        self._loop: asyncio.AbstractEventLoop | None = None  # the thread's
        self._group: AIOKafkaConsumer | None = None

    @property
    def heartbeat_s(self) -> float:
        return self._heartbeat_s

    def show_alive(self) -> None:
        self._alive_s = self._clock.monotonic_s()

    async def join(self) -> None:
        loop = asyncio.get_running_loop()
        self._notify = lambda: loop.call_soon_threadsafe(self.changed.set)
        self.show_alive()
        self._thread = threading.Thread(target=self._run, name=f"{self._app} group", daemon=True)
        self._thread.start()

    async def leave(self) -> None:
        """Leaves the group and ends the thread; takes a few seconds when no broker answers."""
        self._leaving.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._left.set)
        thread = self._thread
        while thread is not None and thread.is_alive():
            await asyncio.sleep(0.01)  # a thread cannot be awaited

    # From here on: in the thread.

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as error:
            self.failure = error
        finally:
            self._revoked()

    async def _live(self) -> None:
        """Makes one consumer after another until the worker leaves. Raises what trying again cannot help."""
        self._loop = asyncio.get_running_loop()
        waiting = self._waiting = Waiting(self._kafka.start_timeout, longest_pause_s=_LONGEST_PAUSE_S)
        while not self._leaving.is_set():
            if self._hung():
                await asyncio.sleep(_LOOK_S)
                continue
            try:
                await self._member()
            except Exception as error:  # also aiokafka's assertions, which fail while a broker is coming back
                if (fatal := self._fatal()) is not None:
                    raise fatal from error
                failed = waiting.failed(f"group {self._app} cannot be joined", error)
                self.trouble = failed.detail
                self._revoked()
                await asyncio.sleep(failed.pause_s)

    async def _member(self) -> None:
        """Runs one consumer. Returns when the worker leaves or hangs; raises the error after which a new
        consumer is needed.
        """
        group = self._group = self._consumer_group.consumer(
            self._assignor,
            auto_offset_reset="latest",  # nothing is read, so it does not matter where
        )
        group.subscribe(self._topics, listener=self)
        try:
            if await self._unless_leaving(self._consumer_group.start(group)):
                watch_heartbeats(group, self._clock, self._on_heartbeat)
                await self._unless_leaving(self._poll(group))
        finally:
            self._group = None
            self._revoked()
            await stop(group)

    async def _unless_leaving(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the work was done. It is cancelled when the worker leaves or hangs."""
        task, left = asyncio.create_task(work), asyncio.create_task(self._left.wait())
        try:
            while not task.done() and not self._leaving.is_set() and not self._hung():
                await asyncio.wait({task, left}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return True
            return False
        finally:
            left.cancel()
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()

    async def _poll(self, group: AIOKafkaConsumer) -> None:
        failed = 0
        while not self._replaced:  # a poll after that would let aiokafka join again
            try:
                await group.getmany(timeout_ms=_POLL_MS)
                failed, self.trouble = 0, None
            except KafkaError as error:
                failed += 1
                if failed >= _TRIES or self._fatal() is not None or explained(error).permanent:
                    raise
                self.trouble = f"group {self._app}: {explained(error).detail}"
                await asyncio.sleep(_RETRY_S)
        raise LookupError("another member has joined under this name")

    def _on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Notes heartbeats that a group acknowledged which was not about to assign its partitions anew."""
        if heartbeat.acknowledged and not heartbeat.rebalancing:
            self._heartbeat_s = heartbeat.sent_s
        if heartbeat.member or self._kafka.instance is None:
            return
        # The group does not know this member, although it confirmed the membership within a session: another
        # member has joined under this name. The time is taken now, not when the heartbeat was sent: after a
        # broker was frozen for longer than a session, the session has simply run out.
        silent_s = self._clock.monotonic_s() - self.confirmed_s
        if silent_s < self._kafka.session_timeout / 1000:
            self._replaced = True
            # Raised so that aiokafka does not join again, which would put the other one out.
            raise KafkaError("another member has joined under this name")

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Every rebalance revokes all partitions first. Agents work on meanwhile; fencing keeps that safe."""
        self._revoked()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if self._group is not None and assigned:
            self._group.pause(*assigned)
        self.trouble = None
        if self._waiting is not None:
            self._waiting.succeeded()
        self._set(
            Assignment(
                joined=True,
                partitions=frozenset(assigned_one.partition for assigned_one in assigned),
                assigned_s=self._clock.monotonic_s(),
                members=self._assignor.members,
                owners=self._assignor.owners,
            )
        )

    def _revoked(self) -> None:
        self._set(self.assignment._replace(joined=False))

    def _set(self, assignment: Assignment) -> None:
        self.assignment = assignment
        with suppress(RuntimeError):  # the worker's loop is closed already
            self._notify()

    def _hung(self) -> bool:
        return self._clock.monotonic_s() - self._alive_s > HUNG_S

    def _fatal(self) -> StreamsError | None:
        """The error that ends this membership for good; None: a new consumer may join."""
        if self._assignor.failure is not None:
            return self._assignor.failure
        if self._replaced:
            return Fenced(
                f"another worker has joined group {self._app} as kafka.instance = {self._kafka.instance}, "
                "and this one gives way: each worker needs a name of its own"
            )
        return None


def _nobody() -> None:
    """Stands for the worker's loop until it joins."""
