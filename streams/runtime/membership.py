"""A worker's place in the group: which partitions are its own, as of now. Membership and nothing else; nothing is read or committed here.

It lives in a thread of its own. Folding a large batch holds up the worker's loop for a second, restoring a large partition for longer; heartbeats
must not wait for it, or the group takes the worker for dead when it works hardest. The price is that a worker whose loop hangs for good would keep
its partitions for ever: so it has to show life, or is taken out of the group.

What was found by trying:
- Partitions stay paused, but the consumer is polled all the same: else the member is silently put out of the group after a while.
- Callbacks only note what was said. They run between heartbeats, and aiokafka swallows what they raise.
- Heartbeats are no business of the public interface, so they are listened to where they are sent. (Asking by a commit resets the membership.)
- A name that two have makes them put each other out for ever: who had it first gives way. The group says no more than that it does not know us.
- Stopping can hang, and starting raises while no broker answers.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from streams.errors import Fenced, StreamsError, Unavailable
from streams.log.kafka.client import Cluster, stop
from streams.log.kafka.errors import explained, failure
from streams.runtime.assignor import Assignor
from streams.settings.durations import duration_text
from streams.settings.kafka import KafkaSettings

HEARTBEATS = 12  # in a session: half a second of six, so that a few lost ones do no harm
POLL_MS = 500  # a poll finds nothing, it shows errors and that somebody is there
RETRY_S = 0.5  # after an error, before the next look
TRIES = 3  # errors in a row, then everything is made anew: aiokafka does not recover from all
ANSWER_MS = 10_000  # a join is answered when all members have come, or the session is over: a request waits for that and some
METADATA_MS = 30_000  # so often it is asked how many partitions there are
HUNG_S = 60.0  # without a sign of life from the worker's loop; restoring a million people holds it for ten
START_S = 30.0  # and a session: a join that has not come off by then is tried anew: looking for the group's broker has no end of its own
TICK_S = 0.25  # between looks at that


class View(NamedTuple):
    """What the group said last."""

    joined: bool = False  # these are given out, and not taken back since
    partitions: frozenset[int] = (
        frozenset()
    )  # while it is not joined: those of before, which go on until it is known who has them now
    assigned_s: float = -1.0  # when they were given out
    members: int = 0  # of the group, as of then


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """In the group from `join` to `leave`. For one loop, the worker's: there it sets `changed` when there is something new to see."""

    def __init__(
        self, cluster: Cluster, app: str, topics: Sequence[str], partitions: int, kafka: KafkaSettings
    ) -> None:
        """`topics`: those of which partition n belongs together; each has `partitions` of them."""
        self.view = View()
        self.heard_s = -1.0  # when the last heartbeat that was acknowledged was sent
        self.failure: Exception | None = None  # it is over, and why
        self.changed = asyncio.Event()
        self.trouble: str | None = None  # why it is not joined, in words for the log
        self._cluster, self._app, self._topics, self._kafka = cluster, app, sorted(topics), kafka
        self._what = f"group {app} cannot be joined"
        self._assignor = Assignor(partitions)
        self._usurped = False  # somebody else came by our name
        self._thread: threading.Thread | None = None
        self._tell: Callable[[], object] = _nothing
        self._shown_s = time.monotonic()
        self._leaving, self._left = (
            threading.Event(),
            asyncio.Event(),
        )  # the same for the thread's loop, and to be looked at from anywhere
        self._loop: asyncio.AbstractEventLoop | None = None  # the thread's
        self._group: AIOKafkaConsumer | None = None

    @property
    def joined(self) -> bool:
        return self.view.joined

    @property
    def partitions(self) -> frozenset[int]:
        return self.view.partitions

    @property
    def assigned_s(self) -> float:
        return self.view.assigned_s

    @property
    def stays(self) -> bool:
        """Whether the group keeps this worker's partitions for it when it leaves: one with a name is expected back."""
        return self._kafka.instance is not None

    def show(self) -> None:
        """The worker's loop is alive."""
        self._shown_s = time.monotonic()

    async def join(self) -> None:
        """Begins to join and returns; what comes of it is seen in `view` and `failure`."""
        loop = asyncio.get_running_loop()
        self._tell = lambda: loop.call_soon_threadsafe(self.changed.set)
        self.show()
        self._thread = threading.Thread(target=self._run, name=f"{self._app} group", daemon=True)
        self._thread.start()

    async def leave(self) -> None:
        """Leaves the group and ends the thread; takes a few seconds when no broker answers. May be called again."""
        self._leaving.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed already
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
            self._say(self.view._replace(joined=False))

    async def _live(self) -> None:
        """From one consumer to the next, until the worker leaves. Raises what cannot be helped by trying again."""
        self._loop = asyncio.get_running_loop()
        deadline_s = time.monotonic() + self._kafka.start_timeout / 1000
        while not self._leaving.is_set():
            if self._hung():
                await asyncio.sleep(TICK_S)
                continue
            try:
                await self._member()
            except Exception as error:  # all of it is aiokafka's: with a broker that is just coming back it also asserts what is not so
                if (fatal := self._fatal(error)) is not None:
                    raise fatal from error
                self.trouble = f"{self._what}: {explained(error).says}"
                if self.view.assigned_s < 0 and time.monotonic() > deadline_s:
                    raise Unavailable(
                        f"{self.trouble}: tried for {duration_text(self._kafka.start_timeout)} (kafka.start_timeout)"
                    ) from error
                self._say(self.view._replace(joined=False))
                await asyncio.sleep(RETRY_S)

    async def _member(self) -> None:
        """One consumer's life. Returns when the worker leaves or hangs, raises the error after which a new one is needed."""
        group = self._group = self._consumer()
        group.subscribe(self._topics, listener=self)
        try:
            if await self._unless_leaving(
                asyncio.wait_for(group.start(), START_S + self._kafka.session_timeout / 1000)
            ):
                self._listen(group)
                await self._unless_leaving(self._poll(group))
        finally:
            self._group = None
            self._say(self.view._replace(joined=False))
            await stop(group)

    async def _unless_leaving(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the work came to its end; when the worker leaves or hangs, it does not."""
        task, left = asyncio.create_task(work), asyncio.create_task(self._left.wait())
        try:
            while not task.done() and not self._leaving.is_set() and not self._hung():
                await asyncio.wait({task, left}, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
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

    def _consumer(self) -> AIOKafkaConsumer:
        session_ms = self._kafka.session_timeout
        return AIOKafkaConsumer(
            **{**self._cluster.common(), "request_timeout_ms": session_ms + ANSWER_MS},
            group_id=self._app,
            group_instance_id=self._kafka.instance,
            enable_auto_commit=False,
            auto_offset_reset="latest",  # nothing is read, so it does not matter where
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(1, session_ms // HEARTBEATS),
            rebalance_timeout_ms=session_ms,
            metadata_max_age_ms=METADATA_MS,
            partition_assignment_strategy=[self._assignor],
        )

    async def _poll(self, group: AIOKafkaConsumer) -> None:
        failed = 0
        while not self._usurped:  # then a poll would let aiokafka join again
            try:
                await group.getmany(timeout_ms=POLL_MS)
                failed, self.trouble = 0, None
            except KafkaError as error:
                failed += 1
                if failed >= TRIES or self._fatal(error) is not None:
                    raise
                self.trouble = f"group {self._app}: {explained(error).says}"
                await asyncio.sleep(RETRY_S)
        raise LookupError("another came by our name")

    def _listen(self, group: AIOKafkaConsumer) -> None:
        """Notes when heartbeats are acknowledged by a group that has not begun to give out its partitions anew."""
        coordinator = group._coordinator
        send = coordinator._do_heartbeat

        async def heartbeat() -> bool:
            sent_s = time.monotonic()
            acknowledged: bool = await send()
            if acknowledged and not coordinator._rejoin_needed_fut.done():
                self.heard_s = sent_s
            # Put out although the group heard of us within a session: by another of our name. Now counts, not when this was sent: of a broker that
            # was frozen for longer it is the session that has run out.
            quiet_s = time.monotonic() - max(self.heard_s, self.view.assigned_s)
            if (
                not coordinator.member_id
                and self._kafka.instance is not None
                and quiet_s < self._kafka.session_timeout / 1000
            ):
                self._usurped = True
                raise KafkaError(
                    "another came by our name"
                )  # keeps aiokafka from joining again, which would put out the other
            return acknowledged

        coordinator._do_heartbeat = heartbeat

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Of every change all partitions are taken back first; agents go on meanwhile, and fencing keeps that safe."""
        self._say(self.view._replace(joined=False))

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if self._group is not None and assigned:
            self._group.pause(*assigned)
        self.trouble = None
        self._say(
            View(
                True,
                frozenset(place.partition for place in assigned),
                time.monotonic(),
                self._assignor.members,
            )
        )

    def _say(self, view: View) -> None:
        if view != self.view:
            self.view = view
        with suppress(RuntimeError):  # the worker's loop is closed already
            self._tell()

    def _hung(self) -> bool:
        return time.monotonic() - self._shown_s > HUNG_S

    def _fatal(self, error: BaseException) -> StreamsError | None:
        """What only a person can put right."""
        if self._assignor.failure is not None:
            return self._assignor.failure
        if self._usurped:
            return Fenced(
                f"another worker has joined group {self._app} as kafka.instance = {self._kafka.instance}, and this one gives way: each needs a name"
                " of its own"
            )
        return failure(self._what, error) if explained(error).permanent else None


def _nothing() -> None:
    """Nobody to tell yet."""
