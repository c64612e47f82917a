"""How Faust reads the outputs for agents: committed records only, each at least once.

Stock Faust 0.15.3 differs in five things, which are changed here:
- *It reads aborted transactions* unless it runs in its own "exactly once" mode. This consumer reads committed
  records only.
- *It expects offsets without gaps*, and fills the gaps that it finds. Here gaps are normal: commit markers,
  aborted records and compaction leave them. Behind a gap at the very beginning of a partition stock Faust
  never commits again; behind another one it takes the far end for done. Here a partition's position is its
  first delivered record that is not done.
- *It ends the process when a commit fails*, as commits do while a broker is away. This one commits again at
  the next turn.
- *It counts records as done that no agent has seen*: those in a queue while partitions move or the worker
  stops. See `faust_agents.py`.
- *It starts and stops clients without a time limit*, and a cancelled start leaves connections and a thread
  behind. Here every client is started and stopped like all others of this program.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.transports import ConsumerCallback, TransportT
from mode.threads import QueueServiceThread
from mode.utils.futures import notify
from yarl import URL

from streams.host.announce_start import announce_start_of
from streams.host.process import ProcessApp, process_of
from streams.log.kafka import quirks
from streams.log.kafka.group_consumer import ConsumerGroup
from streams.log.kafka.lifecycle import start, stop

THREAD_START_S = 0.01  # between looks at whether a thread has begun


class AgentConsumer(driver.Consumer):
    """Keeps account of the records that were delivered to agents, in order, and of those that are done."""

    def __init__(self, transport: TransportT, callback: ConsumerCallback, *args: Any, **options: Any) -> None:
        super().__init__(transport, self._deliver, *args, **options)
        self._to_agents = callback
        # Offsets that were delivered, until the position passes them.
        self._in_flight: dict[TP, deque[int]] = defaultdict(deque)
        self._position: dict[TP, int] = {}
        self._finished: dict[
            tuple[str, TP], int
        ] = {}  # (agent, partition) -> the last offset it is done with

    def _new_consumer_thread(self) -> "AgentConsumerThread":
        return AgentConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def discard(self) -> None:
        """Closes what a consumer has that was never started."""
        self._thread.thread_loop.close()

    async def _deliver(self, message: Message) -> None:
        if not self.flow_active or message.generation_id != self.app.consumer_generation_id:
            return  # partitions are moving: their next owner reads this record again
        self._in_flight[message.tp].append(message.offset)
        await self._to_agents(message)

    def ack(self, message: Message) -> bool:
        """Notes that every agent is done with a record. False if it was noted before."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        self._acked_index[message.tp].add(message.offset)
        self._acked[message.tp] = []  # the mere key makes Faust ask for a new offset
        self._n_acked += 1
        notify(self._waiting_for_ack)
        return True

    def finished(self, agent: str, message: Message) -> None:
        """Notes that an agent is done with a record."""
        place = agent, message.tp
        self._finished[place] = max(message.offset, self._finished.get(place, -1))

    def lag(self, agent: str, tp: TP) -> int | None:
        """How many committed records of a partition an agent is not done with. None: it is not known."""
        thread = self._thread
        assert isinstance(thread, AgentConsumerThread), type(thread)
        unread = thread.unread(tp)
        if unread is None:
            return None
        finished = self._finished.get((agent, tp), -1)
        return unread + sum([offset > finished for offset in self._in_flight.get(tp, ())])

    def _new_offset(self, tp: TP) -> int | None:
        """The position to continue from: everything before it is done. None: nothing is done yet."""
        in_flight, done = self._in_flight[tp], self._acked_index[tp]
        while in_flight and in_flight[0] in done:
            offset = in_flight.popleft()
            done.discard(offset)
            self._position[tp] = offset + 1
        return self._position.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commits positions. Those that a broker does not accept now are committed at the next turn."""
        assigned = self.assignment()
        kept = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not kept:
            return False
        await self.app.producer.flush()  # what agents sent in answer to these records
        if not await self._commit(kept):
            return False
        self._committed_offset.update(kept)
        self.app.monitor.on_tp_commit(kept)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignores gaps: they mean nothing here."""

    async def perform_seek(self) -> None:
        """Starts again from the committed positions: all records after them are delivered again."""
        self.forget()
        await super().perform_seek()

    def forget(self) -> None:
        """Drops the accounts of what was delivered so far."""
        for account in (self._in_flight, self._position, self._finished, self._acked, self._acked_index):
            account.clear()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        for tp in revoked:
            self._in_flight.pop(tp, None)
            self._position.pop(tp, None)
        self._finished = {
            place: offset for place, offset in self._finished.items() if place[1] not in revoked
        }
        await super().on_partitions_revoked(revoked)


class AgentConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which Faust runs the client of a consumer, which is a member of the agents' group."""

    @property
    def _group(self) -> ConsumerGroup:
        process = process_of(self.app)
        kafka = process.settings.kafka
        return ConsumerGroup(
            cluster=process.cluster,
            name=self.app.conf.id,
            instance=kafka.instance,
            session_ms=kafka.session_timeout,
        )

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        return self._group.consumer(
            RoundRobinPartitionAssignor,
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # a new agent gets everything that the topics still hold
            max_poll_records=conf.broker_max_poll_records,
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
        )

    async def on_start(self) -> None:
        """Starts the client, until it is started or the thread is to stop. Raises Refused or Unavailable."""
        self._consumer = self._create_consumer(self.thread_loop)
        self.time_started = monotonic()
        starting = asyncio.create_task(self._group.start(self._consumer))
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not starting.done():
                starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting

    def unread(self, tp: TP) -> int | None:
        """Committed offsets that the client has not read yet. None: it does not know."""
        if self._consumer is None:
            return None
        return quirks.unread(self._consumer, driver.ensure_aiokafka_TP(tp))

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seeks to the committed positions, once announce knows where it begins."""
        begins = announce_start_of(self.app)
        if begins is not None:
            consumer = self._ensure_consumer()
            await self.call_thread(begins.begin, consumer, consumer.assignment())
        return await super().seek_to_committed()

    async def on_thread_stop(self) -> None:
        await QueueServiceThread.on_thread_stop(self)  # Faust's own stops the client without a limit
        if self._consumer is not None:
            await stop(self._consumer)

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Prints nothing: the error ends the process, which reports it."""

    async def stop(self) -> None:
        """Stops the thread, also if it was started a moment ago and does not run yet, or never started."""
        while self._thread is not None and self._thread.is_alive() and not self._started.is_set():
            await asyncio.sleep(THREAD_START_S)
        await super().stop()
        if not self.thread_loop.is_closed():
            self.thread_loop.close()

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commits positions; False when the broker is away. Stock Faust would end the process then."""
        assigned = self.assignment()
        begins = announce_start_of(self.app)
        positions = {}
        for tp, offset in offsets.items():
            if tp in assigned:
                place = driver.ensure_aiokafka_TP(tp)
                positions[place] = OffsetAndMetadata(offset, "" if begins is None else begins.metadata(place))
        try:
            await self._ensure_consumer().commit(positions)
        except (KafkaError, OSError, TimeoutError) as error:
            self.log.warning("the positions of agents were not committed and will be retried: %r", error)
            return False
        self.tp_last_committed_at.update(dict.fromkeys(offsets, monotonic()))
        return True


class AgentProducer(driver.Producer):
    """Sends the records of agents that send."""

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        assert transactional_id is None, "Faust's transactions are not used"
        return process_of(self.app).cluster.producer()

    async def on_start(self) -> None:
        """Starts the client. Raises Refused or Unavailable."""
        await super(driver.Producer, self).on_start()  # Faust's own starts the client without a limit
        self._producer = self._new_producer()
        await start(self._producer, process_of(self.app).cluster, "agents cannot send")

    async def on_stop(self) -> None:
        producer, self._producer = self._producer, None
        await super().on_stop()
        if producer is not None:
            await stop(producer)


class AgentTransport(driver.Transport):
    """Makes Faust use the consumer and the producer above."""

    Consumer = AgentConsumer
    Producer = AgentProducer

    def __init__(self, app: ProcessApp) -> None:
        super().__init__([URL(url) for url in app.conf.broker_consumer], app)
